from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem, conflict
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes
from data_builders.builder import configure, find_builder
from data_builders.output import build


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    builder = find_builder("icd10cm")
    codes = ["I21.4", "J18.9", "K35.80", "M16.11", "R05.1", "N20.0", "I10", "E11.9", "J44.9"]
    folder = tmp_path_factory.mktemp("build") / "pairs"
    return build(builder, configure(builder, {"codes": codes}), folder, system).data


def joined(pairs: Path, folder: Path, system: CodeSystem, **settings: object) -> list[CodedNote]:
    builder = find_builder("joined_spans")
    config = configure(builder, {"pairs": str(pairs), "rows": 300, **settings})
    return list(read_coded_notes(build(builder, config, folder, system).data))


def test_every_condition_has_its_own_evidence(
    pairs: Path, tmp_path: Path, system: CodeSystem
) -> None:
    rows = joined(pairs, tmp_path / "out", system, noise=0.5)
    assert len(rows) == 300
    for row in rows:
        # CodedNote itself refuses evidence that is not the words at its offsets.
        assert 2 <= len(row.codes) <= 4
        spans = sorted((e.start, e.end) for a in row.codes for e in a.evidence)
        assert len(spans) == len(row.codes)
        assert all(one[1] < two[0] for one, two in itertools.pairwise(spans))
        assert spans[-1][1] == len(row.text)
        codes = [assigned.code for assigned in row.codes]
        assert not [1 for a in codes for b in codes if a != b and conflict(system, a, b)]
    assert any("\n" in row.text for row in rows)
    assert any(" and " in row.text for row in rows)


def test_codes_that_change_others_are_left_out(
    pairs: Path, tmp_path: Path, system: CodeSystem
) -> None:
    used = {a.code for row in joined(pairs, tmp_path / "out", system) for a in row.codes}
    assert used == {"I21.4", "J18.9", "K35.80", "M16.11", "R05.1", "N20.0", "J44.9"}


def test_a_row_depends_only_on_the_seed_and_its_number(
    pairs: Path, tmp_path: Path, system: CodeSystem
) -> None:
    many = joined(pairs, tmp_path / "many", system, seed=3)
    assert joined(pairs, tmp_path / "few", system, seed=3, rows=20) == many[:20]
    assert joined(pairs, tmp_path / "other", system, seed=4, rows=20) != many[:20]


def test_incompatible_codes_are_rejected(pairs: Path, tmp_path: Path, system: CodeSystem) -> None:
    assert joined(pairs, tmp_path / "out", system, codes=["i214", "Z00.00"], rows=3) == []
    lines = (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()
    reasons = [json.loads(line)["reason"] for line in lines]
    assert reasons == [
        "no string for this code in the pairs",
        *["too few codes that may stand together"] * 3,
    ]


def test_the_maximum_is_not_below_the_minimum(pairs: Path) -> None:
    settings = {"pairs": str(pairs), "rows": 1, "least": 4, "most": 2}
    with pytest.raises(ConfigurationError, match="most = 2 is less than least = 4"):
        configure(find_builder("joined_spans"), settings)
