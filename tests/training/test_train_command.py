from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cclearn.cli.main import main
from cclearn.errors import CclearnError
from cclearn.training.checkpoints import checkpoint_folder
from tests.training.runs import overrides

COMMAND = [sys.executable, "-m", "cclearn", "train", "tiny/sft_scratch"]


def refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> str:
    monkeypatch.setattr("sys.argv", ["cclearn", "train", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_is_interrupted_can_be_resumed(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    settings = overrides(data, output, "training.save_every=2", "training.steps=400")
    with subprocess.Popen(
        [*COMMAND, *settings], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        checkpoints = checkpoint_folder(output)
        while not list(checkpoints.glob("step-*")):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        messages = process.stderr.read().splitlines()
    assert process.returncode == 130
    assert messages[-1] == "Stopped. A run with checkpoints is resumed with --resume auto."
    assert not output.exists()
    settings[settings.index("training.steps=400")] = "training.steps=6"
    done = subprocess.run(
        [*COMMAND, *settings, "--overwrite"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout == f"The model is in {output}. Next: cclearn code note.txt --model {output}\n"
    )
    assert "1 process on cpu" in done.stderr
    assert json.loads((output / "manifest.json").read_text())["steps"] == 6


def test_other_hardware_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    message = refused(capsys, monkeypatch, "qwen3-4b/sft_lora")
    assert message.startswith("hardware (hardware = one GPU of 24 GB): this machine has no GPU.")
    assert message.count("\n") == 1
    message = refused(capsys, monkeypatch, "llama-3.3-70b/sft_qlora_fsdp")
    assert "it is launched on several GPUs by: accelerate launch --config_file" in message
    # It would start, but its data are missing.
    message = refused(capsys, monkeypatch, "qwen3-4b/sft_lora", "--any-hardware")
    assert message.startswith("rows (path = data/pairs/pairs.jsonl): no such file. Build it")


def test_wrong_settings_are_refused_together(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refused(capsys, monkeypatch, "tiny/sft_scratch", "trainin.steps=1", "seed=x")
    assert message.count("\n") == 2
    assert "Did you mean 'tiny/sft_scratch'?" in refused(capsys, monkeypatch, "tiny/sft_scrach")


@pytest.mark.parametrize(
    ("precision", "has_bf16", "says"),
    [("bf16", False, True), ("bf16", True, False), ("fp32", False, False)],
)
def test_a_cpu_without_bf16_is_slow_and_says_so(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: Path,
    tmp_path: Path,
    precision: str,
    has_bf16: bool,
    says: bool,
) -> None:
    def stop(*_: object) -> Path:
        raise CclearnError("the training began")

    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr("cclearn.runtime.processors.cpu_has_bf16", lambda: has_bf16)
    monkeypatch.setattr("cclearn.training.sft.run_sft", stop)
    settings = overrides(data, tmp_path / "model", f"training.precision={precision}")
    monkeypatch.setattr("sys.argv", ["cclearn", "train", "tiny/sft_scratch", *settings])
    with pytest.raises(SystemExit):
        main()
    message = capsys.readouterr().err
    assert "the training began" in message
    assert ("Set training.precision=fp32." in message) is says
