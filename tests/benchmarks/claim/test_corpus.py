from __future__ import annotations

from pathlib import Path

from benchmarks.claim.corpus import describe, negated_pairs
from benchmarks.claim.data import read_split
from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence
from tests.benchmarks.claim.corpus import write_corpus


def test_a_split_is_described(tmp_path: Path, system: CodeSystem) -> None:
    split = read_split(write_corpus(tmp_path), "dev", 5, False, system)
    found = describe(split, system)
    assert found["documents"] == 5
    assert found["characters"] == round(sum(len(note.text) for note in split.documents) / 5)
    assert found["codes_of_100_documents"] == 0
    of_spans = split.span_only_codes
    codes = [a.code for note in split.evaluation for a in note.codes if a.code in of_spans]
    assert found["span_only_pairs"] == len([code for code in codes if system.is_billable(code)])
    assert found["span_only_codes"] == len({code for code in codes if system.is_billable(code)})


def test_pairs_are_negated_if_all_their_evidence_is() -> None:
    text = "No asthma. No gout, but later gout."

    def cited(code: str, *spans: tuple[int, int]) -> AssignedCode:
        evidence = [Evidence(start=a, end=b, text=text[a:b]) for a, b in spans]
        return AssignedCode(code=code, evidence=evidence)

    codes = [cited("J45.909", (3, 9)), cited("M10.9", (14, 18), (30, 34)), cited("I10")]
    assert negated_pairs([CodedNote(id="n", text=text, codes=codes)]) == 1
