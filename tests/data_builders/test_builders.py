from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import datasets
import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.notes import CODED_ASSERTIONS, CodedNote, SpanPair
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from data_builders.builder import (
    AmbiguousString,
    RejectedRow,
    builder_names,
    configure,
    find_builder,
)
from data_builders.noise import WEIGHTS
from data_builders.output import build
from tests.data_builders.built import built


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    builder = find_builder("icd10cm")
    folder = tmp_path_factory.mktemp("build") / "pairs"
    return build(builder, configure(builder, {"under": "I20-I25"}), folder, system).data


@pytest.fixture(scope="module")
def whole(system: CodeSystem) -> tuple[dict[str, SpanPair], dict[str, AmbiguousString]]:
    """The pairs of all codes, and the strings of several codes."""
    made, _, ambiguous = built("icd10cm", {}, system)
    return made, ambiguous


def notes(pairs: Path, folder: Path, system: CodeSystem, **settings: object) -> list[CodedNote]:
    builder = find_builder("template_notes")
    config = configure(builder, {"pairs": str(pairs), "notes": 200, **settings})
    return list(read_coded_notes(build(builder, config, folder, system).data))


def test_pairs_are_the_classifications_own_strings(pairs: Path, system: CodeSystem) -> None:
    made = list(read_span_pairs(pairs))
    strings = {(pair.text, pair.code) for pair in made}
    assert ("Non-ST elevation (NSTEMI) myocardial infarction", "I21.4") in strings
    assert ("Non-ST elevation myocardial infarction", "I21.4") in strings
    assert ("Nontransmural myocardial infarction NOS", "I21.4") in strings
    assert ("Nontransmural myocardial infarction", "I21.4") in strings
    assert {pair.code for pair in made} == set(system.billable_codes("I20-I25"))
    assert len({pair.text.casefold() for pair in made}) == len(made)
    assert {pair.grade for pair in made} == {"gold"}
    assert {pair.release for pair in made} == {system.release}


def test_rejected_rows_have_a_reason(system: CodeSystem) -> None:
    builder = find_builder("icd10cm")
    rows = list(builder.rows(configure(builder, {"under": "10"}), system))
    rejected = [row for row in rows if isinstance(row, RejectedRow)]
    reasons = Counter(row.reason for row in rejected)
    assert reasons["header code"] > 50
    assert {row.code for row in rejected if row.reason == "header code"}.isdisjoint(
        system.billable_codes()
    )


@pytest.mark.slow
def test_a_string_never_has_two_codes(
    whole: tuple[dict[str, SpanPair], dict[str, AmbiguousString]], system: CodeSystem
) -> None:
    pairs, ambiguous = whole
    claimed: dict[str, str] = {}
    for text, pair in pairs.items():
        assert claimed.setdefault(string_key(text), pair.code) == pair.code
    assert len(claimed) == len(pairs)
    assert ambiguous["Eosinophilic granuloma"].codes == ("C96.6", "K13.4")
    assert all(len(row.codes) > 1 for row in ambiguous.values())
    assert set(map(string_key, ambiguous)).isdisjoint(claimed)
    assert set(claimed.values()) == set(system.billable_codes())


def test_codes_can_be_listed(tmp_path: Path, system: CodeSystem) -> None:
    builder = find_builder("icd10cm")
    config = configure(builder, {"codes": ["i214", "I10"]})
    made = read_span_pairs(build(builder, config, tmp_path / "named", system).data)
    assert {pair.code for pair in made} == {"I21.4", "I10"}
    with pytest.raises(CclearnError, match=r"I99\.99"):
        build(builder, configure(builder, {"codes": ["I99.99"]}), tmp_path / "x", system)


@pytest.mark.slow
def test_a_partial_build_is_a_subset_of_the_full_build(
    pairs: Path, whole: tuple[dict[str, SpanPair], dict[str, AmbiguousString]]
) -> None:
    assert {(pair.text, pair.code) for pair in read_span_pairs(pairs)} <= {
        (pair.text, pair.code) for pair in whole[0].values()
    }


