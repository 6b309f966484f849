from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem


def _traps() -> list[dict[str, str]]:
    path = Path(__file__).parent / "coding_traps.tsv"
    with path.open(encoding="utf-8", newline="") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def coder() -> Coder:
    return Coder.lexicon(encounter="outpatient")


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        pytest.param(
            trap["codes"],
            trap["sentence"],
            marks=[pytest.mark.xfail] if trap["known_failure"] == "yes" else [],
        )
        for trap in _traps()
    ],
)
def test_traps(coder: Coder, codes: str, sentence: str) -> None:
    coded = coder.code(sentence.replace("\\n", "\n"))
    assert sorted(assigned.code for assigned in coded.codes) == sorted(codes.split())


def test_the_table_is_sound(system: CodeSystem) -> None:
    traps = _traps()
    assert len({trap["sentence"] for trap in traps}) == len(traps) >= 600
    assert {trap["known_failure"] for trap in traps} == {"", "yes"}
    assert all(system.is_billable(code) for trap in traps for code in trap["codes"].split())
