from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.evaluation.lm_eval.export import export_task, invalid_rate, micro_f1, process_results
from cclearn.prompts import document_answer
from tests.evaluation.notes import TEXT, note


def row(codes: list[str]) -> dict[str, object]:
    return {"note": TEXT, "codes": codes, "system": "icd10cm"}


def test_answers_are_counted_as_our_coder_would() -> None:
    answer = "- Old MI => I25.2\n- chest pain => R07.9\n- no such words => I10\n- MI => I21\nhm"
    counts = process_results(row(["I25.2", "I10", "E11.9"]), [answer])
    # I25.2 is right; R07.9 is wrong; I10 is not grounded; I21 is a header.
    assert counts == {"micro_f1": (1, 4, 3), "invalid_rate": (2, 4, 0)}
    twice = process_results(row(["I25.2"]), ["- Old MI => I25.2\n- no such words => I25.2"])
    assert twice == {"micro_f1": (1, 1, 1), "invalid_rate": (0, 1, 0)}
    nothing = process_results(row([]), ["none"])
    assert nothing == {"micro_f1": (0, 0, 0), "invalid_rate": (0, 0, 0)}
    both = [counts["micro_f1"], nothing["micro_f1"], (2, 2, 2)]
    assert micro_f1(both) == pytest.approx(2 * 3 / (6 + 5))
    assert invalid_rate([counts["invalid_rate"], nothing["invalid_rate"]]) == 0.5
    assert micro_f1([(0, 0, 0)]) == invalid_rate([(0, 0, 0)]) == 0.0


def test_a_task_contains_all_that_the_harness_needs(tmp_path: Path, system: CodeSystem) -> None:
    notes = [note("1", {"I25.2": [(4, 6)]}), note("2", {})]
    assert export_task(notes, "cclearn_mine", system, tmp_path) == 2
    with pytest.raises(CclearnError, match="exists already"):
        export_task(notes, "cclearn_mine", system, tmp_path)
    assert export_task(notes, "cclearn_mine", system, tmp_path, overwrite=True) == 2
    rows = [json.loads(line) for line in (tmp_path / "cclearn_mine.jsonl").read_text().splitlines()]
    assert rows[0]["prompt"].endswith(TEXT)
    assert rows[0]["answer"] == document_answer(notes[0]) == "- MI => I25.2"
    assert process_results(rows[0], [rows[0]["answer"]])["micro_f1"] == (1, 1, 1)
    text = (tmp_path / "cclearn_mine.yaml").read_text()
    plain = yaml.safe_load(text.replace("!function ", ""))
    assert plain["task"] == "cclearn_mine"
    assert [metric["metric"] for metric in plain["metric_list"]] == ["micro_f1", "invalid_rate"]
    assert Path(plain["dataset_kwargs"]["data_files"]["test"]).is_file()
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0
