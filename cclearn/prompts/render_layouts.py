"""Renders chat templates in a process of its own, within limits (`cclearn.prompts.chat_template`).

Run as a script, which imports nothing of cclearn: it reads one JSON object from standard input and
writes one to standard output. The limits of processor time and memory need Linux; elsewhere the
time that the parent waits is the only limit.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

_SECONDS = 3
"""The most processor time, the imports not counted; real templates take milliseconds."""

_BYTES = 512 * 2**20
"""The most address space besides what the imports take."""

_LONGEST = 2**20
"""The most characters of one layout: what a template writes besides the messages."""


def _limit() -> None:
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):  # No POSIX, or no Linux.
        return
    size = pages * resource.getpagesize() + _BYTES
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + _SECONDS
    for kind, most in ((resource.RLIMIT_AS, size), (resource.RLIMIT_CPU, seconds)):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, hard))


def _line(error: BaseException) -> int | None:
    """Return the line of the template that raised an error."""
    line = getattr(error, "lineno", None)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename in ("<template>", "<unknown>"):
            line = frame.lineno
    return line


def _render(asked: dict[str, Any]) -> dict[str, Any]:
    from transformers.utils.chat_template_utils import render_jinja_template

    _limit()
    layouts = []
    try:
        for chat in asked["chats"]:
            rendered, _ = render_jinja_template(
                conversations=[chat["messages"]],
                chat_template=asked["template"],
                add_generation_prompt=chat["add_generation_prompt"],
                **asked["settings"],
            )
            if len(rendered[0]) > _LONGEST:
                return {"error": "OutputTooLong", "line": None}
            layouts.append(rendered[0])
    except Exception as error:
        return {"error": type(error).__name__, "line": _line(error)}
    return {"layouts": layouts}


if __name__ == "__main__":
    answer = json.dumps(_render(json.load(sys.stdin)))
    sys.stdout.write(answer)
