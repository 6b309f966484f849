from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cclearn.audit.canaries import CanaryFile, find_canaries, new_canaries, plant
from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.notes.jsonl import read_coded_notes
from tests.audit.corpora import note, note_set


def test_canaries_are_planted_and_their_file_is_private(tmp_path: Path, system: CodeSystem) -> None:
    rows = [note(f"n{n}", f"Asthma, visit {n}.", ("J45.909", "Asthma")) for n in range(30)]
    notes = note_set(tmp_path / "real.jsonl", rows, system)
    canaries = new_canaries(5, repeats=2, seed=1)
    secrets = tmp_path / "kept" / "canaries.json"
    assert plant(notes, canaries, tmp_path / "planted", secrets) == 30
    assert CanaryFile.read(secrets) == canaries
    assert secrets.stat().st_mode & 0o777 == 0o600
    planted = tmp_path / "planted" / "notes.jsonl"
    assert planted.stat().st_mode & 0o777 == 0o600
    written = list(read_coded_notes(planted, system))  # The evidence is still in the notes.
    different = [new for new, old in zip(written, rows, strict=True) if new.text != old.text]
    assert len(different) == 10
    assert all(new.text.splitlines()[0].startswith("Asthma, visit") for new in different)
    found = find_canaries(note_set(tmp_path / "again.jsonl", written, system), canaries, 0)
    assert (found.repeated.found, len(found.repeated.notes), found.planted) == (5, 10, 5)
    again = tmp_path / "again"
    plant(notes, new_canaries(5, 2, 1), again, tmp_path / "again.json")
    assert (again / "notes.jsonl").read_bytes() == planted.read_bytes()


def test_secrets_are_kept_away_from_the_notes(tmp_path: Path, system: CodeSystem) -> None:
    notes = note_set(tmp_path / "real.jsonl", ["a", "b"], system)
    canaries = new_canaries(1, 1, 0)
    with pytest.raises(ConfigurationError, match="must not be trained on it"):
        plant(notes, canaries, tmp_path / "out", tmp_path / "out" / "canaries.json")
    with pytest.raises(ConfigurationError, match=r"3 notes are needed, and there are 2\."):
        plant(notes, new_canaries(3, 1, 0), tmp_path / "out", tmp_path / "canaries.json")
    assert not (tmp_path / "out").exists()
    (tmp_path / "canaries.json").write_text("{}")
    with pytest.raises(CclearnError, match="--overwrite"):
        plant(notes, canaries, tmp_path / "out", tmp_path / "canaries.json")


def test_other_separators_are_found_and_other_secrets_are_not(
    tmp_path: Path, system: CodeSystem
) -> None:
    canaries = CanaryFile(
        sentence="Filed under number {secret}.",
        pattern="??-######",
        secrets=("AB-123456", "CD-654321"),
        repeats=1,
    )
    texts = ["Number ab 123456.", "AB123456", "AB-123457", "XAB-123456", "no"]
    found = find_canaries(note_set(tmp_path / "a.jsonl", texts, system), canaries, 0).repeated
    assert (found.found, found.notes, found.passed) == (1, ("a-0", "a-1"), False)


def test_formats_are_random_and_candidates_are_new() -> None:
    formats = {(c.sentence, c.pattern) for c in (new_canaries(1, 1, n) for n in range(20))}
    assert len(formats) > 3
    canaries = new_canaries(10, 1, 0)
    assert canaries == new_canaries(10, 1, 0)
    candidates = canaries.candidates(200, 0)
    assert len(set(candidates)) == 200
    assert not set(candidates) & set(canaries.secrets)
    shape = re.sub(r"\\-", "-", re.escape(canaries.pattern))
    shape = shape.replace(r"\?", "[A-Z]").replace(r"\#", r"\d")
    assert all(re.fullmatch(shape, secret) for secret in (*canaries.secrets, *candidates))
    small = CanaryFile(sentence="{secret}", pattern="#", secrets=("3",), repeats=1)
    assert sorted(small.candidates(100, 0)) == sorted(set("0123456789") - {"3"})
    assert small.bits == pytest.approx(3.3219, abs=1e-4)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sentence": "no place", "pattern": "#", "secrets": ["SECRET-1"], "repeats": 1},
        {"sentence": "{secret} {0}", "pattern": "#", "secrets": ["SECRET-1"], "repeats": 1},
        {"sentence": "{secret}", "pattern": "#" * 99, "secrets": ["SECRET-1"], "repeats": 1},
    ],
)
def test_other_files_are_refused_without_a_secret(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(DataError) as refused:
        CanaryFile.read(path)
    assert "not a file of canaries" in str(refused.value)
    assert "SECRET" not in str(refused.value)
