from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cclearn import Coder
from cclearn.bulk import BulkOptions, code_corpus
from cclearn.codes import CodeSystem
from cclearn.coding.settings import CoderSettings
from cclearn.engines.local import LocalEngine
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.notes.inputs import read_notes
from cclearn.notes.jsonl import row_to_json
from cclearn.runtime.files import locked_folder
from tests.bulk.corpora import files_in, write_jsonl
from tests.conftest import ROOT

COMMAND = [sys.executable, "-m", "cclearn", "code"]


def run(source: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, str(source), "--out", f"{out}/", *more],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_shards_contain_the_notes_of_the_coder(tmp_path: Path, system: CodeSystem) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 25)
    summary = code_corpus(source, tmp_path / "out", CoderSettings(), BulkOptions(shard_size=10))
    assert summary is not None
    assert (summary.shards, summary.rows, summary.notes, summary.rejected) == (3, 25, 25, {})
    shards = sorted((tmp_path / "out" / "shards").glob("*.jsonl"))
    expected = map(row_to_json, Coder.lexicon(system).code_many(read_notes(source)))
    assert "".join(map(Path.read_text, shards)).splitlines() == list(expected)
    before = (tmp_path / "out" / "summary.json").read_bytes()
    again = code_corpus(source, tmp_path / "out", CoderSettings(), BulkOptions(10))
    assert again is not None
    assert (again.notes, again.pace.rows) == (25, 0)
    assert "All rows were finished before." in list(again.lines(tmp_path))
    assert (tmp_path / "out" / "summary.json").read_bytes() == before


def test_a_removed_shard_is_coded_again(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 25)
    options = BulkOptions(shard_size=10)
    code_corpus(source, tmp_path / "out", CoderSettings(), options)
    before = files_in(tmp_path / "out")
    for path in (tmp_path / "out" / "shards").glob("00001.*"):
        path.unlink()
    (tmp_path / "out" / "summary.json").unlink()
    summary = code_corpus(source, tmp_path / "out", CoderSettings(), options)
    assert summary is not None
    assert (summary.rows, summary.pace.rows) == (25, 10)
    assert files_in(tmp_path / "out") == before


def test_an_input_in_the_output_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code_corpus(write_jsonl(tmp_path / "notes.jsonl", 5), out, CoderSettings())
    before = files_in(out)
    for options in (BulkOptions(), BulkOptions(overwrite=True)):
        with pytest.raises(CclearnError, match=r"is in it\. Name another folder"):
            code_corpus(out, out, CoderSettings(encounter="outpatient"), options)
    assert files_in(out) == before


def test_another_run_in_the_folder_is_refused_until_overwritten(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 5)
    code_corpus(source, tmp_path / "out", CoderSettings())
    settings = CoderSettings(encounter="outpatient")
    with pytest.raises(CclearnError, match=r"coder\.encounter: None there, outpatient here"):
        code_corpus(source, tmp_path / "out", settings)
    write_jsonl(source, 6)
    with pytest.raises(CclearnError, match=r"corpus\.rows: 5 there, 6 here; corpus\.sha256"):
        code_corpus(source, tmp_path / "out", CoderSettings())
    summary = code_corpus(source, tmp_path / "out", settings, BulkOptions(overwrite=True))
    assert summary is not None
    assert summary.notes == 6


