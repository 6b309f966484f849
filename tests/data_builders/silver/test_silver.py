from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence, SpanPair
from cclearn.notes.jsonl import read_coded_notes, read_rows, write_rows
from data_builders.builder import configure, find_builder
from data_builders.output import BuildResult, build
from data_builders.silver.nearest import NearestEvidence, string_scores


def note(identifier: str, text: str, codes: dict[str, list[str]]) -> CodedNote:
    """Return a note whose codes cite the first occurrence of each quote."""
    return CodedNote(
        id=identifier,
        text=text,
        codes=[
            AssignedCode(
                code=code,
                evidence=[
                    Evidence(start=text.index(q), end=text.index(q) + len(q), text=q)
                    for q in quotes
                ],
            )
            for code, quotes in codes.items()
        ],
    )


@pytest.fixture(scope="module")
def nearest(system: CodeSystem) -> NearestEvidence:
    """The evidence of the strings of the code system alone."""
    return NearestEvidence(system)


def found(nearest: NearestEvidence, text: str, code: str) -> list[tuple[str, str]]:
    (pieces,) = nearest.find(text, [code])
    assert all(0 < piece.score <= 1 for piece in pieces)
    return [(text[piece.start : piece.end], piece.source) for piece in pieces]


def test_strings_of_other_notes_come_first(system: CodeSystem) -> None:
    notes = [
        note("1", "El paciente refiere dolor de pecho.", {"R07.9": ["dolor de pecho"]}),
        note("2", "Dolor de pecho; dolor.", {"R07.9": ["Dolor de pecho"], "R52": ["dolor."]}),
    ]
    nearest = NearestEvidence(system, notes, "off")
    text = "Con DOLOR de  pecho y dolor de\npecho. Sin fiebre."
    assert found(nearest, text, "R07.9") == [
        ("DOLOR de  pecho", "evidence"),
        ("dolor de\npecho", "evidence"),
    ]


def test_the_score_of_a_string_is_the_share_that_is_evidence() -> None:
    notes = [
        note("1", "Pain. Pain. Pain.", {"R52": ["Pain"]}),
        note("2", "Pain.", {"R07.9": ["Pain"]}),  # Another code does not count.
    ]
    assert string_scores(notes)["R52"] == {("pain",): pytest.approx(1.5 / 4)}
    assert string_scores(notes)["R07.9"] == {("pain",): pytest.approx(1.5 / 2)}


def test_the_lexicon_finds_the_code_or_one_of_its_category(nearest: NearestEvidence) -> None:
    text = "No pneumonia. Acute on chronic systolic heart failure, HTN."
    assert found(nearest, text, "I10") == [("HTN", "lexicon")]
    ((quote, source),) = found(nearest, text, "I50.30")
    assert source == "lexicon"
    assert "heart failure" in quote
    assert "pneumonia" not in [quote for quote, _ in found(nearest, text, "J18.9")]


def test_misspelt_words_are_found_by_their_characters(nearest: NearestEvidence) -> None:
    text = "Past: appendicitiss, gout. Denies rheumatoid artritis of the hand."
    assert found(nearest, text, "K37") == [("appendicitiss", "characters")]
    # Neither is a word more or less than a negated mention.
    text = "An appendicitiss was ruled out, and there were no signs of appendicitiss here."
    assert found(nearest, text, "K37") == []
    assert nearest.find("", ["K37"]) == [[]]
    assert nearest.find("? - !", ["K37"]) == [[]]


def run(tmp_path: Path, system: CodeSystem, name: str, **settings: object) -> BuildResult:
    builder = find_builder("silver")
    config = configure(builder, {"notes": str(tmp_path / "notes.jsonl"), **settings})
    return build(builder, config, tmp_path / name, system)


def test_a_build_writes_notes_and_pairs(tmp_path: Path, system: CodeSystem) -> None:
    cited = note("a", "Asthma and gout.", {"J45.909": [], "M10.9": ["gout"], "S72.001A": []})
    other = note("b", "Well.", {"I10": []}).model_copy(update={"origin": "public"})
    cited = cited.model_copy(update={"metadata": {"age": 7}})
    write_rows(tmp_path / "notes.jsonl", [cited, other, note("c", "HTN.", {"I10": []})])
    result = run(tmp_path, system, "silver", least=0.6)
    notes = list(read_coded_notes(result.folder / "notes.jsonl", system))
    # Parquet contains metadata only if it is text and every note has it.
    bare = [n.model_copy(update={"metadata": {}}) for n in notes]
    assert list(read_rows(result.folder / "notes.parquet", CodedNote)) == bare != notes
    quotes = [{a.code: [e.text for e in a.evidence] for a in n.codes} for n in notes]
    assert quotes == [
        {"J45.909": ["Asthma"], "M10.9": ["gout"], "S72.001A": []},
        {"I10": []},
        {"I10": ["HTN"]},
    ]
    assert notes[0].codes[1] == cited.codes[1]
    assert notes[0].codes[0].flags == ["silver: found by lexicon (0.90)"]
    pairs = list(read_rows(result.folder / "pairs.jsonl", SpanPair))
    assert list(read_rows(result.folder / "pairs.parquet", SpanPair)) == pairs
    assert [(p.id, p.text, p.code, p.grade, p.source) for p in pairs] == [
        ("silver-1", "Asthma", "J45.909", "silver", "silver/lexicon"),
        ("silver-2", "HTN", "I10", "silver", "silver/lexicon"),
    ]
    lines = (result.folder / "rejected.jsonl").read_text().splitlines()
    rejected = [(row["text"], row["code"]) for row in map(json.loads, lines)]
    assert rejected == [("a", "S72.001A"), ("b", "I10")]
    card = (result.folder / "README.md").read_text()
    assert "- config_name: pairs\n  data_files: pairs.parquet\n" in card


def test_codes_that_are_not_billable_can_be_left_out_of_the_pairs(
    tmp_path: Path, system: CodeSystem
) -> None:
    text = "Asthma and gout."
    write_rows(tmp_path / "notes.jsonl", [note("a", text, {"J45": [], "M10.9": []})])
    every = run(tmp_path, system, "every")
    assert [p.code for p in read_rows(every.folder / "pairs.jsonl", SpanPair)] == ["J45", "M10.9"]
    billable = run(tmp_path, system, "billable", billable_pairs=True)
    (pair,) = read_rows(billable.folder / "pairs.jsonl", SpanPair)
    assert (pair.id, pair.code) == ("silver-1", "M10.9")
    (rejected,) = (billable.folder / "rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected)["code"] == "J45"
    (coded,) = read_coded_notes(billable.folder / "notes.jsonl", system)
    assert [len(a.evidence) for a in coded.codes] == [1, 1]


@pytest.mark.slow
def test_processes_do_not_change_the_bytes(tmp_path: Path, system: CodeSystem) -> None:
    texts = ["Asthma. HTN.", "Gout, htn", "asthmatic, hypertensive", "Nothing."]
    write_rows(
        tmp_path / "notes.jsonl",
        [note(str(n), texts[n % 4], {"I10": [], "J45.909": []}) for n in range(120)],
    )
    one, two = (run(tmp_path, system, f"w{n}", workers=n) for n in (1, 2))
    for name in ("notes.jsonl", "pairs.jsonl", "rejected.jsonl", "stats.json"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()
