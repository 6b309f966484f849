from __future__ import annotations

from pathlib import Path

from cclearn.audit.overlap import find_overlap
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from tests.audit.corpora import BOILERPLATE, note_set, random_text


def test_copies_and_passages_are_found(tmp_path: Path, system: CodeSystem) -> None:
    real = [random_text(f"real {n}", with_boilerplate=True) for n in range(60)]
    passage = " ".join(real[5].split()[-60:])
    audited = [
        real[3].upper().replace(".", " ;"),  # The same words.
        f"{random_text('own')} {passage}",
        f"{random_text('short')} {' '.join(real[5].split()[-40:])}",
        *(random_text(f"synthetic {n}", with_boilerplate=True) for n in range(40)),
        "",
    ]
    found = find_overlap(
        note_set(tmp_path / "a.jsonl", audited, system),
        note_set(tmp_path / "r.jsonl", [*real, ""], system),
        AuditSettings(),
    )
    assert found.copies.notes == ("a-0",)
    assert found.passages.notes == ("a-1",)
    assert [check.passed for check in found.checks] == [False, False]
    assert found.overlapping == 3
    assert found.common_grams >= len(BOILERPLATE.split()) - 12
    assert 0 < found.shared_grams < found.grams


def test_disjoint_notes_with_common_phrases_pass(tmp_path: Path, system: CodeSystem) -> None:
    real = [random_text(f"real {n}", with_boilerplate=True) for n in range(30)]
    audited = [random_text(f"synthetic {n}", with_boilerplate=True) for n in range(30)]
    notes = note_set(tmp_path / "a.jsonl", audited, system)
    reference = note_set(tmp_path / "r.jsonl", real, system)
    found = find_overlap(notes, reference, AuditSettings())
    assert [check.passed for check in found.checks] == [True, True]
    assert found.shared_grams == found.overlapping == 0
    # If nothing is common, the phrase of 26 words is a passage.
    strict = AuditSettings(common=30, passage=20)
    assert len(find_overlap(notes, reference, strict).passages.notes) == 30


def test_the_limits_decide(tmp_path: Path, system: CodeSystem) -> None:
    text = random_text(1)
    notes = note_set(tmp_path / "a.jsonl", [text], system)
    found = find_overlap(notes, notes, AuditSettings(most_copies=1))
    assert found.copies.passed
    assert found.copies.limit == 1
    assert found.passages.found == 0  # A copy is not counted again.


def test_short_notes_are_no_copies(tmp_path: Path, system: CodeSystem) -> None:
    text = " ".join(random_text(1).split()[:19])
    notes = note_set(tmp_path / "a.jsonl", [text, f"{text} more"], system)
    assert find_overlap(notes, notes, AuditSettings()).copies.notes == ("a-1",)
    assert find_overlap(notes, notes, AuditSettings(least_copied=19)).copies.found == 2
