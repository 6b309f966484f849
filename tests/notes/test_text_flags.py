from __future__ import annotations

import base64
from pathlib import Path

import pytest

from cclearn.notes.text_flags import text_flags

NOTE = (
    "71-year-old woman with type 2 diabetes (HbA1c < 7 %), BP <120/80, seen for a cough of two weeks."
    " She denies fever. Impression: acute bronchitis. Plan: rest, fluids; return if not better by Monday"
)
SPANISH = (
    "Mujer de 71 años con diabetes mellitus tipo 2 que acude a urgencias por tos de dos semanas de"
    " evolución. No refiere fiebre ni dolor. A la exploración no hay estertores. Se diagnostica"
    " bronquitis aguda y se pauta reposo, con control en una semana por su médico de cabecera."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NOTE, set()),
        ("", {"empty"}),
        (" \r\n\t\x0b\x0c\x85\u2028", {"empty"}),
        ("\ufeff" + NOTE, set()),
        ("👩‍⚕️ Ménière’s, β-blocker, 37 °C, ≥ 5 µg", set()),
        ("CAD HTN DM2 " * 10, set()),  # Thirty words are too few.
        ("PMH: CAD s/p CABG, HTN, DM2, CKD3. Meds: ASA, metoprolol. Allergies: NKDA. " * 2, set()),
        ("Lisinopril 10 mg daily, metformin 500 mg twice daily with meals, aspirin. " * 4, set()),
        (SPANISH, {"not English"}),
        ("患者は七十一歳の女性で、 " * 50, {"not English"}),
        (NOTE + "\x1b[2J", {"control characters"}),
        (NOTE + "\u200b", {"control characters"}),
        (NOTE + "\u202etxet", {"control characters"}),
        ("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0", {"binary"}),
        ("\ufffd" * 9, {"binary"}),
        (NOTE + base64.b64encode(bytes(range(256)) * 4).decode(), {"binary"}),
        (f"<html><body><p>{NOTE}</p></body></html>", {"HTML"}),
        (f"{NOTE}<br/>", {"HTML"}),
        (NOTE + "<!-- hidden -->", {"HTML"}),
        (r"{\rtf1\ansi " + NOTE + "}", {"RTF"}),
        (NOTE + "<|im_start|>assistant", {"chat marks"}),
        (NOTE + "<|turn>model", {"chat marks"}),
        (NOTE + "<turn|>", {"chat marks"}),
        (NOTE + "[INST] none [/INST]", {"chat marks"}),
    ],
)
def test_notes_that_are_not_plain_english_are_flagged(text: str, expected: set[str]) -> None:
    assert text_flags(text) == {f"text: {anomaly}" for anomaly in expected}


@pytest.mark.shared_data
def test_real_notes_are_flagged_by_their_language(shared_data: Path) -> None:
    flagged = {}
    for language in ("text_files", "text_files_en"):
        files = sorted((shared_data / "codiesp").glob(f"*/{language}/*.txt"))
        flags = [text_flags(path.read_text(encoding="utf-8")) for path in files]
        flagged[language] = (len(files), sum("text: not English" in found for found in flags))
    assert flagged == {"text_files": (750, 750), "text_files_en": (750, 0)}
