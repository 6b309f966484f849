from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from cclearn.errors import CclearnError, DataError, shown_id
from cclearn.files import LISTING, atomic_folder, list_file, read_json, read_xml


def write(path: Path, content: str, overwrite: bool = False, kind: str = "output") -> None:
    with atomic_folder(path, overwrite, kind) as folder:
        (folder / "data.txt").write_text(content)
        (folder / "deep").mkdir()
        (folder / "deep" / "more.txt").write_text(content)


def test_a_folder_is_whole_and_says_what_is_in_it(tmp_path: Path) -> None:
    write(tmp_path / "out", "a", kind="benchmark")
    listing = json.loads((tmp_path / "out" / LISTING).read_text())
    assert listing == {"kind": "benchmark", "files": ["data.txt", "deep/more.txt"]}
    with pytest.raises(CclearnError, match="--overwrite"):
        write(tmp_path / "out", "b", kind="benchmark")
    write(tmp_path / "out", "b", overwrite=True, kind="benchmark")
    assert (tmp_path / "out" / "data.txt").read_text() == "b"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_was_not_written_so_is_not_replaced(tmp_path: Path) -> None:
    write(tmp_path / "out", "a", kind="model")
    with pytest.raises(CclearnError, match="it is no benchmark that cclearn wrote"):
        write(tmp_path / "out", "b", overwrite=True, kind="benchmark")
    (tmp_path / "out" / "deep" / "thesis.txt").write_text("mine")
    with pytest.raises(CclearnError, match=r"did not write \(deep/thesis\.txt\)"):
        write(tmp_path / "out", "b", overwrite=True, kind="model")
    other = tmp_path / "other"
    other.mkdir()
    (other / "metrics.json").write_text("{}")
    with pytest.raises(CclearnError, match="it is no output that cclearn wrote"):
        write(other, "b", overwrite=True)
    (other / LISTING).write_text("[]")
    with pytest.raises(CclearnError, match="it is no output"):
        write(other, "b", overwrite=True)
    assert (tmp_path / "out" / "data.txt").read_text() == "a"
    assert (other / "metrics.json").exists()


def test_what_is_added_and_listed_may_be_replaced(tmp_path: Path) -> None:
    write(tmp_path / "out", "a")
    added = tmp_path / "out" / "added.json"
    added.touch()
    list_file(added)
    listing = json.loads((tmp_path / "out" / LISTING).read_text())
    assert listing["files"] == ["added.json", "data.txt", "deep/more.txt"]
    write(tmp_path / "out", "b", overwrite=True)
    assert not added.exists()
    # A folder of the user's is not made ours.
    (tmp_path / "mine.json").touch()
    list_file(tmp_path / "mine.json")
    assert not (tmp_path / LISTING).exists()


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def late() -> None:
        with atomic_folder(out) as folder:
            (folder / "data.txt").touch()
            out.mkdir()
            (out / "analysis.txt").write_text("mine")

    with pytest.raises(CclearnError, match="exists already"):
        late()
    assert [path.name for path in out.iterdir()] == ["analysis.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def left_by(path: Path, process: int, end: str = "abc") -> Path:
    left = path.with_name(f".{path.name}.partial-{platform.node()}-{process}-{end}")
    left.mkdir()
    (left / "gold.jsonl").write_text("a patient's note")
    return left


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    dead, alive = left_by(tmp_path / "out", 2**22 + 1), left_by(tmp_path / "out", os.getpid())
    elsewhere = tmp_path / ".out.partial-another-machine-7-abc"
    elsewhere.mkdir()
    write(tmp_path / "out", "a")
    assert not dead.exists()
    assert alive.exists()
    assert elsewhere.exists()


def test_a_folder_is_given_back_where_its_replacement_was_stopped(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "old")
    left = left_by(out, 2**22 + 1)
    os.replace(out, left.with_name(f"{left.name}-replaced"))
    with pytest.raises(CclearnError, match="exists already"):
        write(out, "new")
    assert (out / "data.txt").read_text() == "old"


def test_ids_in_messages_are_short_and_tame() -> None:
    assert shown_id("note-1") == "note-1"
    assert shown_id("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert len(shown_id("word " * 100)) == 40


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            '<?xml version="1.0" encoding="klingon"?><a>secret</a>',
            "cannot be read as XML (LookupError",
        ),
        ('<?xml version="1.0" encoding="hex"?><a>secret</a>', "cannot be read as XML (LookupError"),
        ("<a>" * 5_000 + "</a>" * 5_000, "nested more than 100 elements deep"),
        ("<a>secret", "not whole XML at column"),
    ],
)
def test_xml_that_cannot_be_read_is_told_without_its_text(
    tmp_path: Path, content: str, problem: str
) -> None:
    (tmp_path / "x.xml").write_text(content)
    with pytest.raises(DataError) as error:
        read_xml(tmp_path / "x.xml")
    assert problem in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[" * 100_000, "not JSON (RecursionError"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested more than 100 values deep"),
        ("1" * 6_000, "not JSON (ValueError"),
        ('["secret \\ud800"]', "not JSON (UnicodeEncodeError"),
        ('{\n"secret', "x.json:2: not JSON at column 1"),
    ],
)
def test_json_that_cannot_be_read_is_told_without_its_text(
    tmp_path: Path, content: str, problem: str
) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError) as error:
        read_json(tmp_path / "x.json")
    assert problem in str(error.value)
    assert "secret" not in str(error.value)
