from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cclearn.errors import CclearnError, DataError, shown_id
from cclearn.runtime.caches import read_sealed, write_sealed
from cclearn.runtime.durable import BusyError, partial_of
from cclearn.runtime.files import (
    LISTING,
    LOCK,
    atomic_file,
    atomic_folder,
    list_file,
    locked_folder,
    refuse_existing,
)
from cclearn.runtime.parsing import read_json, read_xml


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


def left_by(path: Path) -> list[Path]:
    """Leave beside a path what a process leaves that is killed while it fills a folder."""
    guard = partial_of(path)
    new = guard.with_name(f"{guard.name}.new")
    guard.touch()
    new.mkdir()
    (new / "gold.jsonl").write_text("a patient's note")
    return [guard, new]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left_by(tmp_path / "out")
    write(tmp_path / "out", "a")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    # A run that is refused removes it as well.
    left_by(tmp_path / "out")
    with pytest.raises(CclearnError, match="exists already"):
        refuse_existing(tmp_path / "out", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_is_given_back_where_its_replacement_was_stopped(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "old")
    left_by(out)
    os.replace(out, tmp_path / ".out.partial.old")
    with pytest.raises(CclearnError, match="exists already"):
        write(out, "new")
    assert (out / "data.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


_WRITER = """
import sys, time
from pathlib import Path
from cclearn.runtime.files import atomic_file, atomic_folder
out = Path(sys.argv[1])
with atomic_folder(out) if sys.argv[2] == "folder" else atomic_file(out) as target_path:
    if sys.argv[2] == "folder":
        (target_path / "gold.jsonl").write_text("a patient's note")
    else:
        target_path.write(b"a patient's note" * 10_000)
    print("writing", flush=True)
    time.sleep(60)
"""


@contextmanager
def writer(out: Path, kind: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that is writing an output, and kill it at the end."""
    command = [sys.executable, "-c", _WRITER, str(out), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["file", pytest.param("folder", marks=pytest.mark.slow)])
def test_only_the_partial_output_of_a_process_that_is_gone_is_removed(
    tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out"

    def again() -> None:
        if kind == "folder":
            write(out, "a")
        else:
            with atomic_file(out) as stream:
                stream.write(b"a")

    with writer(out, kind):
        writing = {path.name for path in tmp_path.rglob("*")}
        with pytest.raises(BusyError, match="another run is writing it"):
            again()
        with pytest.raises(BusyError, match="another run is writing it"):
            refuse_existing(out, overwrite=True)
        assert {path.name for path in tmp_path.rglob("*")} == writing
    for _ in range(3):
        with writer(out, kind):
            pass
    assert len(list(tmp_path.iterdir())) == (2 if kind == "folder" else 1)
    again()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    def late() -> None:
        with atomic_file(out, overwrite=False) as stream:
            stream.write(b"second")
            out.write_bytes(b"first")

    with pytest.raises(CclearnError, match=r"it exists already.*--overwrite"):
        late()
    assert out.read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    with atomic_file(out) as stream:
        stream.write(b"third")
    assert out.read_bytes() == b"third"


def test_nothing_is_opened_through_a_link_that_somebody_placed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    out = tmp_path / "out"
    for hidden in (".out.partial", ".out.partial.new", ".out.partial.old"):
        for target_path in (target, tmp_path / "elsewhere"):
            (tmp_path / "elsewhere").mkdir(exist_ok=True)
            (tmp_path / hidden).symlink_to(target_path)
            write(out, "a")
            assert not out.is_symlink()
            assert sorted(path.name for path in tmp_path.iterdir()) == [
                "elsewhere",
                "out",
                "precious",
            ]
            shutil.rmtree(out)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (tmp_path / ".file.partial").symlink_to(target)
    with atomic_file(tmp_path / "file") as stream:
        stream.write(b"a")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(target)
    with (
        pytest.raises(CclearnError, match="it is a symbolic link"),
        locked_folder(tmp_path / "run"),
    ):
        pass
    assert target.read_text() == "mine"


def test_a_lock_file_keeps_its_content(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("kept")
    with locked_folder(tmp_path):
        pass
    assert (tmp_path / LOCK).read_text() == "kept"


def test_outputs_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with atomic_folder(tmp_path / "new" / "out") as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "deep").mkdir()
            (folder / "deep" / "notes.txt").touch()
        with atomic_file(tmp_path / "other" / "file") as stream:
            stream.write(b"a")
    finally:
        os.umask(before)
    written = list(tmp_path.rglob("*"))
    assert len(written) == 7
    for path in written:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_everything_is_flushed_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushed(descriptor: int) -> None:
        happened.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def replaced(source: Path, target: Path) -> None:
        happened.append(f"{Path(source).name} -> {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", replaced)
    write(tmp_path / "out", "a")
    renamed = happened.index(".out.partial.new -> out")
    before = happened[:renamed]
    assert before[-1] == ".out.partial.new"
    assert before.index("more.txt") < before.index("deep")
    assert {"data.txt", ".cclearn.json"} < set(before)
    assert happened[renamed + 1 :] == [tmp_path.name]
    happened.clear()
    with atomic_file(tmp_path / "file") as stream:
        stream.write(b"a")
    assert happened == [".file.partial", ".file.partial -> file", tmp_path.name]


def test_a_cache_file_that_another_process_writes_is_left_to_it(tmp_path: Path) -> None:
    with writer(tmp_path / "cache", "file"):
        write_sealed(tmp_path / "cache", b"content", "source")
    write_sealed(tmp_path / "cache", b"content", "source")
    assert read_sealed(tmp_path / "cache", "source") == b"content"


def test_without_locks_a_partial_file_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr("fcntl.flock", no_locks)
    write(tmp_path / "out", "a")
    left_by(tmp_path / "out")
    with pytest.raises(BusyError, match="the file system has no locks"):
        write(tmp_path / "out", "b", overwrite=True)
    assert (tmp_path / ".out.partial.new" / "gold.jsonl").exists()


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
        ("<a>secret", "incomplete or malformed XML at column"),
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


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    notes, link = tmp_path / "notes.jsonl", tmp_path / "link.jsonl"
    notes.write_text("{}")
    link.symlink_to(notes)
    for out in (notes, link):
        with pytest.raises(CclearnError, match="it is an input of the same command"):
            refuse_existing(out, overwrite=True, inputs=[tmp_path / "missing", notes])
    refuse_existing(tmp_path / "other.jsonl", overwrite=True, inputs=[notes])
