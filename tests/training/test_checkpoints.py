from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cclearn.errors import CclearnError, ConfigurationError
from cclearn.training.checkpoints import (
    MARKER,
    checkpoint_folder,
    fingerprint,
    latest_checkpoint,
    mark_finished,
    publish_checkpoint,
    read_checkpoint,
    remove_finished,
)
from cclearn.training.recipe_file import load_recipe
from cclearn.training.sft import run_sft
from tests.training.runs import losses, script, tiny_recipe

RUN = {"seed": 0, "rows_sha256": "a"}


def published(folder: Path, step: int, keep: int = 2) -> Path:
    written = folder / "writing" / f"checkpoint-{step}"
    written.mkdir(parents=True)
    (written / "model.safetensors").write_bytes(bytes([step]) * 100)
    (written / "training_args.bin").write_bytes(b"pickled")
    publish_checkpoint(written, folder, step, 1.5 * step, RUN, keep)
    return folder / f"step-{step:08d}"


def test_the_last_complete_checkpoint_is_found(tmp_path: Path) -> None:
    messages: list[str] = []
    assert latest_checkpoint(tmp_path, RUN, messages.append) is None
    for step in (2, 4, 6):
        checkpoint = published(tmp_path, step)
        assert not (checkpoint / "training_args.bin").exists()
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-00000004", "step-00000006"]
    found = latest_checkpoint(tmp_path, RUN, messages.append)
    assert found is not None
    assert (found.step, found.seconds, messages) == (6, 9.0, [])


