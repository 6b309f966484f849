from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cclearn.audit.grams import hash_of
from cclearn.audit.identifiers import Identifier
from cclearn.audit.leaks import Leak, find_leaks
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from tests.audit.corpora import note_set, random_text

REFERENCE = [
    "Name: Doe, Jane. MRN 48213377. Admitted 03/12/2021.",
    "Seen by Dr. Quux. Call (212) 555-0187.",
    *(f"{random_text(n)} Ward 555-000-1111." for n in range(20)),
]

AUDITED = [
    "Reported by Jane Doe.",
    "Number 48213377, and again 48213377.",
    "Dr. Quux was called on 12 March 2021.",
    "Quux is no name here. Ward 555-000-1111.",
    "Number 48213378. Dr. Other.",
]


def test_identifiers_of_the_reference_are_found(tmp_path: Path, system: CodeSystem) -> None:
    notes = note_set(tmp_path / "a.jsonl", AUDITED, system)
    reference = note_set(tmp_path / "r.jsonl", REFERENCE, system)
    leaks = find_leaks(notes, reference, AuditSettings())
    assert leaks.places == (
        Leak("a-0", "name", 12, 20),
        Leak("a-1", "number", 7, 15),
        Leak("a-1", "number", 27, 35),
        Leak("a-2", "name", 4, 8),
        Leak("a-2", "date", 23, 36),
    )
    assert leaks.leaking.notes == ("a-0", "a-1", "a-2")
    assert leaks.kinds == {"date": 1, "name": 2, "number": 2}
    assert leaks.common == 1
    assert not leaks.leaking.passed


def test_only_listed_kinds_count(tmp_path: Path, system: CodeSystem) -> None:
    notes = note_set(tmp_path / "a.jsonl", ["On 12 March 2021."], system)
    reference = note_set(tmp_path / "r.jsonl", REFERENCE, system)
    leaks = find_leaks(notes, reference, AuditSettings())
    assert (leaks.leaking.passed, len(leaks.places)) == (True, 1)
    dates = AuditSettings(identifiers=("date",))
    assert find_leaks(notes, reference, dates).leaking.notes == ("a-0",)


def test_other_recognisers_always_count(tmp_path: Path, system: CodeSystem) -> None:
    def colours(text: str) -> Iterator[Identifier]:
        if (start := text.find("teal")) >= 0:
            yield Identifier("colour", start, start + 4, hash_of("teal"))

    notes = note_set(tmp_path / "a.jsonl", ["A teal bruise."], system)
    reference = note_set(tmp_path / "r.jsonl", ["Skin teal."], system)
    leaks = find_leaks(notes, reference, AuditSettings(), [colours])
    assert leaks.places == (Leak("a-0", "colour", 2, 6),)
    assert not leaks.leaking.passed


def test_no_value_is_kept(tmp_path: Path, system: CodeSystem) -> None:
    notes = note_set(tmp_path / "a.jsonl", AUDITED, system)
    reference = note_set(tmp_path / "r.jsonl", REFERENCE, system)
    shown = repr(find_leaks(notes, reference, AuditSettings()))
    assert not any(value in shown for value in ("Doe", "Quux", "48213377", "2021"))
