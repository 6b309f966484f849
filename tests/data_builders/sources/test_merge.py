from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.notes import SpanPair
from cclearn.notes.jsonl import write_rows
from tests.data_builders.built import built


def pair(number: int, text: str, code: str, source: str, **fields: str) -> SpanPair:
    values = {"release": "x", "grade": "gold", **fields}
    return SpanPair(id=str(number), text=text, code=code, source=source, **values)  # type: ignore[arg-type]


def test_the_stronger_source_wins(tmp_path: Path, system: CodeSystem) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    write_rows(
        one,
        [
            pair(1, "weak pump", "I51.9", "disease_ontology/label"),
            pair(2, "tired chest", "J98.4", "disease_ontology/label"),
            pair(3, "heavy chest", "J98.4", "my own"),
            pair(
                4, "near", "J98.4", "mine", grade="synthetic", neighbour="J98.9", origin="synthetic"
            ),
            pair(5, "old", "I99.99", "my own"),
        ],
    )
    write_rows(
        two,
        [
            pair(1, "Weak  pump", "i509", "icd10cm_index/index/see"),
            pair(2, "tired chest", "I51.9", "disease_ontology/label"),
            pair(3, "weak pmup", "I50.9", "icd10cm_index/index+variant"),
            pair(4, "heavy chest", "I51.9", "icd10cm/title+variant"),
        ],
    )
    settings = {"files": [str(one), str(two)], "variants": 1}
    pairs, rejected, ambiguous = built("merge", settings, system)
    kept = {text: p for text, p in pairs.items() if "-variant-" not in p.id}
    assert {(p.text, p.code) for p in kept.values()} == {
        ("heavy chest", "J98.4"),
        ("near", "J98.4"),
        ("Weak  pump", "I50.9"),
        ("weak pmup", "I50.9"),
    }
    near = pairs["near"]
    assert (near.grade, near.neighbour, near.origin) == ("synthetic", "J98.9", "synthetic")
    assert ambiguous["tired chest"].codes == ("I51.9", "J98.4")
    assert [(row.text, row.code, row.reason) for row in rejected] == [
        ("weak pump", "I51.9", "claimed by a stronger source"),
        ("old", "I99.99", "unknown code"),
        ("heavy chest", "I51.9", "claimed by a stronger source"),
    ]
    # A variant of a variant is not made.
    assert not [p for p in pairs.values() if p.id.startswith(f"{pairs['weak pmup'].id}-variant")]


def test_pairs_of_another_system_are_refused(tmp_path: Path, system: CodeSystem) -> None:
    path = tmp_path / "pairs.jsonl"
    write_rows(path, [pair(1, "bypass", "10.1", "mine", system="operations")])
    with pytest.raises(DataError, match=r"system: '1' is of operations, not of icd10cm"):
        built("merge", {"files": [str(path)]}, system)