def test_notes_cite_exactly(pairs: Path, tmp_path: Path, system: CodeSystem) -> None:
    # CodedNote itself refuses evidence that is not the words at its offsets.
    made = notes(pairs, tmp_path / "notes", system)
    assert len(made) == 200
    strings = {pair.text.casefold(): pair.code for pair in read_span_pairs(pairs)}
    exact = misspelt = twice = empty = 0
    for note in made:
        empty += not note.codes
        for assigned in note.codes:
            twice += len(assigned.evidence) > 1
            for evidence in assigned.evidence:
                code = strings.get(evidence.text.casefold())
                assert code in (assigned.code, None)
                exact += code is not None
                misspelt += code is None
    assert empty > 5
    assert twice > 20
    assert exact > 5 * misspelt > 0


def test_distractors_are_not_credited_and_read_as_such(
    pairs: Path, tmp_path: Path, system: CodeSystem
) -> None:
    made = notes(pairs, tmp_path / "notes", system, noise=0, distractors=3)
    strings = {pair.text.casefold() for pair in read_span_pairs(pairs)}
    cues = ("no evidence of", "ruled out", "family history of", "return if", "denies")
    distracted = [note for note in made if any(cue in note.text.lower() for cue in cues)]
    assert len(distracted) > 25
    for note in made:
        rules = AssertionRules(note.text)
        for assigned in note.codes:
            for evidence in assigned.evidence:
                assert evidence.text.casefold() in strings
                assert rules.assertion_of(evidence.start, evidence.end) in CODED_ASSERTIONS


def test_other_templates_make_longer_notes(pairs: Path, tmp_path: Path, system: CodeSystem) -> None:
    short, long = (
        notes(pairs, tmp_path / name, system, notes=50, templates=templates)
        for name, templates in (("short", ["brief_summary"]), ("long", []))
    )
    assert sum(len(note.text) for note in long) > 1.5 * sum(len(note.text) for note in short)
    with pytest.raises(ConfigurationError, match=r"templates = brief\): not known"):
        notes(pairs, tmp_path / "none", system, templates=["brief"])


def test_the_same_seed_gives_the_same_bytes(
    pairs: Path, tmp_path: Path, system: CodeSystem
) -> None:
    one = notes(pairs, tmp_path / "one", system, seed=5)
    two = notes(pairs, tmp_path / "two", system, seed=5)
    first, second = ((tmp_path / name / "notes.jsonl").read_bytes() for name in ("one", "two"))
    assert first == second
    assert one == two
    assert notes(pairs, tmp_path / "three", system, seed=6) != one
    # A note depends on the seed and its own number alone.
    assert notes(pairs, tmp_path / "four", system, seed=5, notes=10) == one[:10]


@pytest.mark.slow
def test_reserved_strings_are_kept_back(pairs: Path, tmp_path: Path, system: CodeSystem) -> None:
    def used(found: list[CodedNote]) -> set[str]:
        return {e.text.casefold() for note in found for a in note.codes for e in a.evidence}

    few = used(notes(pairs, tmp_path / "few", system, notes=2000, noise=0, reserved=0.5))
    many = used(notes(pairs, tmp_path / "many", system, notes=5000, noise=0))
    assert few < many


def test_a_tests_notes_are_avoided(pairs: Path, tmp_path: Path, system: CodeSystem) -> None:
    known = notes(pairs, tmp_path / "known", system, notes=50)
    avoid = str(tmp_path / "known" / "notes.jsonl")
    other = notes(pairs, tmp_path / "other", system, notes=60, avoid=avoid)
    assert {note.text for note in known}.isdisjoint(note.text for note in other)
    assert len((tmp_path / "other" / "rejected.jsonl").read_text().splitlines()) >= 50


