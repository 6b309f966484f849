from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cclearn.errors import CclearnError, ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes
from cclearn.outputs import find_output, format_names
from tests.outputs.notes import EMPTY, FULL

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

FILE = Path("100-ICD-10.json")


BINARY = {"brat", "inception", "xlsx"}
"""Formats that are no text."""


@pytest.mark.parametrize("name", format_names())
def test_a_format_is_found_by_its_name(name: str) -> None:
    assert find_output(FILE, name).name == name


def test_a_format_is_found_by_the_ending() -> None:
    endings = ["x.jsonl", "x.csv", "x.xlsx", "x.tsv", "x.html", "x.HTM", "x.ndjson"]
    found = [find_output(Path(ending)).name for ending in endings]
    assert found == ["jsonl", "csv", "xlsx", "tsv", "html", "html", "fhir"]
    assert find_output().name == "jsonl"
    assert find_output(Path("x.tsv"), "jsonl").name == "jsonl"


@pytest.mark.parametrize(
    ("out", "name", "expected"),
    [
        ("x.json", None, "Did you mean '.jsonl'? Use .csv (csv), .htm (html), .html"),
        ("x", None, "its suffix is not that of a format"),
        ("x.jsonl", "tvs", "format (name = tvs): not known. Did you mean 'tsv'? Name one of: br"),
        ("x.json", "mdace", "as in 141751-ICD-10.json. Pass such a name to --out"),
        (None, "mdace", "output (out = None): MDACE's files are named by their chart"),
    ],
)
def test_what_cannot_be_chosen_is_told(out: str | None, name: str | None, expected: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        find_output(out if out is None else Path(out), name)
    assert expected in str(error.value)


@pytest.mark.parametrize("name", format_names())
def test_files_are_private_whole_and_the_same_again(name: str, tmp_path: Path) -> None:
    out = tmp_path / FILE
    assert find_output(out, name).write(iter([FULL, EMPTY])) == 2
    written = out.read_bytes()
    assert out.stat().st_mode & 0o777 == 0o600
    if name not in BINARY:
        assert "".join(find_output(out, name).chunks([FULL, EMPTY])).encode() == written

    def failing() -> Iterator[CodedNote]:
        yield FULL
        raise CclearnError("no more")

    with pytest.raises(CclearnError, match="no more"):
        find_output(out, name).write(failing())
    assert out.read_bytes() == written
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("name", sorted(set(format_names()) - BINARY))
def test_a_note_is_written_before_the_next_is_asked_for(name: str) -> None:
    """What a format holds back, it would hold in memory."""
    asked = 0

    def notes() -> Iterator[CodedNote]:
        nonlocal asked
        for number in range(3):
            asked += 1
            yield FULL.model_copy(update={"id": str(number)})

    counts: list[int] = []
    text = ""
    for chunk in find_output(FILE, name).chunks(notes()):
        counts.append(asked)
        text += chunk
    assert sorted(counts) == counts
    assert {1, 2, 3} <= set(counts)


def test_jsonl_holds_everything(tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    find_output(out).write([FULL, EMPTY])
    assert list(read_coded_notes(out)) == [FULL, EMPTY]
