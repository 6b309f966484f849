from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.audit.duplicates import count_repeats, find_near_duplicates
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from tests.audit.corpora import changed, note_set, random_text


def test_near_copies_are_found_and_exact_ones_left_out(tmp_path: Path, system: CodeSystem) -> None:
    real = [random_text(f"real {n}", with_boilerplate=True) for n in range(60)]
    audited = [
        *(changed(real[n], every=20) for n in range(10)),
        real[20],
        *(random_text(f"synthetic {n}", with_boilerplate=True) for n in range(40)),
    ]
    found = find_near_duplicates(
        note_set(tmp_path / "a.jsonl", audited, system),
        note_set(tmp_path / "r.jsonl", real, system),
        AuditSettings(),
        copies=("a-10",),
    )
    assert found.near_duplicates.notes == tuple(f"a-{n}" for n in range(10))
    assert not found.near_duplicates.passed
    assert found.unjudged == 40


def test_the_similarity_decides(tmp_path: Path, system: CodeSystem) -> None:
    real = [random_text(n) for n in range(20)]
    # One word in twenty is another one, so that about four of five 4-grams are the same.
    notes = note_set(tmp_path / "a.jsonl", [changed(real[0], every=20)], system)
    reference = note_set(tmp_path / "r.jsonl", real, system)
    for similarity, expected in ((0.5, 1), (0.95, 0)):
        settings = AuditSettings(similarity=similarity)
        found = find_near_duplicates(notes, reference, settings)
        assert found.near_duplicates.found == expected


def test_repeats_within_a_corpus_are_estimated(tmp_path: Path, system: CodeSystem) -> None:
    texts = [random_text(n) for n in range(30)]
    notes = note_set(tmp_path / "a.jsonl", [*texts, *texts[:7], "", "", "Asthma."], system)
    assert count_repeats(notes) == 7
    assert count_repeats(note_set(tmp_path / "none.jsonl", [], system)) == 0


def test_datasketch_is_asked_for(
    tmp_path: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cclearn.audit.duplicates.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'cclearn\[audit\]'"):
        count_repeats(note_set(tmp_path / "a.jsonl", ["a"], system))


def test_a_long_diagnosis_makes_short_notes_no_near_duplicates(
    tmp_path: Path, system: CodeSystem
) -> None:
    diagnosis = random_text("diagnosis", 24)
    real = [random_text(n) for n in range(20)] + [f"{random_text('theirs', 10)} {diagnosis}"]
    notes = note_set(tmp_path / "a.jsonl", [f"{random_text('ours', 40)} {diagnosis}"], system)
    reference = note_set(tmp_path / "r.jsonl", real, system)
    assert find_near_duplicates(notes, reference, AuditSettings()).near_duplicates.found == 0
    lower = AuditSettings(similarity=0.3)
    assert find_near_duplicates(notes, reference, lower).near_duplicates.found == 1
