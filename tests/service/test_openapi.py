"""The service against its own OpenAPI document, with requests that are right and wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.served import Served

KNOWN_LINE = re.compile(
    r"[-\d]+ [:,\d]+ (DEBUG|INFO|WARNING) "
    r"(cclearn\.service\.access: (other|[A-Z]+)"
    r" (/|/docs|/code|/codes|/codes/\{code\}|/healthz|/metrics|other) \d+ [\d.]+ ms"
    r"|cclearn\.service\.server: coding with .+"
    r"|cclearn\.codes\.(system: load code system|search_index: load search index): .+"
    r"|uvicorn\.error: Started server process \[\d+\]"
    r"|uvicorn\.error: Invalid HTTP request received\."
    r"|asyncio: .+)"
)
"""A line that holds nothing of a request."""


SETTINGS = """
[[operations]]
include-name = "POST /code"
checks.negative_data_rejection.enabled = false
"""
"""An array with notes that are not valid is answered with 200 and with an error for each of them."""


@pytest.mark.parametrize("examples", [20, pytest.param(3_000, marks=pytest.mark.slow)])
def test_no_request_is_answered_other_than_the_document_says(
    lexicon: Served, tmp_path: Path, examples: int
) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"http://127.0.0.1:{lexicon.port}/openapi.json",
            *("--max-examples", str(examples), "--generation-deterministic", "--no-color"),
            # A schema cannot express that no id occurs twice.
            *("--exclude-checks", "positive_data_acceptance"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1"},
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested: 5" in done.stdout
    strange = [line for line in lexicon.log.decode().splitlines() if not KNOWN_LINE.fullmatch(line)]
    assert strange == []
