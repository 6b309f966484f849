from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from data_builders.builder import configure, find_builder
from data_builders.output import build
from data_builders.sources.sssom import read_sssom
from tests.data_builders.built import built

HEADER = (
    "subject_id\tsubject_label\tpredicate_id\tpredicate_modifier\tobject_id\tobject_label"
    "\tmapping_justification\tconfidence\n"
)
META = "#curie_map:\n#  MONDO: http://purl.obolibrary.org/obo/MONDO_\n#mapping_set_id: https://x.org/x\n"
CURATED = "semapv:ManualMappingCuration"
ROWS = [
    ("MONDO:1", "weak pump", "skos:exactMatch", "", "ICD10CM:I50.9", "Heart failure", CURATED, "1"),
    (
        "ICD10CM:J18.9",
        "",
        "skos:exactMatch",
        "",
        "MONDO:2",
        "lung fire",
        "semapv:LexicalMatching",
        "",
    ),
    ("MONDO:3", "broad thing", "skos:broadMatch", "", "ICD10CM:I51.9", "x", CURATED, ""),
    ("MONDO:4", "no such thing", "skos:exactMatch", "Not", "ICD10CM:I51.9", "x", CURATED, ""),
    ("MONDO:5", "", "skos:exactMatch", "", "ICD10CM:I51.9", "x", CURATED, ""),
    ("MONDO:6", "elsewhere", "skos:exactMatch", "", "OMIM:1", "x", CURATED, ""),
    ("MONDO:7", "perhaps", "skos:exactMatch", "", "icd10cm:I51.9", "x", CURATED, "0.3"),
    ("MONDO:8", "whole heart", "skos:exactMatch", "", "ICD10CM:I50", "x", CURATED, ""),
]


def write(path: Path, rows: list[tuple[str, ...]], head: str = META + HEADER) -> Path:
    path.write_text(head + "".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_exact_mappings_on_either_side_become_pairs(tmp_path: Path, system: CodeSystem) -> None:
    path = write(tmp_path / "x.sssom.tsv", ROWS)
    settings = {"files": [str(path)], "least_confidence": 0.5}
    pairs, rejected, _ = built("sssom", settings, system)
    assert {(p.text, p.code, p.grade, p.source) for p in pairs.values()} == {
        ("weak pump", "I50.9", "gold", "sssom/mapping"),
        ("lung fire", "J18.9", "silver", "sssom/mapping"),
    }
    assert [(row.code, row.reason, row.detail) for row in rejected] == [
        ("I51.9", "mapped by skos:broadMatch", "MONDO:3"),
        ("I51.9", "negated mapping", "MONDO:4"),
        ("I51.9", "no label", "MONDO:5"),
        ("I51.9", "not certain enough", "MONDO:7"),
        ("I50", "header code", ""),
    ]


def test_other_predicates_are_silver(tmp_path: Path, system: CodeSystem) -> None:
    path = write(tmp_path / "x.sssom.tsv", ROWS)
    settings = {"files": [str(path)], "predicates": ["skos:broadMatch"]}
    pairs, _, _ = built("sssom", settings, system)
    assert {(p.text, p.grade) for p in pairs.values()} == {("broad thing", "silver")}


def test_a_file_may_have_no_metadata_and_few_columns(tmp_path: Path) -> None:
    head = "subject_id\tpredicate_id\tobject_id\tobject_label\n"
    path = write(tmp_path / "x.tsv", [("A:1", "skos:exactMatch", "B:2", "two")], head)
    (mapping,) = read_sssom(path)
    assert (mapping.subject, mapping.object_label, mapping.confidence) == ("A:1", "two", None)


def test_all_problems_are_reported_together(tmp_path: Path, system: CodeSystem) -> None:
    wrong = [("I50.9", "a", "skos:exactMatch", "", "A:1", "x", "", "sure"), ("A:1", "short")]
    path = write(tmp_path / "x.tsv", wrong)
    builder = find_builder("sssom")
    with pytest.raises(DataError) as error:
        build(builder, configure(builder, {"files": [str(path)]}), tmp_path / "out", system)
    assert str(error.value).replace(str(path), "x").splitlines() == [
        "x:5: subject_id: not an identifier of the form PREFIX:NAME",
        "x:5: confidence: not a number from 0 to 1",
        "x:6: 2 fields, the header has 8",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        ("subject_id\tobject_id\n", ["predicate_id", "subject_label or object_label"]),
        ("", ["subject_id", "predicate_id", "object_id", "subject_label or object_label"]),
    ],
)
def test_missing_columns_are_reported(tmp_path: Path, content: str, missing: list[str]) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("#a: b\n" + content, encoding="utf-8")
    with pytest.raises(DataError) as error:
        list(read_sssom(path))
    assert str(error.value).splitlines() == [
        f"{path}:2: the column {name} is missing" for name in missing
    ]
