from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from recipes.codiesp.prepare import prepare, read_titles, table_rows
from tests.benchmarks.claim.corpus import write_corpus

TITLES = {"I10X": "Hipertensión  esencial", "J189": "Neumonía, no especificada", "J18": "Neumonía"}


@pytest.fixture
def titles(tmp_path: Path) -> Path:
    path = tmp_path / "cie10.json"
    path.write_text(json.dumps(TITLES), encoding="utf-8")
    return path


def test_titles_have_dotted_codes(titles: Path, tmp_path: Path) -> None:
    assert read_titles(titles)["J18.9"] == "Neumonía, no especificada"
    assert read_titles(titles)["I10.X"] == "Hipertensión esencial"
    other = tmp_path / "other.json"
    other.write_text('["I10"]')
    with pytest.raises(DataError, match="not a JSON object of codes and titles"):
        read_titles(other)


def test_codes_of_the_notes_that_the_release_lacks_are_in_the_table(system: CodeSystem) -> None:
    text = "tos tos Tos fiebre tos"
    codes = {
        "R05": [(0, 3)],  # A header since 2021.
        "R50.98": [(4, 7), (8, 11), (19, 22)],  # No code of the release.
        "Q00": [(12, 18)],
    }
    note = CodedNote(
        id="1",
        text=text,
        codes=[
            AssignedCode(code=c, evidence=[Evidence(start=a, end=b, text=text[a:b]) for a, b in s])
            for c, s in codes.items()
        ],
    )
    rows = {row["code"]: row for row in table_rows([note], {"Q00": "Anencefalia"}, system)}
    assert rows["R05"]["billable"] == 1
    assert rows["R05"]["parent"] == ""
    assert rows["R05.9"]["parent"] == "R05"
    assert rows["R50.98"] == {
        "code": "R50.98",
        "description": "tos",
        "synonyms": "",
        "parent": "R50.9",
        "billable": 1,
    }
    assert rows["Q00"]["synonyms"] == "Anencefalia"
    assert rows["Q00"]["description"] == system.description("Q00")
    assert rows["I11"]["billable"] == 0
    without_encounters = {
        row.code for row in system.rows() if row.kind >= 2 and not re.search("[A-Z]$", row.code[7:])
    }
    assert rows.keys() >= without_encounters
    assert "H54.413A" in rows  # Its last character is a category of blindness.


def test_codes_have_no_7th_character_of_an_encounter(system: CodeSystem) -> None:
    text = "herida"
    evidence = [Evidence(start=0, end=6, text=text)]
    codes = [AssignedCode(code="S01.00XD", evidence=evidence)]
    written = list(table_rows([CodedNote(id="1", text=text, codes=codes)], {}, system))
    rows = {row["code"]: row for row in written}
    assert len(rows) == len(written)
    assert (rows["S02.601"]["billable"], rows["S02.601"]["parent"]) == (1, "S02.60")
    assert rows["S22.39X"] == {
        "code": "S22.39X",
        "description": system.description("S22.39"),
        "synonyms": "",
        "parent": "S22.39",
        "billable": 1,
    }
    assert "S02.601A" not in rows
    # A code of the notes is kept as it is.
    assert (rows["S01.00XD"]["billable"], rows["S01.00XD"]["parent"]) == (1, "S01.00")
    # These 7th characters do not tell the kind of encounter.
    assert rows["R40.2110"]["billable"] == 1
    assert rows["O31.00X1"]["billable"] == 1


def test_all_files_are_written(titles: Path, tmp_path: Path) -> None:
    data, out = write_corpus(tmp_path / "data") / "codiesp", tmp_path / "out"
    system = prepare(data, titles, 5, out)
    assert system.name == "cie10es"
    train = list(read_coded_notes(out / "train.jsonl", system))
    tuning = list(read_coded_notes(out / "tuning.jsonl", system))
    assert (len(train), len(tuning)) == (15, 5)
    assert not {note.id for note in train} & {note.id for note in tuning}
    assert {code.system for note in (*train, *tuning) for code in note.codes} == {"cie10es"}
    pairs = {pair.text: pair.code for pair in read_span_pairs(out / "titles.jsonl", system)}
    # `I10.X` is no code of the release.
    assert pairs == {"Neumonía": "J18.9", "Neumonía, no especificada": "J18.9"}
    evidence = list(read_span_pairs(out / "pairs" / "pairs.jsonl", system))
    assert len(evidence) == sum(len(c.evidence) for note in train for c in note.codes)
    assert system["J18"].synonyms == ("Neumonía",)


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    module = [sys.executable, "-m", "recipes.codiesp.prepare"]
    arguments = ["--data", str(tmp_path), "--titles", str(tmp_path / "none.json")]
    done = subprocess.run([*module, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "none.json" in done.stderr
    assert "Traceback" not in done.stderr
