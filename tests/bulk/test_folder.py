from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cclearn.bulk.folder import CodedFolder, read_coded, refuse_other_files
from cclearn.bulk.shard import CodedShard, Marker, RejectedNote
from cclearn.bulk.summary import Pace
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError, DataError
from cclearn.runtime.files import sha256_of_text

MANIFEST: dict[str, Any] = {"shard_size": 10, "coder": {"model": "lexicon"}, "corpus": {"rows": 20}}


def shard(number: int, content: str = "{}\n", **fields: Any) -> CodedShard:
    marker = Marker(
        shard=number,
        notes=content.count("\n"),
        codes=3,
        prompt_tokens=1_000_000,
        answer_tokens=500_000,
        gpu_seconds=0.5,
        bytes=len(content),
        sha256=sha256_of_text(content),
        **{"rejected": [], "flagged": {}, **fields},
    )
    return CodedShard(content.encode(), marker)


def begin(path: Path, overwrite: bool = False, **changed: Any) -> CodedFolder:
    path.mkdir(exist_ok=True)
    return CodedFolder.begin(path, {**MANIFEST, **changed}, overwrite)


def test_settings_may_change_until_a_shard_is_finished(tmp_path: Path) -> None:
    before = begin(tmp_path / "out")
    before.write(shard(3))
    (tmp_path / "out" / "shards" / "00003.done").unlink()  # Killed before its marker was written.
    folder = begin(tmp_path / "out", coder={"model": "other"})
    assert not list((tmp_path / "out" / "shards").iterdir())
    folder.write(shard(0))
    with pytest.raises(CclearnError, match="other there, lexicon here"):
        begin(tmp_path / "out")


def test_shards_with_a_marker_are_finished(tmp_path: Path) -> None:
    folder = begin(tmp_path / "out")
    assert folder.finished(range(3)) == set()
    folder.write(shard(1))
    assert folder.finished(range(3)) == {1}
    assert begin(tmp_path / "out").finished(range(3)) == {1}
    assert (tmp_path / "out" / "shards" / "00001.jsonl").stat().st_mode & 0o077 == 0
    folder.check(range(3))


def test_another_run_is_refused_with_the_difference(tmp_path: Path) -> None:
    begin(tmp_path / "out").write(shard(0))
    with pytest.raises(CclearnError) as caught:
        begin(tmp_path / "out", coder={"model": "other"}, corpus={"rows": 30})
    assert "coder.model: lexicon there, other here; corpus.rows: 20 there, 30 here" in str(
        caught.value
    )
    folder = begin(tmp_path / "out", overwrite=True, corpus={"rows": 30})
    assert folder.finished([0]) == set()
    assert not list((tmp_path / "out" / "shards").iterdir())


def test_a_shard_of_another_run_is_refused(tmp_path: Path) -> None:
    other = begin(tmp_path / "other", corpus={"rows": 30})
    other.write(shard(0))
    folder = begin(tmp_path / "out")
    folder.write(shard(1))
    for name in ("00000.jsonl", "00000.done"):
        (tmp_path / "other" / "shards" / name).rename(tmp_path / "out" / "shards" / name)
    with pytest.raises(CclearnError, match=r"00000\.done: it belongs to another run"):
        folder.check(range(2))
    folder.check([1])


def test_a_shard_under_another_number_is_refused(tmp_path: Path) -> None:
    folder = begin(tmp_path / "out")
    folder.write(shard(0))
    for name in ("jsonl", "done"):
        (tmp_path / "out" / "shards" / f"00000.{name}").rename(
            tmp_path / "out" / "shards" / f"00001.{name}"
        )
    with pytest.raises(CclearnError, match=r"00001\.done: it belongs to another run"):
        folder.check(range(2))


def test_a_shard_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = begin(tmp_path / "out")
    folder.write(shard(0))
    (tmp_path / "out" / "shards" / "00000.jsonl").write_text("[]\n")
    with pytest.raises(CclearnError, match="it is missing or has changed"):
        folder.check([0])
    (tmp_path / "out" / "shards" / "00000.done").write_text("{}")
    with pytest.raises(DataError, match="it is not a marker"):
        folder.check([0])


