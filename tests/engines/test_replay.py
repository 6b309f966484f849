"""Answers that are read from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.engines.registry import load_engine
from cclearn.errors import DataError
from tests.engines.servers import requests


def test_answers_are_replayed_by_id(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text('{"id": "1", "answer": "x"}\n{"id": "0", "answer": "y", "complete": false}\n')
    replay = load_engine(f"replay:{path}")
    answers = list(replay.generate(requests(3)))
    assert [(a.text, a.complete, a.problem) for a in answers] == [
        ("y", False, None),
        ("x", True, None),
        ("", True, "no_answer"),
    ]
    assert replay.name == "said"
    path.write_text(
        '{"id": "1", "answer": "x"}\n[]\n{"id": 2, "answer": "x"}\n{"id": "1", "answer": ""}\n'
    )
    with pytest.raises(DataError) as error:
        load_engine(f"replay:{path}")
    said = str(error.value)
    assert f"{path}:2:" in said
    assert f"{path}:3:" in said
    assert f"{path}:4: id '1' occurs twice" in said
