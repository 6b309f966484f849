from __future__ import annotations

import pytest

from benchmarks.claim.dictionary import Dictionary
from cclearn.notes import AssignedCode, CodedNote, Evidence, Note, SpanPair


def pair(text: str, code: str) -> SpanPair:
    return SpanPair(
        id=f"{text} {code}",
        text=text,
        code=code,
        system="icd10cm",
        release="x",
        grade="gold",
        source="test",
        origin="public",
    )


def coded(text: str, **codes: str) -> CodedNote:
    assigned = [
        AssignedCode(
            code=code.replace("_", "."),
            evidence=[
                Evidence(start=text.index(words), end=text.index(words) + len(words), text=words)
            ],
        )
        for code, words in codes.items()
    ]
    return CodedNote(id="n", text=text, codes=assigned)


def spans(note: CodedNote) -> dict[str, list[str]]:
    return {a.code: [e.text for e in a.evidence] for a in note.codes}


def test_the_longest_string_and_its_most_frequent_code_are_taken() -> None:
    pairs = [
        pair("dolor", "R52"),
        pair("Dolor torácico", "R07.9"),
        pair("dolor torácico", "R07.9"),
        pair("dolor torácico", "R07.89"),
    ]
    dictionary = Dictionary(pairs, [])
    found = dictionary.code(Note(id="n", text="DOLOR torácico y dolor. Dolores."))
    assert spans(found) == {"R07.9": ["DOLOR torácico"], "R52": ["dolor"]}


def test_a_string_that_is_rarely_evidence_is_not_used() -> None:
    document = coded("edad edad edad edad edad edad tos", R54="edad", R05_9="tos")
    dictionary = Dictionary([pair("edad", "R54"), pair("tos", "R05.9")], [document])
    assert spans(dictionary.code(Note(id="n", text="edad, tos"))) == {"R05.9": ["tos"]}
    # Five occurrences, one of which is evidence: the precision is the least that is accepted.
    document = coded("edad edad edad edad edad", R54="edad")
    dictionary = Dictionary([pair("edad", "R54")], [document])
    assert spans(dictionary.code(Note(id="n", text="edad"))) == {"R54": ["edad"]}


def test_ties_do_not_depend_on_the_order_of_the_pairs() -> None:
    pairs = [pair("tos", "R05.9"), pair("tos", "R05.8")]
    note = Note(id="n", text="tos")
    assert Dictionary(pairs, []).code(note) == Dictionary(pairs[::-1], []).code(note)


def test_a_code_has_the_best_score_of_its_strings() -> None:
    document = coded("tos y edad, edad", R05_9="tos", R54="edad")
    pairs = [pair("tos", "R05.9"), pair("edad", "R54"), pair("edad", "R54"), pair("edad", "Z00.00")]
    found = Dictionary(pairs, [document]).code(Note(id="n", text="edad y tos"))
    # "edad" is evidence in one of two places, and two of its three pairs have the code.
    assert {a.code: a.score for a in found.codes} == {"R05.9": 1.0, "R54": pytest.approx(1 / 3)}
