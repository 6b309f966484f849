from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.codes.editions import PACKAGED, EditionMap
from cclearn.evaluation import Evaluation, Settings, evaluate
from cclearn.evaluation.gold_edition import GoldEdition
from cclearn.evaluation.scored_notes import AlignedNotes, scored_note
from cclearn.notes import CodedNote
from tests.evaluation.notes import note, of_labels, scored

MAPPED = "edition_map/"
CODES = ["I10", "I48.1", "I48.11", "I48.19", "I48.91", "N18.3", "N18.30", "N18.31"]

codes = st.sets(st.sampled_from(CODES))
maps = st.dictionaries(
    st.sampled_from(CODES), st.lists(st.sampled_from(CODES), unique=True).map(tuple)
)


def changes(previous: Mapping[str, tuple[str, ...]]) -> EditionMap:
    return EditionMap(Path("map.csv"), previous)


def mapped(
    pairs: list[tuple[set[str], set[str]]],
    previous: Mapping[str, tuple[str, ...]],
    system: CodeSystem,
) -> Evaluation:
    return scored(*of_labels(pairs), system, edition_map=changes(previous))


def micro(found: Evaluation, prefix: str = MAPPED) -> list[float | None]:
    return [found.value(f"{prefix}micro_{name}") for name in ("precision", "recall", "f1")]


def test_predictions_are_scored_in_the_edition_of_the_gold(system: CodeSystem) -> None:
    gold, predicted = of_labels(
        [({"I48.1"}, {"I48.11", "I48.19"}), ({"N18.3", "I10"}, {"N18.30", "E11.9"})]
    )
    edition_map = EditionMap.load(PACKAGED, system)
    comparison = evaluate(gold, {"it": predicted}, system, Settings(0, edition_map=edition_map))
    ours = comparison.evaluations["it"]
    assert micro(ours, "") == [0, 0, 0]
    # I48.1 and N18.3 are right, E11.9 is wrong, I10 is missed.
    assert micro(ours) == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert ours.value("edition_map/macro_f1") == pytest.approx(2 / 3)
    assert ours.value("category_f1") == ours.value("edition_map/category_f1")
    assert comparison.warnings[-1].startswith(
        "2 gold codes of an earlier edition (2 distinct): the edition map"
    )


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        # The note's own code is taken before the first of the map.
        (["H81.42"], ["H81.4"], ["H81.42"]),
        # A prediction stands for one code only.
        (["H81.41", "H81.42"], ["H81.4"], ["H81.41"]),
        # Two predictions that replaced the same two codes stand for one each.
        (["H81.41", "H81.42"], ["R42", "H81.4"], ["H81.41", "H81.42"]),
        # Predictions that become the same code count once, with the better rank.
        (["H81.42"], ["H81.4", "I10", "R42"], ["H81.42", "I10"]),
        # A prediction that is right as it is leaves the other code to the other prediction.
        (["H81.41", "H81.42"], ["R42", "H81.41"], ["H81.42", "H81.41"]),
        # Without a code of the note, it is the first that the gold has in any note.
        (["I10"], ["H81.4", "R43.0"], ["H81.41", "R43.0"]),
    ],
)
def test_a_code_that_replaced_several_stands_for_one(
    gold: list[str], predicted: list[str], expected: list[str]
) -> None:
    edition_map = changes(dict.fromkeys(("H81.4", "R42"), ("H81.49", "H81.41", "H81.42")))
    edition = GoldEdition(edition_map, frozenset(("H81.41", "H81.42", "I10")))
    notes = [scored_note(note("1", {code: [] for code in found})) for found in (gold, predicted)]
    (found,) = edition.align(AlignedNotes(notes[:1], notes[1:], ())).predicted
    assert list(found.codes) == expected


def test_a_code_that_the_gold_has_is_of_its_edition(system: CodeSystem) -> None:
    previous = {"E11.10": ("E11.69",)}
    pairs = [({"E11.69"}, {"E11.10"}), ({"E11.10"}, {"E11.10"})]
    assert mapped(pairs, previous, system).value("edition_map/micro_f1") == 0.5
    assert mapped(pairs[:1], previous, system).value("edition_map/micro_f1") == 1


def test_evidence_and_scores_follow_the_codes(system: CodeSystem) -> None:
    gold = [note("1", {"I48.1": [(4, 6)], "I10": [(12, 22)]})]
    predicted = [
        note(
            "1",
            {"I48.11": [(4, 6)], "I48.19": [(4, 6)], "I10": [(12, 22)]},
            {"I48.11": 0.2, "I48.19": 0.9, "I10": 0.5},
        )
    ]
    found = scored(gold, predicted, system, edition_map=EditionMap.load(PACKAGED, system))
    assert found.value("evidence_span_f1") == pytest.approx(2 / 5)
    assert found.value("edition_map/evidence_span_f1") == 1
    assert found.value("edition_map/map") == 1


def test_a_map_without_a_code_of_the_gold_is_reported(system: CodeSystem) -> None:
    gold, predicted = of_labels([({"I10"}, {"I10"})])
    edition_map = EditionMap(Path("map.csv"), {"I48.11": ("I48.1",)}, unread=3)
    comparison = evaluate(gold, predicted, system, Settings(0, edition_map=edition_map))
    assert comparison.warnings == (
        "the edition map has no code of the gold, so it changes no score",
        "3 entries of the edition map are not codes, and are not used",
    )


@given(st.lists(st.tuples(codes, codes), min_size=1, max_size=4))
@settings(max_examples=30)
def test_a_map_of_each_code_to_itself_changes_nothing(
    system: CodeSystem, pairs: list[tuple[set[str], set[str]]]
) -> None:
    found = mapped(pairs, {code: (code,) for code in CODES}, system)
    names = [name for name in found.scores if name.startswith(MAPPED)]
    assert "edition_map/macro_f1" in names
    for name in names:
        assert found.value(name) == found.value(name.removeprefix(MAPPED)), name


@given(st.lists(st.tuples(codes, codes), min_size=1, max_size=4), maps)
@settings(max_examples=60)
def test_mapped_scores_are_between_0_and_1_and_micro_scores_are_not_lower(
    system: CodeSystem,
    pairs: list[tuple[set[str], set[str]]],
    previous: dict[str, tuple[str, ...]],
) -> None:
    found = mapped(pairs, previous, system)
    values = {
        name: found.value(name)
        for name in found.scores
        if name.startswith(MAPPED) and name.endswith(("_precision", "_recall", "_f1"))
    }
    assert len(values) > 20
    for name, value in values.items():
        assert value is None or 0 <= value <= 1 + 1e-12, name
    for plain, other in zip(micro(found, ""), micro(found), strict=True):
        assert plain is not None
        assert other is not None
        assert other >= plain - 1e-12


def test_systems_are_compared_in_the_edition_of_the_gold(system: CodeSystem) -> None:
    gold, predicted = of_labels([({"I48.1"}, {"I48.11"}), ({"I10"}, {"I10"})] * 5)
    empty: list[CodedNote] = [n.model_copy(update={"codes": []}) for n in gold]
    edition_map = EditionMap.load(PACKAGED, system)
    found = evaluate(
        gold, {"a": predicted, "b": empty}, system, Settings(50, edition_map=edition_map), True
    )
    assert found.differences["a", "b"]["edition_map/micro_f1"].value == 1
