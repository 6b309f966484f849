from __future__ import annotations

import zlib
from pathlib import Path

from cclearn.audit.diversity import compare_diversity, diversity_of
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from tests.audit.corpora import note_set, random_text


def test_measures_follow_their_definitions() -> None:
    shared = "one two three four five six seven eight nine ten"
    texts = [f"{shared} alpha", f"{shared} beta", random_text(1, 11)]
    found = diversity_of(texts)
    joined = "\n".join(texts).encode()
    assert found.compression_ratio == len(joined) / len(zlib.compress(joined, 9))
    assert found.self_repetition == 2 / 6
    assert found.distinct_openings == 2 / 3


def test_corpora_are_compared_at_equal_lengths(tmp_path: Path, system: CodeSystem) -> None:
    varied = [random_text(n, 200) for n in range(50)]
    same = [random_text(n % 5, 60) for n in range(40)]
    notes = note_set(tmp_path / "a.jsonl", same, system)
    reference = note_set(tmp_path / "r.jsonl", varied, system)
    found = compare_diversity(notes, reference, AuditSettings())
    assert (found.notes, found.words) == (40, 60)
    assert found.audited is not None
    assert found.reference is not None
    assert found.audited.self_repetition == 1
    assert found.reference.self_repetition == 0
    assert found.audited.distinct_openings == 5 / 40
    assert found.repeats == 35
    assert found.compression is not None
    assert found.compression.found > 3
    assert found.compression.passed is None
    strict = AuditSettings(largest_compression=1.5)
    assert [c.passed for c in compare_diversity(notes, reference, strict).checks] == [False]
    alone = compare_diversity(reference, None, AuditSettings(diversity_notes=20))
    assert (alone.notes, alone.words, alone.reference, alone.checks) == (20, 200, None, ())


def test_empty_notes_have_no_diversity(tmp_path: Path, system: CodeSystem) -> None:
    notes = note_set(tmp_path / "a.jsonl", ["", "", ""], system)
    assert compare_diversity(notes, None, AuditSettings()).audited is None
