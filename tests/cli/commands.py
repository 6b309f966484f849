"""Runs commands in this process, which is faster than starting Python for each of them."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from cclearn.cli.main import main

CCLEARN = [sys.executable, "-m", "cclearn.cli.main"]
"""The command line in a process of its own."""


def run(
    *arguments: str | Path | int, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command. No stream is a terminal.

    Args:
        *arguments: Arguments of `cclearn`.
        stdin: What the command reads from standard input.
        cwd: Working directory of the command.
    """
    command = ["cclearn", *map(str, arguments)]
    outputs = [io.BytesIO(), io.BytesIO()]
    streams = [io.TextIOWrapper(output, encoding="utf-8") for output in outputs]
    code: str | int | None = 0
    with (
        mock.patch.object(sys, "argv", command),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
        redirect_stdout(streams[0]),
        redirect_stderr(streams[1]),
        warnings.catch_warnings(),
        chdir(cwd or "."),
    ):
        warnings.simplefilter("default")
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    for stream in streams:
        stream.flush()
    assert isinstance(code, int)
    return subprocess.CompletedProcess(command, code, *(output.getvalue() for output in outputs))


def fails(*arguments: str | Path, stdin: bytes = b"") -> str:
    """Run a command that must fail as a user's error: exit code 2, nothing on stdout, no traceback."""
    done = run(*arguments, stdin=stdin)
    message = done.stderr.decode()
    assert done.returncode == 2, message
    assert "Traceback" not in message
    return message


def one_line(message: str) -> str:
    assert message.endswith("\n")
    assert message.count("\n") == 1, message
    return message
