from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.errors import DataError
from cclearn.notes import AssignedCode, CodedNote, Evidence, SpanPair
from cclearn.notes.jsonl import read_span_pairs, write_rows
from data_builders.builder import RejectedRow, configure, find_builder
from data_builders.output import build


def coded(identifier: str, text: str, *cited: tuple[str, str], **fields: str) -> CodedNote:
    """Return a note in which each code has the words that are given with it."""
    codes = []
    for code, words in cited:
        start = text.index(words)
        evidence = [Evidence(start=start, end=start + len(words), text=words)] if words else []
        codes.append(AssignedCode(code=code, evidence=evidence))
    return CodedNote(id=identifier, text=text, codes=codes, **fields)  # type: ignore[arg-type]


def test_each_piece_of_evidence_is_a_pair(tmp_path: Path, system: CodeSystem) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    write_rows(
        one,
        [
            coded(
                "a", "Fiebre y dolor\n torácico.", ("R50.9", "Fiebre"), ("r079", "dolor\n torácico")
            ),
            coded("b", "Fiebre.", ("R50.9", "Fiebre"), origin="public"),
        ],
    )
    other = AssignedCode(code="I10", system="mine")
    note = coded("c", "fiebre", ("A01.00", "fiebre"), ("I10", ""), ("I50", ""), ("Z99.999", ""))
    no_fever = coded("d", "sin fiebre", ("R50.9", "fiebre"), ("I15.0", " ")).codes
    negated = [no_fever[0].model_copy(update={"assertion": "negated"}), no_fever[1]]
    denied = CodedNote(id="d", text="sin fiebre", codes=negated)
    write_rows(two, [note.model_copy(update={"codes": [*note.codes, other]}), denied])
    builder = find_builder("note_evidence")
    config = configure(builder, {"files": [str(one), str(two)]})
    rows = list(builder.rows(config, system))
    pairs = [row for row in rows if isinstance(row, SpanPair)]
    assert [(pair.text, pair.code, pair.origin) for pair in pairs] == [
        ("Fiebre", "R50.9", "restricted"),
        ("dolor torácico", "R07.9", "restricted"),
        ("Fiebre", "R50.9", "public"),
        ("fiebre", "A01.00", "restricted"),
    ]
    assert {pair.grade for pair in pairs} == {"gold"}
    rejected = [row for row in rows if isinstance(row, RejectedRow)]
    assert Counter(row.reason for row in rejected) == {
        **{"no evidence": 2, "header code": 1, "unknown code": 1, "another code system": 1},
        "negated mention": 1,
    }
    # A built file is what the lexicon reads, and the most frequent code of a string wins.
    data = build(builder, config, tmp_path / "pairs", system).data
    lexicon = LexiconCoder(system, read_span_pairs(data, system))
    (code,) = lexicon.code("Tiene fiebre.").codes
    assert code.code == "R50.9"


def test_a_damaged_file_is_named(tmp_path: Path, system: CodeSystem) -> None:
    (tmp_path / "notes.jsonl").write_text("{")
    builder = find_builder("note_evidence")
    config = configure(builder, {"files": [str(tmp_path / "notes.jsonl")], "grade": "silver"})
    with pytest.raises(DataError, match=r"notes\.jsonl"):
        list(builder.rows(config, system))


def test_strings_that_are_long_or_rarely_evidence_are_rejected(
    tmp_path: Path, system: CodeSystem
) -> None:
    text = "Edad y edad y edad. Dolor que aparece al andar en el pecho. Tos."
    cited = [("R54", "Edad"), ("R07.9", "Dolor que aparece al andar en el pecho"), ("R05.9", "Tos")]
    write_rows(tmp_path / "notes.jsonl", [coded("a", text, *cited)])
    builder = find_builder("note_evidence")
    settings = {"files": [str(tmp_path / "notes.jsonl")], "longest": 20, "least_precision": 0.34}
    rows = list(builder.rows(configure(builder, settings), system))
    assert [(row.text, row.id) for row in rows if isinstance(row, SpanPair)] == [
        ("Tos", "note_evidence-3")
    ]
    assert [row.reason for row in rows if isinstance(row, RejectedRow)] == [
        "precision below 0.34",
        "more than 20 characters",
    ]
    settings["least_precision"] = 0.33  # One of three occurrences is evidence.
    rows = list(builder.rows(configure(builder, settings), system))
    assert [row.text for row in rows if isinstance(row, SpanPair)] == ["Edad", "Tos"]
