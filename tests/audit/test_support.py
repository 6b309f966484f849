from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.audit.settings import AuditSettings
from cclearn.audit.support import check_support, find_code_texts
from cclearn.codes import CodeSystem
from tests.audit.corpora import note, note_set


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("NSTEMI (I21.4).", [], ["I21.4"]),
        ("Coded as i214 and I10.", ["I21.4", "I10"], ["i214", "I10"]),
        ("Range C7A.022-C7A.025.", [], ["C7A.022", "C7A.025"]),
        ("Injury at T12, vitamin B12, I10 and J45.", [], []),
        ("Version V1.5, e.g. 3.5 mg of K2.5 or pH 7.35.", [], []),
    ],
)
def test_codes_in_texts_are_found(
    text: str, labels: list[str], expected: list[str], system: CodeSystem
) -> None:
    coded = note("n", text, *((label, "") for label in labels))
    assert [text[start:end] for start, end in find_code_texts(coded, system)] == expected


def test_labels_need_evidence_and_texts_no_codes(tmp_path: Path, system: CodeSystem) -> None:
    rows = [
        note("good", "Asthma and hypertension.", ("J45.909", "Asthma"), ("I10", "hypertension")),
        note("uncited", "Asthma and pneumonia.", ("J45.909", ""), ("J18.9", "pneumonia")),
        note("told", "Pneumonia J18.9.", ("J18.9", "Pneumonia")),
        note("unlabelled", "Admitted with pneumonia. No asthma."),
    ]
    found = check_support(note_set(tmp_path / "a.jsonl", rows, system), AuditSettings())
    assert found.unsupported.notes == ("uncited",)
    assert found.code_texts.notes == ("told",)
    assert (found.labels, found.unsupported_labels) == (5, 1)
    assert found.found is not None
    assert found.found.notes == 4
    assert (found.found.codes, found.found.unlabelled) == (6, 1)
    assert found.found.notes_with_unlabelled == 1
    assert found.found.labels_found == 5
    off = AuditSettings(lexicon_notes=0)
    assert check_support(note_set(tmp_path / "b.jsonl", rows, system), off).found is None
