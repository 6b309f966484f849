from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.bulk import BulkOptions, code_corpus
from cclearn.bulk.folder import read_coded
from cclearn.codes import CodeSystem
from cclearn.coding import CoderSettings
from cclearn.errors import ConfigurationError
from cclearn.notes.jsonl import write_rows
from cclearn.workflows.score import ScoringOptions, score_files
from tests.bulk.corpora import write_jsonl
from tests.evaluation.notes import of_labels


def test_the_folder_of_a_run_is_scored_as_its_notes_are(tmp_path: Path, system: CodeSystem) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 5)
    code_corpus(source, tmp_path / "coded", CoderSettings(), BulkOptions(shard_size=2))
    write_rows(tmp_path / "gold.jsonl", read_coded(tmp_path / "coded"))
    options = ScoringOptions(tmp_path / "out", draws=0)
    comparison, written, _ = score_files(
        tmp_path / "gold.jsonl", [tmp_path / "coded"], system, options, show=2
    )
    assert comparison.evaluations["coded"].scores["micro_f1"].value == 1
    result = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(result["sha256"]) == {"gold", "coded"}
    assert result == written.model_dump(mode="json")
    heading, *lines = (tmp_path / "out" / "scores.csv").read_text().splitlines()
    assert heading == "system,score,value,low,high"
    assert "coded,micro_f1,1.0,," in lines
    # A gold file can be coded, and be the gold of the predictions, without a step between.
    code_corpus(tmp_path / "gold.jsonl", tmp_path / "again", CoderSettings())
    again = score_files(tmp_path / "coded", [tmp_path / "again"], system, ScoringOptions(draws=0))
    assert again.comparison.evaluations["again"].scores["micro_f1"].value == 1


def test_all_missing_files_are_reported(tmp_path: Path, system: CodeSystem) -> None:
    options = ScoringOptions(edition_map=str(tmp_path / "map.csv"))
    with pytest.raises(ConfigurationError) as error:
        score_files(tmp_path / "gold.jsonl", [tmp_path / "coded"], system, options)
    assert [line.rpartition("/")[2] for line in error.value.lines] == [
        "gold.jsonl: no such file. Name another.",
        "coded: no such file. Name another.",
        "map.csv: no such file. Name another.",
    ]
    with pytest.raises(ConfigurationError) as error:
        score_files(
            tmp_path / "gold.jsonl", [tmp_path], system, ScoringOptions(edition_map="packaged")
        )
    assert len(error.value.lines) == 1


def test_scores_in_the_edition_of_the_gold_are_stated_apart(
    tmp_path: Path, system: CodeSystem
) -> None:
    gold, predicted = of_labels([({"R51", "I10"}, {"R51.9", "I10"})])
    write_rows(tmp_path / "gold.jsonl", gold)
    write_rows(tmp_path / "pred.jsonl", predicted)
    (tmp_path / "map.csv").write_text("old,new\nR51,R51.9\n")
    for edition_map in ("packaged", str(tmp_path / "map.csv")):
        scored = score_files(
            tmp_path / "gold.jsonl",
            [tmp_path / "pred.jsonl"],
            system,
            ScoringOptions(tmp_path / "out", overwrite=True, edition_map=edition_map),
        )
        scores = scored.comparison.evaluations["pred"].scores
        assert (scores["micro_f1"].value, scores["edition_map/micro_f1"].value) == (0.5, 1)
        result = json.loads((tmp_path / "out" / "metrics.json").read_text())
        assert set(result["sha256"]) == {"gold", "pred", "edition_map"}
        assert "micro F1, edition map" in (tmp_path / "out" / "report.md").read_text()
