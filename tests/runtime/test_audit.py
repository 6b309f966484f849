from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import cclearn
from cclearn.bulk.launcher import is_first_process
from cclearn.codes.clinical_terms.tables import tables_sha256
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.models import model_hash
from cclearn.notes import AssignedCode, CodedNote, Evidence, Note, SpanPair
from cclearn.notes.jsonl import write_rows
from cclearn.runtime.audit import audited
from recipes.launch import launch
from tests.commands import exit_code

NOTES = [Note(id="visit-1", text="Sepsis."), Note(id="visit-é", text="Pneumonia \ud800?")]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that the user named."""
    path = tmp_path / "log" / "audit.jsonl"
    monkeypatch.setenv("CCLEARN_AUDIT", str(path))
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of two notes."""
    path = tmp_path / "notes.jsonl"
    write_rows(path, [NOTES[0], Note(id="visit-2", text="Acute appendicitis.")])
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_a_run_into_a_file_is_recorded(
    log: Path,
    corpus: Path,
    tmp_path: Path,
) -> None:
    assert exit_code("code", corpus, "--out", tmp_path / "coded.jsonl") == 0
    start, end = lines(log)
    assert (start["event"], end["event"], end["outcome"]) == ("start", "end", "finished")
    assert start["run"] == end["run"]
    assert end["user"]["uid"] == os.getuid()
    assert end["command"] == "code"
    assert end["cclearn"] == cclearn.__version__
    assert end["models"] == [{"name": "lexicon", "sha256": tables_sha256()}]
    assert end["code_system"]["name"] == "icd10cm"
    assert end["counts"] == {"coded": 2, "codes": 2}
    assert end["notes"] == 2
    read = b"7:visit-1,7:Sepsis.,7:visit-2,19:Acute appendicitis.,"
    assert end["notes_sha256"] == sha256(read).hexdigest()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_a_run_into_a_folder_is_recorded_with_the_hash_of_its_manifest(
    log: Path,
    corpus: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "coded"
    assert exit_code("code", corpus, "--out", f"{out}/") == 0
    start, end = lines(log)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert start["corpus_sha256"] == end["corpus_sha256"] == manifest["corpus"]["sha256"]
    assert end["counts"] == {"coded": 2, "codes": 2, "rejected": 0}


def test_what_answers_is_named_by_its_hash_in_a_run_into_a_folder_too(
    log: Path,
    corpus: Path,
    tmp_path: Path,
) -> None:
    answers = tmp_path / "answers.jsonl"
    rows = [{"id": f"visit-{number}", "answer": "none"} for number in (1, 2)]
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = f"replay:{answers}"
    assert exit_code("code", corpus, "--model", model, "--out", f"{tmp_path / 'out'}/") == 0
    digest = sha256(answers.read_bytes()).hexdigest()
    assert [line["models"] for line in lines(log)] == [[{"name": model, "sha256": digest}]] * 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_scoring_runs_are_recorded(
    log: Path,
    tmp_path: Path,
) -> None:
    code = AssignedCode(code="A41.9", evidence=[Evidence(start=0, end=6, text="Sepsis")])
    write_rows(tmp_path / "test.jsonl", [CodedNote(id="visit-1", text="Sepsis.", codes=[code])])
    asked = ["--model", "lexicon", "--draws", 0]
    data = ["--data", tmp_path, "--out", tmp_path / "scores"]
    assert exit_code("benchmark", "jsonl", *data, *asked) == 0
    pairs = tmp_path / "pairs.jsonl"
    pair = {"text": "sepsis", "code": "A41.9", "system": "icd10cm", "release": "April-1-2026"}
    pair |= {"id": "p", "grade": "gold", "source": "tests", "origin": "public"}
    write_rows(pairs, [SpanPair.model_validate(pair)])
    assert exit_code("spans", pairs, *asked) == 0
    benchmark, spans = (line for line in lines(log) if line["event"] == "end")
    assert benchmark["notes_sha256"] == sha256(b"7:visit-1,7:Sepsis.,").hexdigest()
    assert spans["corpus_sha256"] == sha256(pairs.read_bytes()).hexdigest()
    for line in (benchmark, spans):
        assert line["outcome"] == "finished"
        assert line["models"][0]["name"] == "lexicon"


def test_serving_is_recorded(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cclearn.service.server.serve", lambda *_, **__: len(lines(log)) == 1)
    assert exit_code("serve") == 0
    start, end = lines(log)
    assert (start["command"], end["outcome"]) == ("serve", "finished")


def test_a_training_run_is_recorded(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "manifest.json").write_text('{"rows_sha256": "12"}', encoding="utf-8")
    monkeypatch.setattr("cclearn.training.sft.run_sft", lambda *_: model)
    monkeypatch.setattr(sys, "argv", ["sft.py", "--config", "tiny/sft_scratch"])
    assert launch("sft", "") == 0
    start, end = lines(log)
    assert start["models"] == []
    assert end["outcome"] == "finished"
    assert end["rows_sha256"] == "12"
    assert end["trained"] == {"name": str(model), "sha256": model_hash(model)}


def test_nothing_of_the_log_is_in_the_outputs(
    log: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    assert exit_code("code", corpus, "--out", one) == 0
    monkeypatch.setenv("CCLEARN_AUDIT", "off")
    assert exit_code("code", corpus, "--out", two) == 0
    assert one.read_bytes() == two.read_bytes()
    assert len(lines(log)) == 2


def test_the_log_holds_no_text_and_no_id(
    log: Path,
    corpus: Path,
    tmp_path: Path,
) -> None:
    assert exit_code("code", corpus, "--out", tmp_path / "coded.jsonl") == 0
    text = log.read_text(encoding="ascii")
    for word in ("visit", "Sepsis", "appendicitis", "A41", "notes.jsonl"):
        assert word not in text


def test_the_outcome_tells_how_a_run_ended(log: Path) -> None:
    def end_with(error: BaseException, *notes: Note, begins: bool = True) -> None:
        with audited("code") as audit:
            if begins:
                audit.begin()
            if notes:
                list(audit.read(notes))
            raise error

    with pytest.raises(CclearnError):
        end_with(CclearnError("no"), NOTES[0])
    with pytest.raises(KeyboardInterrupt):
        end_with(KeyboardInterrupt())
    with pytest.raises(ConfigurationError):
        end_with(ConfigurationError(["refused before it began"]), begins=False)
    with audited("code", writes=False) as audit:  # Another process of the run writes.
        audit.begin()
    events = [(line["event"], line.get("outcome"), line.get("notes")) for line in lines(log)]
    assert events == [
        ("start", None, None),
        ("end", "failed", 1),
        ("start", None, None),
        ("end", "stopped", None),
    ]


def test_notes_of_any_text_have_a_hash(log: Path) -> None:
    with audited("code") as audit:
        audit.begin()
        assert list(audit.read(NOTES)) == NOTES
    assert lines(log)[1]["notes"] == 2


@pytest.mark.parametrize("kind", ["folder", "link", "fifo"])
def test_a_named_log_that_cannot_be_written_stops_the_run_before_it_begins(
    kind: str,
    log: Path,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.parent.mkdir()
    if kind == "folder":
        log.mkdir()
    elif kind == "link":
        log.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(log)
    out = tmp_path / "coded.jsonl"
    assert exit_code("code", corpus, "--out", out) == 2
    assert "audit log" in capsys.readouterr().err
    assert not out.exists()
    assert not (tmp_path / "elsewhere").exists()


def test_the_default_log_is_in_the_state_folder_and_fails_no_run(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CCLEARN_AUDIT")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert exit_code("code", corpus, "--out", tmp_path / "one.jsonl") == 0
    assert len(lines(tmp_path / "state" / "cclearn" / "audit.jsonl")) == 2
    (tmp_path / "file").write_text("", encoding="ascii")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    capsys.readouterr()
    assert exit_code("code", corpus, "--out", tmp_path / "two.jsonl") == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if "audit" in line]
    assert len(warned) == 1


def test_runs_side_by_side_write_whole_lines(log: Path) -> None:
    def one(number: int) -> None:
        with audited("code") as audit:
            audit.begin(padding="x" * 9_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(40)))
    assert len(lines(log)) == 80


def test_a_run_that_is_killed_has_a_line_without_an_end(log: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "many.jsonl"
    write_rows(corpus, (Note(id=str(n), text="Sepsis. " * 200) for n in range(20_000)))
    command = [sys.executable, "-m", "cclearn", "code", corpus, "--out", tmp_path / "coded.jsonl"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (log.is_file() and log.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [line["event"] for line in lines(log)] == ["start"]


@pytest.mark.parametrize(("rank", "writes"), [(None, True), ("0", True), ("1", False)])
def test_of_several_processes_the_first_alone_writes(
    rank: str | None, writes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rank is None:
        monkeypatch.delenv("RANK", raising=False)
    else:
        monkeypatch.setenv("RANK", rank)
    assert is_first_process() is writes