def test_changed_and_incomplete_checkpoints_are_skipped(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        published(tmp_path, step, keep=3)
    (tmp_path / "step-00000006" / MARKER).unlink()
    weights = tmp_path / "step-00000004" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[50] ^= 1
    weights.write_bytes(content)
    messages: list[str] = []
    found = latest_checkpoint(tmp_path, RUN, messages.append)
    assert found is not None
    assert found.step == 2
    assert "it is incomplete" in messages[0]
    assert "has changed since it was written" in messages[1]
    with pytest.raises(CclearnError, match=r"model\.safetensors has changed since it was written"):
        read_checkpoint(weights.parent, RUN)


def test_a_checkpoint_of_another_run_is_refused_with_the_difference(tmp_path: Path) -> None:
    checkpoint = published(tmp_path, 2)
    other = {**RUN, "seed": 1, "rows_sha256": "b"}
    with pytest.raises(ConfigurationError) as error:
        latest_checkpoint(tmp_path, other, print)
    assert len(error.value.problems) == 2
    assert "seed was 0 and is 1" in str(error.value)
    with pytest.raises(ConfigurationError):
        read_checkpoint(checkpoint, other)


def test_a_recipe_with_other_metadata_resumes_the_run(tmp_path: Path) -> None:
    recipe = load_recipe("tiny/sft_scratch")
    described = load_recipe(
        "tiny/sft_scratch", ["description=Another.", "hardware=null", "ablations={}"]
    )
    assert described != recipe
    written = tmp_path / "writing"
    written.mkdir()
    publish_checkpoint(written, tmp_path, 2, 1.0, fingerprint(recipe), keep=1)
    found = latest_checkpoint(tmp_path, fingerprint(described), print)
    assert found is not None
    assert found.step == 2


def test_checkpoints_are_removed_after_their_model_is_published(tmp_path: Path) -> None:
    checkpoints, manifest = tmp_path / "run.checkpoints", tmp_path / "run" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text('{"seconds": 1}')
    remove_finished(checkpoints, manifest)
    mark_finished(checkpoints, manifest)
    assert not checkpoints.exists()
    checkpoint = published(checkpoints, 2)
    remove_finished(checkpoints, manifest)
    mark_finished(checkpoints, manifest)
    manifest.write_text('{"seconds": 2}')  # The model of another run.
    remove_finished(checkpoints, manifest)
    assert (checkpoint / MARKER).exists()
    mark_finished(checkpoints, manifest)
    remove_finished(checkpoints, manifest)
    assert not checkpoints.exists()


def test_the_remains_of_a_run_killed_at_its_end_are_removed(data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(data, tmp_path / "run", "training.steps=4", "training.save_every=2")
    checkpoints = checkpoint_folder(tmp_path / "run")
    run_sft(recipe)
    published(checkpoints, 2)
    mark_finished(checkpoints, tmp_path / "run" / "manifest.json")
    (tmp_path / ".run.partial").touch()
    with pytest.raises(CclearnError, match="exists already"):
        run_sft(recipe, resume="auto")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_files_are_private_and_checkpoints_are_removed_last(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, int] = {}
    happened: list[str] = []
    replace, rmtree, fsync = os.replace, shutil.rmtree, os.fsync

    def look(source: Path, target: Path) -> None:
        if Path(target).name.startswith("step-"):
            places = [target.parent, source.parent, source, *Path(source).rglob("*")]
            seen.update({path.name: path.stat().st_mode & 0o777 for path in places})
        replace(source, target)
        happened.append(f"{Path(source).name} -> {Path(target).name}")

    def remove(path: Path, *more: object, **options: object) -> None:
        happened.append(f"remove {Path(path).name}")
        rmtree(path, *more, **options)  # type: ignore[arg-type]

    def flushed(descriptor: int) -> None:
        fsync(descriptor)
        happened.append(f"flush {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")

    monkeypatch.setattr(os, "replace", look)
    monkeypatch.setattr(shutil, "rmtree", remove)
    monkeypatch.setattr(os, "fsync", flushed)
    before = os.umask(0o022)
    try:
        run_sft(tiny_recipe(data, tmp_path / "run", "training.steps=4", "training.save_every=2"))
    finally:
        os.umask(before)
    assert {"optimizer.pt", "trainer_state.json", "tokenizer.json", "model.safetensors"} <= {*seen}
    folders = {"run.checkpoints", "writing", "checkpoint-2"}
    assert {name: seen[name] for name in seen} == {
        name: 0o700 if name in folders else 0o600 for name in seen
    }
    for path in (tmp_path / "run", *(tmp_path / "run").rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    named = happened.index(".run.partial.new -> run")
    assert "flush model.safetensors" in happened[:named]
    assert happened[named - 1] == "flush .run.partial.new"
    assert happened[named + 1] == f"flush {tmp_path.name}"
    assert happened.index("remove run.checkpoints") > named + 1


def stopped(data: Path, output: Path, *more: str) -> Path:
    """Start a run of twelve steps, and kill it once it has written a checkpoint."""
    settings = ["training.steps=12", "training.save_every=3", "training.keep=9", *more]
    process = subprocess.Popen(
        script(data, output, *settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    checkpoint = checkpoint_folder(output) / "step-00000006"
    deadline = time.monotonic() + 120
    while not (checkpoint / MARKER).exists() and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    assert checkpoint.exists()
    return checkpoint


@pytest.mark.slow
@pytest.mark.parametrize(
    "batching",
    # 81 rows: the second time the run is stopped in its second epoch.
    [("packed", "512"), ("grouped", "1024")],
)
def test_a_killed_run_is_resumed_with_the_same_result(
    data: Path, tmp_path: Path, batching: tuple[str, str]
) -> None:
    size = [f"training.batching={batching[0]}", f"training.batch_tokens={batching[1]}"]
    settings = [*size, "training.steps=12", "training.keep=9"]
    whole = run_sft(tiny_recipe(data, tmp_path / "whole", *settings, "training.save_every=3"))
    assert not checkpoint_folder(whole).exists()
    output = tmp_path / "run"
    checkpoint = stopped(data, output, *size)
    assert not output.exists()
    again = tiny_recipe(data, output, *settings, "training.save_every=3")
    with pytest.raises(CclearnError, match="--resume auto"):
        run_sft(again)
    other = again.model_copy(update={"seed": 1})
    with pytest.raises(ConfigurationError, match="seed was 0 and is 1"):
        run_sft(other, resume="auto")
    # There may be later checkpoints. The one that the run resumes from must not matter.
    shutil.rmtree(checkpoint_folder(output) / "step-00000009", ignore_errors=True)
    done = subprocess.run(
        script(data, output, *settings, "training.save_every=3", "--resume", "auto"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Resuming after step 6." in done.stderr
    assert "missing keys" not in done.stderr  # Tied weights are in a checkpoint once.
    assert (output / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert losses(output) == losses(whole)
    manifest = json.loads((output / "manifest.json").read_text())
    assert (manifest["resumed_from"], manifest["steps"]) == (6, 12)
    assert (
        manifest["tokens_seen"] == json.loads((whole / "manifest.json").read_text())["tokens_seen"]
    )
    assert not checkpoint_folder(output).exists()
    assert not checkpoint.exists()


@pytest.mark.slow
def test_a_full_disk_is_reported_and_leaves_no_output(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    # No file may grow beyond 60 kB: the weights do not fit.
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 60; trap "" XFSZ; exec "$@"', "bash", *script(data, output)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "it cannot be written" in done.stderr
    assert "Free some space" in done.stderr
    assert not output.exists()


def test_one_run_at_a_time_writes_to_an_output(data: Path, tmp_path: Path) -> None:
    from cclearn.runtime.files import locked_folder

    recipe = tiny_recipe(data, tmp_path / "run", "training.steps=4", "training.save_every=2")
    checkpoints = checkpoint_folder(tmp_path / "run")
    with locked_folder(checkpoints):
        theirs = published(checkpoints, 2)
        with pytest.raises(CclearnError, match="another run is writing to it"):
            run_sft(recipe, overwrite=True)
        assert (theirs / MARKER).exists()
    run_sft(recipe, overwrite=True)
    assert not checkpoints.exists()


def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cclearn.training import sft

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sft._Trainer, "train", fail)
    with pytest.raises(KeyboardInterrupt):
        run_sft(tiny_recipe(data, tmp_path / "run", "training.save_every=2"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_beside_the_output(data: Path, tmp_path: Path) -> None:
    run_sft(tiny_recipe(data, tmp_path / "run", "training.steps=4", "training.save_every=2"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    # A run that replaces another one also removes its checkpoints.
    left = checkpoint_folder(tmp_path / "run") / "step-00000002"
    left.mkdir(parents=True)
    run_sft(tiny_recipe(data, tmp_path / "run", "training.steps=2"), overwrite=True)
    assert not left.exists()
