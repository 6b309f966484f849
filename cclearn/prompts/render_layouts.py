"""Rendering of chat templates in a separate process with limits (`cclearn.prompts.chat_template`).

The module is run as a script and imports nothing from cclearn. It reads a JSON object from standard
input and writes one to standard output. The limits of processor time and memory need Linux. On other
systems the time limit of the parent process is the only limit.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

_SECONDS = 3
"""Limit of processor time without the imports. Real templates take milliseconds."""

_BYTES = 512 * 2**20
"""Limit of address space in addition to that of the imports."""

_LONGEST = 2**20
"""Maximum number of characters of a layout, without the messages."""


def _limit() -> None:
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):  # The system is not Linux.
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


def _render(task: dict[str, Any]) -> dict[str, Any]:
    from transformers.utils.chat_template_utils import render_jinja_template

    _limit()
    layouts = []
    try:
        for chat in task["chats"]:
            rendered, _ = render_jinja_template(
                conversations=[chat["messages"]],
                chat_template=task["template"],
                add_generation_prompt=chat["add_generation_prompt"],
                **task["settings"],
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
