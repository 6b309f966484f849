"""The table NOTE_NLP by hand."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from cclearn.errors import ConfigurationError, DataError
from cclearn.outputs import find_output
from cclearn.outputs.omop import COLUMNS
from tests.outputs.notes import FULL
from tests.outputs.test_annotation_tools import REVIEW


def rows(**options: Path) -> list[dict[str, str]]:
    note = FULL.model_copy(update={"id": "17", "review": REVIEW})
    text = "".join(find_output(None, "omop", **options).chunks([note]))
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_by_hand() -> None:
    found = rows()
    assert list(found[0]) == list(COLUMNS)
    assert [row["note_nlp_id"] for row in found] == ["1", "2", "3", "4", "5"]
    assert {row["note_id"] for row in found} == {"17"}
    assert [row["term_exists"] for row in found] == ["Y", "Y", "Y", "Y", "N"]
    assert [row["term_temporal"] for row in found] == ["Past", *["Present"] * 4]
    assert found[1]["lexical_variant"] == "Acute on chronic systolic heart failure"
    assert found[1]["offset"] == "9"
    assert found[1]["term_modifiers"] == "code=I50.23;vocabulary=ICD10CM;assertion=present"
    assert found[1]["snippet"].startswith("Old MI.  Acute on chronic")
    assert (found[1]["nlp_date"], found[1]["nlp_datetime"]) == ("2026-05-01", "2026-05-01 10:00:00")
    assert {row["note_nlp_source_concept_id"] for row in found} == {"0"}
    assert all(len(row["snippet"]) <= 250 for row in found)


def test_concepts_are_those_of_the_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "CONCEPT.csv"
    path.write_text(
        "concept_id\tconcept_name\tvocabulary_id\tconcept_code\n"
        '35207792\tHeart "failure\tICD10CM\tI50.23\n1\tx\tICD9CM\tR52\n'
    )
    found = {row["term_modifiers"][5:].split(";")[0]: row for row in rows(concepts=path)}
    assert found["I50.23"]["note_nlp_source_concept_id"] == "35207792"
    assert found["R52"]["note_nlp_source_concept_id"] == "0"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="not a CONCEPT"):
        rows(concepts=path)
    with pytest.raises(DataError, match="No such file"):
        rows(concepts=tmp_path / "none.csv")
    with pytest.raises(ConfigurationError, match="only omop has concepts"):
        find_output(None, "jsonl", path)