def test_invalid_options_are_reported_together_and_leave_no_folder(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 5)
    settings = CoderSettings(model="none", pairs=tmp_path / "pairs.jsonl")
    with pytest.raises(ConfigurationError) as caught:
        code_corpus(source, tmp_path / "out", settings, BulkOptions(workers=2))
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "pairs",
        "model",
        "workers",
    ]
    with pytest.raises(CclearnError, match="no such file"):
        code_corpus(tmp_path / "none.jsonl", tmp_path / "out", CoderSettings())
    assert not (tmp_path / "out").exists()
    for settings in (
        CoderSettings(calibration=str(tmp_path / "none.json")),
        CoderSettings(pairs=tmp_path / "none.jsonl"),
    ):
        with pytest.raises(DataError, match="no such file"):
            code_corpus(source, tmp_path / "out", settings)


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_bytes(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 4_000)
    code_corpus(source, tmp_path / "whole", CoderSettings(), BulkOptions(shard_size=50))
    out = tmp_path / "out"
    for shards in (0, 3, 20):
        process = subprocess.Popen(
            [*COMMAND, str(source), "--out", str(out), "--shard-size", "50"],
            stderr=subprocess.DEVNULL,
        )
        while len(list(out.glob("shards/*.done"))) <= shards and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    done = run(source, out, "--shard-size", "50")
    assert done.returncode == 0, done.stderr
    assert "notes coded: 4,000 (" in done.stderr
    assert json.loads((out / "summary.json").read_text())["pace"]["rows"] < 4_000
    assert files_in(out) == files_in(tmp_path / "whole")


@pytest.mark.parametrize("first_process_is_gone", [False, True])
def test_a_second_run_on_the_folder_is_refused(tmp_path: Path, first_process_is_gone: bool) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 20)
    with locked_folder(tmp_path / "out", shared=first_process_is_gone):
        second = run(source, tmp_path / "out")
    assert second.returncode == 2
    assert "another run is writing to it" in second.stderr
    assert second.stderr.count("\n") == 1
    assert run(source, tmp_path / "out").returncode == 0


@pytest.mark.slow
def test_a_full_disk_is_reported_on_one_line_and_loses_nothing(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 40)
    out = tmp_path / "out"
    first = run(source, out, "--shard-size", "10")
    assert first.returncode == 0, first.stderr
    whole = files_in(out)
    for path in out.glob("shards/00003.*"):
        path.unlink()
    (out / "summary.json").unlink()
    # The largest file that a process may write stands for a full disk: the call fails likewise.
    command = [*COMMAND, str(source), "--out", str(out), "--shard-size", "10"]
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -f 1; exec "$@"', "-", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert limited.returncode == 2
    assert "00003.jsonl: File too large. Finished shards are kept" in limited.stderr
    assert limited.stderr.count("\n") == 1
    assert [path.name for path in out.glob("shards/.*")] == []
    assert run(source, out, "--shard-size", "10").returncode == 0
    assert files_in(out) == whole


@pytest.mark.slow
def test_several_processes_write_the_same_bytes(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "notes.jsonl", 95)
    source.write_bytes(source.read_bytes() + b'{"id": "torn", "te')
    code_corpus(source, tmp_path / "one", CoderSettings(), BulkOptions(shard_size=10))
    config = ROOT / "recipes" / "accelerate" / "cpu_processes.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]

    def launched(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*launch, "-m", "cclearn", "code", str(source), "--out", f"{tmp_path}/two/", *more],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    done = launched("--shard-size", "10")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("notes coded: 95 (codes: ") == 1
    assert files_in(tmp_path / "two") == files_in(tmp_path / "one")
    refused = launched("--shard-size", "20")
    assert refused.returncode != 0
    assert refused.stderr.count("shard_size: 10 there, 20 here") == 1


def test_a_model_codes_a_corpus(tmp_path: Path, random_engine: LocalEngine) -> None:
    model = tmp_path / "model"
    random_engine.model.save_pretrained(model)
    random_engine.tokenizer.save_pretrained(model)
    source = write_jsonl(tmp_path / "notes.jsonl", 6)
    settings = CoderSettings(model=str(model))
    for name in ("one", "two"):
        summary = code_corpus(source, tmp_path / name, settings, BulkOptions(shard_size=4))
        assert summary is not None
        assert summary.rows == 6
        assert summary.prompt_tokens > 0
    assert files_in(tmp_path / "one") == files_in(tmp_path / "two")
    (model / "config.json").write_text((model / "config.json").read_text() + " ")
    with pytest.raises(CclearnError, match=r"coder\.sha256\.model"):
        code_corpus(source, tmp_path / "one", settings, BulkOptions(shard_size=4))
