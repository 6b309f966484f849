"""Answers that are kept on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cclearn.engines import Request
from cclearn.engines.cache import CachedEngine
from cclearn.engines.registry import load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError
from tests.engines.servers import GOOD, completion, engine, requests, serving

pytestmark = pytest.mark.usefixtures("openai_environment")


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "answers.sqlite"
    failing = [completion("a"), 400, completion("c", finish="length")]
    with serving(lambda body, number: failing[number - 1] if number <= 3 else GOOD) as server:
        asked = CachedEngine(engine(server.url, concurrency=1), path)
        first = list(asked.generate(requests(3)))
        assert [answer.problem for answer in first] == [None, "http_400", None]
        # What failed is asked again; what was answered, even at the limit of tokens, is not.
        again = list(asked.generate(requests(3)))
        assert len(server.asked) == 4
        assert (again[0], again[2]) == (first[0], first[2])
        assert again[1].text == "- heart failure => I50.9"
        asked.close()
        # Other settings, other answers; and another process finds what was kept.
        other = CachedEngine(engine(server.url, concurrency=1, max_new_tokens=5), path)
        list(other.generate(requests(1)))
        assert len(server.asked) == 5
        other.close()
        same = CachedEngine(engine(server.url, concurrency=1), path)
        mixed = list(same.generate([*requests(4), *requests(2)]))
        assert [answer.id for answer in mixed] == ["0", "1", "2", "3", "0", "1"]
        assert len(server.asked) == 6
        assert same.hits == 5
        same.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.touch(0o644)
    with serving(lambda body, number: GOOD) as server:
        CachedEngine(engine(server.url), path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_another_run_has_locked_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.sqlite"
    with serving(lambda body, number: GOOD) as server:
        cached = CachedEngine(engine(server.url), path)
        cached._answers.execute("PRAGMA busy_timeout = 1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CclearnError, match="wait for a run that has locked it") as error:
            list(cached.generate(requests(1)))
        assert "Remove" not in str(error.value)
        other.close()
        cached.close()
    broken = tmp_path / "broken.sqlite"
    broken.write_text("this is no database, but it is long enough to be looked at")
    with pytest.raises(CclearnError, match=r"cache \(path = .*broken"):
        CachedEngine(engine("http://127.0.0.1:9/v1"), broken)


def test_known_answers_wait_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cclearn.engines.cache._MOST_WAITING", 6)
    taken = 0

    def stream() -> Iterator[Request]:
        nonlocal taken
        for request in requests(40):
            taken += 1
            yield request

    def echo(body: dict[str, Any], number: int) -> dict[str, Any]:
        return completion(body["messages"][-1]["content"].rpartition("note ")[2])

    with serving(echo) as server:
        asked = CachedEngine(engine(server.url, concurrency=2), tmp_path / "answers.sqlite")
        known = [r for r in requests(40) if int(r.id) < 20 or int(r.id) % 3]
        list(asked.generate(known))
        for given, answer in enumerate(asked.generate(stream())):
            assert (answer.id, answer.text) == (str(given), str(given))
            assert taken - given <= 7
        assert taken == given + 1 == 40
        assert asked.hits == len(known)
        assert len(server.asked) == 40
        asked.close()


def test_local_answers_are_kept_where_one_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.models import random_engine

    made = random_engine()
    made.model.save_pretrained(tmp_path / "model")
    made.tokenizer.save_pretrained(tmp_path / "model")
    settings = EngineSettings(max_new_tokens=8, cache=tmp_path / "answers.sqlite")
    first = load_engine(str(tmp_path / "model"), settings)
    answers = list(first.generate(requests(3)))
    again = load_engine(str(tmp_path / "model"), settings)
    assert isinstance(again, CachedEngine)
    monkeypatch.setattr(again.engine, "_answer_chunk", None)
    assert list(again.generate(requests(3))) == answers
    assert again.hits == 3
    first.close()  # type: ignore[attr-defined]
    again.close()
    assert not isinstance(load_engine(str(tmp_path / "model")), CachedEngine)
