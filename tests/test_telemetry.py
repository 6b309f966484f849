from __future__ import annotations

import os
import subprocess
import sys

import pytest

_SEND = """
from huggingface_hub.utils import _telemetry
sent = []
_telemetry._start_telemetry_thread = lambda: None
_telemetry._TELEMETRY_QUEUE.put = sent.append
_telemetry.send_telemetry("cclearn/test")
print(len(sent))
"""


def sent(imports: str, **variables: str) -> int:
    """Return how many pings a process would send after these imports."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if "TELEMETRY" not in name and name not in ("HF_HUB_OFFLINE", "DO_NOT_TRACK")
    }
    done = subprocess.run(
        [sys.executable, "-c", f"import {imports}\n{_SEND}"],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.parametrize(
    "imports", ["cclearn, huggingface_hub", "huggingface_hub.constants, cclearn"]
)
def test_nothing_is_sent_whichever_is_imported_first(imports: str) -> None:
    assert sent("huggingface_hub") == 1
    assert sent(imports) == 0


def test_who_asks_for_telemetry_keeps_it() -> None:
    assert sent("huggingface_hub.constants, cclearn", HF_HUB_DISABLE_TELEMETRY="0") == 1