def test_a_finished_run_has_its_rejected_rows_and_its_totals(tmp_path: Path) -> None:
    folder = begin(tmp_path / "out")
    bad = [RejectedNote(row=4, id=None, kind="unreadable", reason="text: missing")]
    folder.write(shard(1, "{}\n{}\n", rejected=bad, flagged={"truncated": 1}))
    folder.write(
        shard(0, rejected=[RejectedNote(row=2, id="n1", kind="timeout", reason="timeout")])
    )
    assert folder.summary() is None
    prices = EngineSettings(prompt_price=2, answer_price=4)
    summary = folder.finish([0, 1], prices, Pace.of(5, 2.0))
    assert (summary.shards, summary.rows, summary.notes, summary.codes) == (2, 5, 3, 6)
    assert summary.rejected == {"timeout": 1, "unreadable": 1}
    assert summary.flagged == {"truncated": 1}
    assert summary.cost == 2 * 2 + 1 * 4  # Two and one million tokens.
    assert summary.gpu_seconds == 1.0
    assert summary.pace.notes_per_second == 2.5
    lines = (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == [2, 4]
    assert folder.summary() == summary
    printed = "\n".join(summary.lines(tmp_path / "out"))
    assert "notes coded: 3 (codes: 6, shards: 2)" in printed
    assert "2,000,000 tokens read, 1,000,000 written, cost 8.00" in printed


def test_shards_with_unanswered_notes_are_coded_again(tmp_path: Path) -> None:
    folder = begin(tmp_path / "out")
    for number, kind in enumerate(("unreadable", "timeout", "repeated", "error")):
        folder.write(shard(number, rejected=[RejectedNote(row=1, id=None, kind=kind, reason="x")]))
    folder.retry(range(4))
    assert folder.finished(range(4)) == {0, 2}


def test_without_prices_there_is_no_cost(tmp_path: Path) -> None:
    folder = begin(tmp_path / "out")
    folder.write(shard(0))
    assert folder.finish([0], EngineSettings(), Pace.of(0, 0)).cost is None


def test_partial_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    folder = begin(tmp_path / "out")
    folder.write(shard(0))
    left = [tmp_path / "out" / "shards" / ".00001.jsonl.x3", tmp_path / "out" / ".rejected.jsonl.y"]
    for path in left:
        path.write_text("text of a note")
    others = tmp_path / "out" / ".gitignore"
    others.write_text("*")
    begin(tmp_path / "out")
    assert others.exists()
    assert not any(path.exists() for path in left)
    assert folder.finished([0]) == {0}


def test_folders_with_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CclearnError, match="it is a file"):
        refuse_other_files(tmp_path / "file")
    refuse_other_files(tmp_path / "missing")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("")
    with pytest.raises(CclearnError, match=r"it contains files that no run wrote \(chapter\.tex\)"):
        refuse_other_files(tmp_path / "thesis")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("{}")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="it is not the manifest of a coded corpus"):
            begin(tmp_path / "model", overwrite)


def test_a_symbolic_link_to_shards_is_not_followed(tmp_path: Path) -> None:
    begin(tmp_path / "theirs").write(shard(0))
    begin(tmp_path / "out")
    (tmp_path / "out" / "shards").symlink_to(tmp_path / "theirs" / "shards")
    with pytest.raises(CclearnError, match="shards is a symbolic link"):
        refuse_other_files(tmp_path / "out")
    assert len(list((tmp_path / "theirs" / "shards").iterdir())) == 2


def test_other_files_among_the_shards_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out" / "shards").mkdir(parents=True)
    other = tmp_path / "out" / "shards" / "weights.tar"
    other.write_text("")
    with pytest.raises(CclearnError, match=r"files that no run wrote \(shards/weights\.tar\)"):
        refuse_other_files(tmp_path / "out")
    other.rename(tmp_path / "out" / "shards" / "00000.jsonl")
    refuse_other_files(tmp_path / "out")
    with pytest.raises(DataError, match="it is missing, but there are shards"):
        begin(tmp_path / "out", overwrite=True)


def test_only_a_finished_run_can_be_read(tmp_path: Path) -> None:
    folder = begin(tmp_path / "out")
    for number in (0, 1):
        folder.write(shard(number, json.dumps({"id": str(number), "text": "x"}) + "\n"))
    with pytest.raises(DataError, match="its run is not finished"):
        list(read_coded(tmp_path / "out"))
    folder.finish([0, 1], EngineSettings(), Pace.of(0, 0))
    assert [note.id for note in read_coded(tmp_path / "out")] == ["0", "1"]
    changed = tmp_path / "out" / "shards" / "00000.jsonl"
    changed.write_text(changed.read_text().replace("x", "y"))
    with pytest.raises(CclearnError, match="it is missing or has changed"):
        list(read_coded(tmp_path / "out"))
    (tmp_path / "out" / "shards" / "00001.done").unlink()
    with pytest.raises(DataError, match="its run is not finished"):
        list(read_coded(tmp_path / "out"))
    folder.reopen()
    assert folder.summary() is None


def test_a_run_is_not_finished_with_a_shard_of_another_run(tmp_path: Path) -> None:
    begin(tmp_path / "out").write(shard(0))
    with pytest.raises(CclearnError, match="it belongs to another run"):
        CodedFolder(tmp_path / "out", "another").finish([0], EngineSettings(), Pace.of(0, 0))
    assert not (tmp_path / "out" / "rejected.jsonl").exists()


def test_shards_without_a_manifest_are_refused(tmp_path: Path) -> None:
    begin(tmp_path / "out").write(shard(0))
    (tmp_path / "out" / "manifest.json").unlink()
    for overwrite in (False, True):
        with pytest.raises(DataError, match="it is missing, but there are shards"):
            begin(tmp_path / "out", overwrite)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "summary.json").write_text("{}")
    with pytest.raises(DataError, match="Name another folder"):
        begin(tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "summary.json").exists()