def test_variants_follow_their_pair(system: CodeSystem) -> None:
    builder = find_builder("icd10cm")
    plain = list(builder.rows(configure(builder, {"under": "I21"}), system))
    varied = list(builder.rows(configure(builder, {"under": "I21", "variants": 4}), system))
    assert [
        row for row in varied if not str(getattr(row, "source", "")).endswith("+variant")
    ] == plain
    codes = {row.id: row.code for row in plain if isinstance(row, SpanPair)}
    made = [row for row in varied if isinstance(row, SpanPair) and "-variant-" in row.id]
    assert 3 * len(codes) < len(made) <= 4 * len(codes)
    for row in made:
        assert row.code == codes[row.id.partition("-variant-")[0]]
        assert row.source.endswith("+variant")
    assert len({(row.text, row.code) for row in made}) == len(made)


def test_only_the_requested_codes_are_built(
    pairs: Path, tmp_path: Path, system: CodeSystem
) -> None:
    made = notes(pairs, tmp_path / "some", system, codes=["i214", "I25.2", "Z00.00"])
    assert {assigned.code for note in made for assigned in note.codes} == {"I21.4", "I25.2"}
    (rejected,) = (tmp_path / "some" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected)["code"] == "Z00.00"


def test_a_folder_is_described_by_its_files(
    pairs: Path, tmp_path: Path, system: CodeSystem
) -> None:
    folder = pairs.parent
    names = {path.name for path in folder.iterdir()}
    assert names == {
        ".cclearn.json",
        "pairs.jsonl",
        "pairs.parquet",
        "rejected.jsonl",
        "ambiguous.jsonl",
        "stats.json",
        "manifest.json",
        "README.md",
        "coverage.png",
    }
    assert list(read_span_pairs(folder / "pairs.parquet")) == list(read_span_pairs(pairs))
    stats = json.loads((folder / "stats.json").read_text())
    assert stats["rows"] == len(pairs.read_text().splitlines())
    assert sum(stats["rejected"].values()) == len(
        (folder / "rejected.jsonl").read_text().splitlines()
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["code_system"]["release"] == system.release
    assert manifest["config"] == {
        "seed": 0,
        "under": "I20-I25",
        "codes": None,
        "headers": "reject",
        "variants": 0,
        "noise": WEIGHTS,
        "abbreviations": None,
    }
    assert f"| rows | {stats['rows']} |" in (folder / "README.md").read_text()
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    assert list(loaded["train"]["id"]) == [pair.id for pair in read_span_pairs(pairs)]


def test_a_folder_is_replaced_only_on_request(pairs: Path, system: CodeSystem) -> None:
    builder = find_builder("icd10cm")
    config = configure(builder, {"under": "I21"})
    before = pairs.read_bytes()
    with pytest.raises(CclearnError, match="--overwrite"):
        build(builder, config, pairs.parent, system)
    assert pairs.read_bytes() == before


def test_a_failed_build_leaves_nothing(tmp_path: Path, system: CodeSystem) -> None:
    builder = find_builder("template_notes")
    config = configure(builder, {"pairs": str(tmp_path / "gone.jsonl"), "notes": 1})
    with pytest.raises(CclearnError, match=r"gone\.jsonl: no such file"):
        build(builder, config, tmp_path / "out", system)
    assert list(tmp_path.iterdir()) == []


def test_all_problems_of_settings_are_reported_together() -> None:
    builder = find_builder("template_notes")
    with pytest.raises(ConfigurationError) as error:
        configure(builder, {"note": 3, "noise": 7})
    assert "note: unknown setting. Did you mean 'notes'?" in str(error.value)
    assert "pairs: missing" in str(error.value)
    assert "noise: " in str(error.value)
    for noise, message in (
        ({"swop": 1}, "swop: no such transform. Did you mean 'swap'?"),
        ({"swap": 0}, "no transform has a weight above 0"),
        ({"swap": -1}, "noise.swap: "),
    ):
        with pytest.raises(ConfigurationError) as error:
            configure(find_builder("icd10cm"), {"noise": noise})
        assert message in str(error.value)
    with pytest.raises(ConfigurationError, match="Did you mean 'icd10cm'"):
        find_builder("icd10")
    assert [find_builder(name).name for name in builder_names()] == builder_names()
