from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.jsonl import write_rows
from data_builders.code_conflicts import code_conflicts
from data_builders.rare_codes.code_sets import AnchorCodeSets, CodeSet
from data_builders.rare_codes.cooccurrence import CooccurrencePrior
from data_builders.rare_codes.known_neighbours import KnownNeighbours
from data_builders.rare_codes.training_corpus import TrainingCorpus, read_training_corpus
from tests.data_builders.rare_codes.coded import coded

SYSTEM = CodeSystem.load()


def corpus(*sets: Sequence[str]) -> TrainingCorpus:
    codes = sorted({code for members in sets for code in members})
    return TrainingCorpus(sets={code: tuple(tuple(s) for s in sets if code in s) for code in codes})


def drawn(
    anchor: str,
    *sets: Sequence[str],
    pairs: Mapping[str, Mapping[str, int]] | None = None,
    seeds: int = 30,
) -> list[CodeSet]:
    prior = None if pairs is None else CooccurrencePrior({}, pairs)
    maker = AnchorCodeSets(SYSTEM, corpus(*sets), prior)
    return [maker.anchor_code_set(anchor, random.Random(seed)) for seed in range(seeds)]


def test_the_set_of_a_real_note_of_the_same_organ_system_is_cloned() -> None:
    heart, other = ("I50.22", "I48.91", "E78.5"), ("I50.22", "J18.9", "J45.909")
    assert {(c.codes, c.rule) for c in drawn("I50.22", other, heart)} == {(heart, "cloned")}
    # Without such a note, another one is used.
    assert {(c.codes, c.rule) for c in drawn("I50.22", other)} == {(other, "cloned_other_system")}
    both = [heart, ("I50.22", "I10")]
    assert {c.codes for c in drawn("I50.22", *both)} == set(both)


def test_a_set_with_conflicts_is_refused() -> None:
    wrong, right = ("E11.65", "E10.9"), ("I10", "E11.65")
    found = drawn("E11.65", wrong, right)
    assert {c.codes for c in found} == {right}
    assert {c.refused for c in found} == {(), ("excludes1",)}
    # If all sets have conflicts, the anchor is kept.
    alone = drawn("E11.65", ("I10", "E10.9", "E11.65"))
    assert {(c.codes, c.refused, c.removed) for c in alone} == {
        (("I10", "E11.65"), (), ("excludes1",))
    }


def test_an_unseen_code_replaces_its_nearest_seen_neighbour() -> None:
    sibling, cousin = ("N18.31", "I50.21", "I10"), ("I50.31", "E78.5")
    found = drawn("I50.22", sibling, cousin)
    assert {(c.codes, c.rule, c.source) for c in found} == {
        (("N18.31", "I50.22", "I10"), "neighbour", "I50.21")
    }
    (found, *_) = drawn("I50.22", cousin)
    assert (found.codes, found.source) == (("I50.22", "E78.5"), "I50.31")
    (found, *_) = drawn("I50.22", ("I48.91", "E78.5"))  # Another header of the block.
    assert (found.codes, found.source) == (("I50.22", "E78.5"), "I48.91")
    (found, *_) = drawn("I50.22", ("J45.909", "E78.5"))
    assert (found.codes, found.rule) == (("I50.22",), "alone")


def test_the_prior_weighs_sets_and_replaces_them() -> None:
    one, two = ("I50.21", "N18.31"), ("I50.21", "E78.5")
    pairs = {"I50.22": {"N18.31": 9, "E66.9": 9}}
    count = sum(c.codes[1] == "N18.31" for c in drawn("I50.22", one, two, pairs=pairs, seeds=300))
    assert 170 < count < 230  # Two thirds of 300.
    assert {(c.codes, c.rule) for c in drawn("I50.22", pairs=pairs)} == {
        (("I50.22", "E66.9", "N18.31"), "cooccurrence")
    }
    # The anchor is in the prior, so that no farther note is used.
    far = ("I48.91", "E78.5")
    assert {c.rule for c in drawn("I50.22", far, pairs=pairs)} == {"cooccurrence"}
    (found, *_) = drawn("I50.23", pairs=pairs)
    assert (found.codes, found.source) == (("I50.23", "E66.9", "N18.31"), "I50.22")


def test_a_table_without_hierarchy_has_no_neighbours(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("code,description\nA,one\nB,two\n")
    system = CodeSystem.load(str(tmp_path / "own.csv"))
    near = KnownNeighbours(system, ["A"])
    assert (near.nearest("B"), near.in_block("B")) == ([], [])
    (found,) = {AnchorCodeSets(system, corpus("A")).anchor_code_set("B", random.Random(0)).codes}
    assert found == ("B",)


CODES = (
    SYSTEM.billable_codes("I50") + SYSTEM.billable_codes("H25") + SYSTEM.billable_codes("E08-E13")
)
CODES += SYSTEM.billable_codes("O10-O16") + SYSTEM.billable_codes("N40-N53") + ["P07.30", "Z00.00"]
MEMBERS = st.lists(st.sampled_from(CODES), min_size=1, max_size=12, unique=True)


@settings(max_examples=60)
@given(st.sampled_from(CODES), st.lists(MEMBERS, max_size=4), st.lists(MEMBERS, max_size=3))
def test_code_sets_never_conflict(
    anchor: str, sets: list[list[str]], documents: list[list[str]]
) -> None:
    pairs = {one: dict.fromkeys(others, 1) for one, *others in documents}
    for found in drawn(anchor, *sets, pairs=pairs, seeds=3):
        assert anchor in found.codes
        assert len(set(found.codes)) == len(found.codes)
        assert code_conflicts(SYSTEM, found.codes) == []


def test_a_sample_of_the_sets_is_kept(tmp_path: Path) -> None:
    others = (
        SYSTEM.billable_codes("J")[:300] if "J" in SYSTEM else SYSTEM.billable_codes("10")[:300]
    )
    notes = [coded(f"n{n}", "i10", code) for n, code in enumerate(others)]
    write_rows(tmp_path / "notes.jsonl", notes)
    found = read_training_corpus([tmp_path / "notes.jsonl"], SYSTEM, 0)
    assert (found.notes, found.counts["I10"], len(found.sets["I10"])) == (300, 300, 64)
    write_rows(tmp_path / "notes.jsonl", reversed(notes))
    assert read_training_corpus([tmp_path / "notes.jsonl"], SYSTEM, 0) == found
    assert read_training_corpus([tmp_path / "notes.jsonl"], SYSTEM, 1).sets != found.sets


def test_what_is_counted(tmp_path: Path) -> None:
    negated = AssignedCode(code="J18.9", assertion="negated", evidence=[])
    foreign = AssignedCode(code="250.00", system="icd9cm", evidence=[])
    note = coded("a", "I10", "I50", "Z99.99")
    notes = [CodedNote(**{**note.model_dump(), "codes": [*note.codes, negated, foreign]})]
    write_rows(tmp_path / "notes.jsonl", notes)
    found = read_training_corpus([tmp_path / "notes.jsonl"] * 2, SYSTEM, 0)
    assert (dict(found.counts), found.notes, found.not_billable) == ({"I10": 2}, 2, 4)
