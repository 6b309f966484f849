from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_rows
from data_builders.builder import configure, find_builder
from data_builders.output import build

ROWS = "".join(f"{n},p{n // 3},Heart failure {n}.,I50.9;I10\n" for n in range(60))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "notes.csv"
    path.write_text("visit,patient,body,icd\n" + ROWS + "x,p0,,I10\n", encoding="utf-8")
    return path


def settings(table: Path, **others: object) -> dict[str, object]:
    return {"file": str(table), "id": "visit", "text": "body", "codes": "icd", **others}


def test_a_table_becomes_coded_notes(table: Path, tmp_path: Path, system: CodeSystem) -> None:
    builder = find_builder("corpus")
    config = configure(builder, settings(table))
    result = build(builder, config, tmp_path / "notes", system)
    notes = list(read_rows(result.data, CodedNote))
    assert [note.id for note in notes] == [str(n) for n in range(60)]
    assert {note.origin for note in notes} == {"restricted"}
    assert list(read_rows(result.data.with_suffix(".parquet"), CodedNote)) == notes
    assert result.stats["codes of notes"] == result.stats["codes without evidence"] == 120
    (rejected,) = (tmp_path / "notes" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected) == {
        "schema_version": 1,
        "text": "x",
        "code": "",
        "reason": "the note has no text",
        "detail": "line 62",
    }
    manifest = json.loads((tmp_path / "notes" / "manifest.json").read_text())
    assert list(manifest["inputs_sha256"]) == [str(table)]
    assert list(manifest["data_sha256"]) == ["notes.jsonl"]


def test_notes_of_a_patient_are_in_one_part(
    table: Path, tmp_path: Path, system: CodeSystem
) -> None:
    builder = find_builder("corpus")
    parts = {"train": 0.6, "dev": 0.2, "test": 0.2}
    config = configure(builder, settings(table, patient="patient", parts=parts, origin="public"))
    result = build(builder, config, tmp_path / "notes", system)
    patients = {}
    for part in parts:
        notes = list(read_rows(tmp_path / "notes" / f"{part}.jsonl", CodedNote))
        assert list(read_rows(tmp_path / "notes" / f"{part}.parquet", CodedNote)) == notes
        assert {note.origin for note in notes} == {"public"}
        patients[part] = {note.metadata["patient"] for note in notes}
        assert len(notes) == 3 * len(patients[part]) > 0
    assert sum(map(len, patients.values())) == 20
    card = (result.folder / "README.md").read_text()
    assert "  - split: dev\n    path: dev.parquet\n" in card


def test_wrong_settings_are_reported(table: Path) -> None:
    builder = find_builder("corpus")
    for wrong, message in (
        ({"format": "tabel"}, "corpus (name = tabel): not known. Did you mean 'table'?"),
        ({"txet": "body"}, "table: txet: unknown setting. Did you mean 'text'?"),
        ({"parts": {"train": 0.5}}, "the shares must add up to 1"),
        ({"parts": {"../x": 1}}, "letters, digits and underscores only"),
    ):
        with pytest.raises(ConfigurationError) as error:
            configure(builder, settings(table, **wrong))
        assert message in str(error.value)


def test_a_folder_is_read_and_hashed(tmp_path: Path, system: CodeSystem) -> None:
    folder = tmp_path / "brat"
    folder.mkdir()
    (folder / "a.txt").write_text("Old MI.", encoding="utf-8")
    (folder / "a.ann").write_text("T1\tI252 4 6\tMI\n", encoding="utf-8")
    builder = find_builder("corpus")
    config = configure(builder, {"file": str(folder), "format": "brat"})
    hashes = []
    for name in ("one", "two"):
        result = build(builder, config, tmp_path / name, system)
        note, *_ = read_rows(result.data, CodedNote)
        assert [e.text for e in note.codes[0].evidence] == ["MI"]
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        hashes.append(manifest["inputs_sha256"][str(folder)])
        (folder / "b.txt").write_text("Well.", encoding="utf-8")
    assert hashes[0] != hashes[1]
