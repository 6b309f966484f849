"""The log: locks, incomplete lines, a full disk, and lines that are not events."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cclearn.errors import CclearnError, DataError
from cclearn.review.events import Event
from cclearn.review.log import LogFullError, LogReader, ReviewLog, checked_reviewer


def event(note: str = "n1", number: int = 0) -> Event:
    return Event(
        time=f"2026-01-01T00:00:{number:02}.000+00:00",
        reviewer="anna",
        note=note,
        note_sha256="0" * 64,
        action="open" if not number else "done",
        seconds=1.5,
        shown=True,
        model="lexicon",
    )


def test_lines_are_read_back_by_note(tmp_path: Path) -> None:
    path = tmp_path / "decisions" / "anna.jsonl"
    log = ReviewLog(path)
    for number, note in enumerate(["n1", "n2", "n1"]):
        log.append(event(note, number))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [e.time[17:19] for e in log.events("n1")] == ["00", "02"]
    log.close()
    reader = LogReader(path)
    assert [e.time[17:19] for e in reader.events("n1")] == ["00", "02"]
    assert list(reader.notes) == ["n1", "n2"]
    assert reader.reviewer == "anna"
    assert list(reader.events("n3")) == []
    reader.close()


def test_only_one_process_writes_a_log(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path / "anna.jsonl")
    with pytest.raises(CclearnError, match="another process writes this log"):
        ReviewLog(tmp_path / "anna.jsonl")
    ReviewLog(tmp_path / "bob.jsonl").close()
    log.close()
    ReviewLog(tmp_path / "anna.jsonl").close()


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_an_incomplete_last_line_is_moved_and_the_log_continues(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "anna.jsonl"
    log = ReviewLog(path)
    log.append(event())
    whole = path.read_bytes()
    log.close()
    path.write_bytes(whole + whole[:cut])
    assert list(LogReader(path).notes) == ["n1"]
    log = ReviewLog(path)
    assert log.moved == cut
    log.append(event("n2", 1))
    log.close()
    assert len(path.read_bytes().splitlines()) == 2
    assert path.read_bytes().startswith(whole)
    beside = tmp_path / "anna.jsonl.incomplete"
    assert beside.read_bytes() == whole[:cut] + b"\n"
    assert beside.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "anna.jsonl"
    log = ReviewLog(path)
    log.append(event())
    before = path.read_bytes()
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(LogFullError, match=r"not saved: No space left.*Free space on the disk"):
        log.append(event("n2", 1))
    monkeypatch.undo()
    assert path.read_bytes() == before

    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(LogFullError, match="Check the disk"):
        log.append(event("n2", 1))
    monkeypatch.undo()
    assert path.read_bytes() == before
    log.append(event("n2", 1))
    assert [e.note for e in log.events("n2")] == ["n2"]
    log.close()


def test_a_log_that_could_not_be_repaired_takes_no_more_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ReviewLog(tmp_path / "anna.jsonl")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))

    def fails(descriptor: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "ftruncate", fails)
    with pytest.raises(LogFullError):
        log.append(event())
    monkeypatch.undo()
    with pytest.raises(LogFullError, match="start the review again"):
        log.append(event())
    log.close()
    log = ReviewLog(tmp_path / "anna.jsonl")
    assert (log.moved, log.notes) == (20, {})
    log.close()


def test_a_line_that_is_no_event_is_an_error_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "anna.jsonl"
    log = ReviewLog(path)
    log.append(event())
    log.close()
    with path.open("ab") as stream:
        stream.write(b'{"secret": "of a patient"}\n')
    with pytest.raises(DataError, match=r"anna\.jsonl:2: not a decision") as caught:
        ReviewLog(path)
    assert "patient" not in str(caught.value)


def test_a_log_is_no_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "anna.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(CclearnError):
        ReviewLog(tmp_path / "anna.jsonl")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "a\nb"])
def test_names_of_reviewers_are_names_of_files(name: str) -> None:
    with pytest.raises(CclearnError, match="--reviewer"):
        checked_reviewer(name)
    assert checked_reviewer("Zoë-1.x_y") == "Zoë-1.x_y"
