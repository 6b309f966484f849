"""Peak memory of reading bodies that are made to take much of it.

python -m tests.service.body_memory [MEBIBYTES]

Writes a JSON object: for each body the peak beyond what was resident before, in multiples of the body's
length, the seconds, and the status that it is refused with.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cclearn.service.bodies import JSON, LINES, Form, parse_notes
from cclearn.service.refusal import Refused

MOST_NOTES = 256


def repeated(unit: str, size: int, begin: str = "[", end: str = "]") -> bytes:
    """Return JSON that repeats a unit, with commas between, up to a size in bytes."""
    count = size // (len(unit) + 1)
    return (begin + ",".join([unit] * count) + end).encode()


def keys(size: int) -> bytes:
    """Return a note with as many unknown keys as fit."""
    members = ",".join(f'"{number}":1' for number in range(size // 11))
    return f'{{"id":"a","text":"",{members}}}'.encode()


def note(text: str) -> bytes:
    """Return a note whose text is written as it is given."""
    return b'{"id":"a","text":"' + text.encode() + b'"}'


BODIES: dict[str, tuple[Form, Callable[[int], bytes]]] = {
    "unknown keys": (JSON, keys),
    "unknown keys of notes": (
        JSON,
        lambda size: b"[" + b",".join([keys(size // MOST_NOTES)] * (MOST_NOTES - 1)) + b"]",
    ),
    "unknown keys of lines": (LINES, lambda size: b"\n".join([keys(size // 100)] * 99)),
    "empty arrays": (JSON, lambda size: repeated("[]", size)),
    "empty objects": (JSON, lambda size: repeated("{}", size)),
    "numbers": (JSON, lambda size: repeated("1.5", size)),
    "texts of wrong type": (JSON, lambda size: repeated("1", size, '{"id":"a","text":[', "]}")),
    "many small notes": (JSON, lambda size: repeated('{"id":"a","text":""}', size)),
    "many small lines": (LINES, lambda size: b'{"id":"a","text":""}\n' * (size // 21)),
    "lines that are no JSON": (LINES, lambda size: b"x\n" * (size // 2)),
    "many values after a line that is no JSON": (
        LINES,
        lambda size: b'"\\x\n' + repeated("[]", size),
    ),
    "bad notes of one text": (
        JSON,
        lambda size: b"[" + b",".join([note("x" * (size // MOST_NOTES))] * (MOST_NOTES - 1)) + b"]",
    ),
    "blank lines": (LINES, lambda size: b"\n" * size),
    "blanks": (LINES, lambda size: b" " * size),
    "nesting": (JSON, lambda size: b"[" * size),
    "nesting of objects": (JSON, lambda size: b'{"":' * (size // 4)),
    "a long number": (JSON, lambda size: b"9" * size),
    "a long fraction": (JSON, lambda size: b"0." + b"9" * size),
    "a long key": (JSON, lambda size: b'{"' + b"k" * size + b'":1}'),
    "a string without an end": (JSON, lambda size: b'{"text":"' + b'\\"' * (size // 2)),
    "quotes": (JSON, lambda size: b'"' * size),
    "a long note": (JSON, lambda size: note("x" * size)),
    "a long note with a wide character": (JSON, lambda size: note("x" * size + "\U0001f600")),
    "a long note of escapes": (JSON, lambda size: note("\\u00e9" * (size // 6))),
}


def resident(name: str) -> int:
    """Return a size of this process's memory in bytes: `VmRSS`, or `VmHWM` for the peak."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)
    )
    return 1024 * int(line.split()[1])


def measure(form: Form, body: bytes) -> dict[str, Any]:
    """Read a body, and return what it took."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # Memory that was freed would else be taken again, unseen.
    Path("/proc/self/clear_refs").write_text("5")  # Resets the peak.
    before, begun, status = resident("VmRSS"), time.perf_counter(), 200
    try:
        parse_notes(body, form, MOST_NOTES)
    except Refused as refused:
        status = refused.status
    seconds = time.perf_counter() - begun
    times = (resident("VmHWM") - before) / len(body)
    return {"times": round(times, 2), "seconds": round(seconds, 2), "status": status}


def main() -> None:
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else 7) * 2**20)
    measure(JSON, b'{"id": "a", "text": "x"}')
    found = {name: measure(form, make(size)) for name, (form, make) in BODIES.items()}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
