"""Debugging shows steps and causes, and never text of a note."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cclearn.errors import CclearnError, DataError, foreign_errors
from cclearn.runtime.debugging import cause_lines, is_debugging, logged_step, start_debugging

SECRET = "Mrs Jones has pneumonia"


@pytest.fixture
def restored_level() -> Iterator[None]:
    logger = logging.getLogger("cclearn")
    before = logger.level
    yield
    logger.setLevel(before)


def caught(message: str) -> CclearnError:
    with (
        pytest.raises(DataError) as raised,
        foreign_errors(lambda location: DataError("a.json", f"cannot be read ({location})")),
    ):
        raise ValueError(message)
    return raised.value


def test_the_cause_of_an_error_is_shown_without_its_message() -> None:
    cause, *frames = cause_lines(caught(SECRET))
    assert cause == "builtins.ValueError"
    assert any(line.startswith(f"  {__file__}:") and line.endswith(":caught") for line in frames)
    assert any(line.startswith("cclearn.errors.DataError: a.json: cannot be") for line in frames)
    assert SECRET not in "\n".join([cause, *frames])


def test_causes_that_refer_to_each_other_end() -> None:
    one, two = ValueError(SECRET), KeyError(SECRET)
    one.__context__, two.__context__ = two, one
    assert cause_lines(one) == ["builtins.KeyError", "builtins.ValueError"]


def test_steps_are_logged_with_their_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cclearn")
    with logged_step("load model", "cclearn.models"):
        pass
    with pytest.raises(ValueError, match=SECRET), logged_step("read"):
        raise ValueError(SECRET)
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == "load model: started"
    assert messages[1].startswith("load model: finished in 0.0")
    assert messages[3].startswith("read: ValueError after 0.0")
    assert SECRET not in caplog.text
    assert caplog.records[0].name == "cclearn.models"


@pytest.mark.usefixtures("restored_level")
def test_the_variable_and_the_option_switch_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CCLEARN_DEBUG", raising=False)
    start_debugging()
    assert not is_debugging()
    monkeypatch.setenv("CCLEARN_DEBUG", "0")
    start_debugging()
    assert not is_debugging()
    monkeypatch.setenv("CCLEARN_DEBUG", "1")
    start_debugging()
    assert is_debugging()


@pytest.mark.parametrize("variable", ["", "1"])
def test_a_command_shows_the_cause_if_it_is_asked_to(tmp_path: Path, variable: str) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(f'{{"id": "a", "text": "{SECRET}"')
    command = [sys.executable, "-m", "cclearn", *([] if variable else ["--debug"]), "code", path]
    environment = {**os.environ, "CCLEARN_DEBUG": variable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert any(line.endswith("load code system: started") for line in lines)
    assert f"{path}:1: not JSON at column" in done.stderr
    assert "json.decoder.JSONDecodeError" in lines
    assert any(line.endswith(":decode_json") for line in lines)
    assert "pneumonia" not in done.stderr
    plain = subprocess.run(
        [sys.executable, "-m", "cclearn", "code", path],
        env={**os.environ, "CCLEARN_DEBUG": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(plain.stderr.splitlines()) == 1
