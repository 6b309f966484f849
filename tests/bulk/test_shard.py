from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cclearn import Coder
from cclearn.bulk.corpora import open_corpus
from cclearn.bulk.shard import CodedShard, code_shard
from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, RestrictedTextError
from cclearn.notes import Note
from cclearn.notes.inputs import NoteSource
from tests.bulk.corpora import CallbackCoder, write_jsonl


def coded(
    tmp_path: Path, system: CodeSystem, what: Callable[[Note], list[str]], count: int = 12
) -> CodedShard:
    corpus = open_corpus(NoteSource((write_jsonl(tmp_path / "notes.jsonl", count),)))
    return code_shard(CallbackCoder(system, what), corpus, corpus.survey(100).shards[0])


def ids_of(shard: CodedShard) -> list[str]:
    return [json.loads(line)["id"] for line in shard.content.splitlines()]


def test_the_lines_are_those_of_the_coder(tmp_path: Path, system: CodeSystem) -> None:
    corpus = open_corpus(NoteSource((write_jsonl(tmp_path / "notes.jsonl", 7),)))
    coder = Coder.lexicon(system)
    progress: list[int] = []
    shard = code_shard(coder, corpus, corpus.survey(5).shards[1], progress.append)
    assert ids_of(shard) == ["n5", "n6"]
    found = [
        code["code"] for line in shard.content.splitlines() for code in json.loads(line)["codes"]
    ]
    assert shard.marker.codes == len(found) > 0
    assert (shard.marker.shard, shard.marker.notes, shard.marker.bytes) == (
        1,
        2,
        len(shard.content),
    )
    assert progress == [1, 2]


def test_failures_are_rejected_with_their_reason(tmp_path: Path, system: CodeSystem) -> None:
    flags = {
        "n2": ["timeout"],
        "n3": ["truncated"],
        "n4": ["truncated", "refusal"],
        "n5": ["text: odd"],
    }
    shard = coded(tmp_path, system, lambda note: flags.get(note.id, []))
    assert [(row.row, row.kind, row.reason) for row in shard.marker.rejected] == [
        (3, "timeout", "timeout"),
        (5, "refusal", "refusal"),
    ]
    assert [row.note and row.note.id for row in shard.marker.rejected] == ["n2", "n4"]
    assert shard.marker.flagged == {"truncated": 1}
    assert ids_of(shard) == [f"n{number}" for number in range(12) if number not in (2, 4)]
    assert shard.marker.prompt_tokens == 120


def test_an_error_in_one_note_does_not_affect_the_others(
    tmp_path: Path, system: CodeSystem
) -> None:
    def what(note: Note) -> list[str]:
        if note.id in ("n4", "n9"):
            raise ValueError(f"it says {note.text}")
        return []

    shard = coded(tmp_path, system, what)
    assert [row.row for row in shard.marker.rejected] == [5, 10]
    for row in shard.marker.rejected:
        assert row.kind == "error"
        assert row.reason.startswith("ValueError in bulk/test_shard.py:")
        assert "Visit" not in row.reason
    assert ids_of(shard) == [f"n{number}" for number in range(12) if number not in (4, 9)]


def test_an_error_in_every_note_stops_the_run(tmp_path: Path, system: CodeSystem) -> None:
    def what(note: Note) -> list[str]:
        raise ValueError(note.text)

    for count, failures in ((12, 10), (5, 5), (3, 3)):
        with pytest.raises(
            CclearnError, match=f"{failures} notes in a row raise ValueError in bulk/test_s"
        ):
            coded(tmp_path, system, what, count)
    assert len(coded(tmp_path, system, what, count=2).marker.rejected) == 2


def test_an_engine_that_fails_in_the_middle_stops_the_run(
    tmp_path: Path, system: CodeSystem
) -> None:
    def what(note: Note) -> list[str]:
        if int(note.id[1:]) >= 20:
            raise RuntimeError("the device is gone")
        return []

    with pytest.raises(CclearnError, match="10 notes in a row raise RuntimeError"):
        coded(tmp_path, system, what, count=60)


def test_a_note_that_the_engine_refuses_is_rejected(tmp_path: Path, system: CodeSystem) -> None:
    def what(note: Note) -> list[str]:
        if note.id == "n3":
            raise RestrictedTextError("note (id = n3): its text is restricted")
        return []

    (row,) = coded(tmp_path, system, what).marker.rejected
    assert (row.row, row.kind, row.reason) == (
        4,
        "restricted",
        "note (id = n3): its text is restricted",
    )

    def all_of_them(note: Note) -> list[str]:
        raise RestrictedTextError("its text is restricted. Say so twice.")

    with pytest.raises(CclearnError, match=r"^its text is restricted\. Say so twice\.$"):
        coded(tmp_path, system, all_of_them)


@pytest.mark.parametrize("flag", ["connection", "budget"])
def test_a_lost_engine_stops_the_run(tmp_path: Path, system: CodeSystem, flag: str) -> None:
    with pytest.raises(CclearnError, match=f"the {flag} .* Finished shards are kept"):
        coded(tmp_path, system, lambda note: [flag] if note.id == "n7" else [])


def test_an_error_of_the_users_stops_the_run(tmp_path: Path, system: CodeSystem) -> None:
    def what(note: Note) -> list[str]:
        raise CclearnError("the server does not know the key")

    with pytest.raises(CclearnError, match="does not know the key"):
        coded(tmp_path, system, what)


def test_a_model_whose_scores_are_not_finite_stops_the_run(
    tmp_path: Path, system: CodeSystem
) -> None:
    for count, failures in ((12, 10), (3, 3)):
        with pytest.raises(
            CclearnError, match=f"{failures} notes in a row .* its weights are damaged"
        ):
            coded(tmp_path, system, lambda note: ["not_finite"], count)


@pytest.mark.parametrize("flag", ["timeout", "http_429", "http_503"])
def test_an_overloaded_server_stops_the_run(tmp_path: Path, system: CodeSystem, flag: str) -> None:
    with pytest.raises(CclearnError, match=rf"10 notes in a row have no answer \({flag}\)"):
        coded(tmp_path, system, lambda note: [flag])
    assert len(coded(tmp_path, system, lambda note: ["refusal"]).marker.rejected) == 12
