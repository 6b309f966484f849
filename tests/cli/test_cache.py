from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cclearn.engines.cache import CachedEngine
from tests.commands import exit_code
from tests.models import random_engine


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a cache with one answer."""
    path = tmp_path_factory.mktemp("cache") / "answers.sqlite"
    engine = random_engine(seed=0)
    cached = CachedEngine(engine, path)
    cached._write("key", {"secret": "appendicitis"})
    cached.close()
    return path.read_bytes()


@pytest.fixture
def cache(answers: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default cache, with the side files of a killed run."""
    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path))
    path = tmp_path / "answers.sqlite"
    path.write_bytes(answers)
    return path


def test_the_cache_is_shown_and_purged_with_its_side_files(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache.parent / "other.pickle").write_bytes(b"")
    assert exit_code("cache", "show") == 0
    assert f"{cache}: 1 answers" in capsys.readouterr().out
    # A run that was killed leaves its log behind.
    killed = sqlite3.connect(cache)
    killed.execute("INSERT INTO answers VALUES ('2', 'pneumonia')")
    killed.commit()
    wal = cache.with_name("answers.sqlite-wal")
    kept = wal.read_bytes()
    killed.close()
    wal.write_bytes(kept)
    assert exit_code("cache", "purge", "--yes") == 0
    assert f"removed {cache}" in capsys.readouterr().out
    assert [path.name for path in cache.parent.iterdir()] == ["other.pickle"]
    assert exit_code("cache", "purge", "--yes") == 0
    assert "there is none" in capsys.readouterr().out


def test_without_a_terminal_there_is_no_question(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("cache", "purge") == 2
    assert "--yes" in capsys.readouterr().err
    assert cache.exists()


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_what_is_no_cache_stays(
    content: bytes | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "file"
    if content is None:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE patients (key TEXT)")
        other.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    assert exit_code("cache", "purge", path, "--yes") == 2
    assert "no cache of answers" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_link_is_followed_to_what_it_names(
    cache: Path,
) -> None:
    link = cache.with_name("link")
    link.symlink_to(cache)
    assert exit_code("cache", "purge", link, "--yes") == 0
    assert not cache.exists()


def test_a_cache_that_a_run_has_open_stays(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = sqlite3.connect(cache)
    other.execute("SELECT count(*) FROM answers").fetchone()
    assert exit_code("cache", "purge", "--yes") == 2
    assert "another run" in capsys.readouterr().err
    assert other.execute("SELECT count(*) FROM answers").fetchone() == (1,)
    other.close()
