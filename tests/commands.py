"""Commands in this process, which are faster than a process of Python for each of them."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

from cclearn.cli.main import main

CCLEARN = [sys.executable, "-m", "cclearn.cli.main"]
"""The command line in a process of its own."""


def exit_code(*arguments: object) -> int:
    """Run a command with the streams of this process, and return its exit code."""
    with mock.patch.object(sys, "argv", ["cclearn", *map(str, arguments)]):
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0)
    return 0


def _write_warning(
    message: Warning | str, category: type[Warning], filename: str, number: int, *_: Any
) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, number))


def run(
    *arguments: str | Path | int, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose streams are no terminal, and return what it wrote.

    Args:
        *arguments: Arguments of `cclearn`.
        stdin: What the command reads from standard input.
        cwd: Working directory of the command.
    """
    outputs = [io.BytesIO(), io.BytesIO()]
    streams = [io.TextIOWrapper(output, encoding="utf-8") for output in outputs]
    with (
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
        redirect_stdout(streams[0]),
        redirect_stderr(streams[1]),
        warnings.catch_warnings(),
        chdir(cwd or "."),
    ):
        warnings.simplefilter("default")
        warnings.showwarning = _write_warning  # Pytest's own would keep the warnings.
        code = exit_code(*arguments)
    for stream in streams:
        stream.flush()
    out, err = (output.getvalue() for output in outputs)
    return subprocess.CompletedProcess(arguments, code, out, err)


def fails(*arguments: str | Path, stdin: bytes = b"") -> str:
    """Run a command that must fail as a user's error: exit code 2, nothing on stdout, no traceback."""
    done = run(*arguments, stdin=stdin)
    message = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b""), message
    assert "Traceback" not in message
    return message


def one_line(message: str) -> str:
    """Return a message, which must be one line."""
    assert message.endswith("\n")
    assert message.count("\n") == 1, message
    return message
