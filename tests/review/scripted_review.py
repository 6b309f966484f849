"""A review that decides at once and prints each decision that is confirmed. Tests kill it."""

from __future__ import annotations

import sys
from pathlib import Path

from cclearn.codes import CodeSystem
from tests.review.reviews import do, start

session = start(Path(sys.argv[1]), CodeSystem.load("icd10cm"), [])
print("ready", flush=True)  # noqa: T201
actions = ["accept", "reject", "defer", "insufficient"]
for number in range(1_000_000):
    do(session, actions[number % 4], number % 3, key=f"p{number % 2}")
    last = [*session.log.events(f"n{number % 3}")][-1]
    print(last.model_dump_json(), flush=True)  # noqa: T201
