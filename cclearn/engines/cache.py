"""A cache of answers on disk, so that no request is answered or paid for twice."""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from cclearn.engines.base import Answer, Choice, Engine, LogLikelihoods, Request, TokenPiece
from cclearn.errors import CclearnError, foreign_errors
from cclearn.runtime.durable import make_folder
from cclearn.runtime.files import sha256_of_text

_MOST_WAITING = 8_192
"""Maximum number of cached answers that wait for a new answer before them."""


class CachedEngine(Engine):
    """Passes only new requests on to another engine.

    The key of an answer is the SHA-256 of the engine's identity (weights, decoding), the prompt and the
    grammar. The identity is read again at each call, because a server may run another model by then.
    Answers without a problem are cached. They contain words of the notes, so only the owner can read
    the file. A cached answer counts no GPU time.

    Args:
        engine: Engine that answers new requests. If it has no identity, nothing is cached.
        path: SQLite file of the cache.

    Attributes:
        hits: Number of answers that were found in the cache.

    Raises:
        CclearnError: The file is not a cache of answers.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.name = engine.name
        self.grounded = engine.grounded
        self.gives_log_likelihoods = engine.gives_log_likelihoods
        self.variant = engine.variant
        self.hits = 0
        make_folder(path.parent)
        path.touch(mode=0o600, exist_ok=True)
        with foreign_errors(self._unwritable):
            path.chmod(0o600)  # It contains words of notes.
        self._path = path
        with foreign_errors(self._damaged):
            # Each answer is committed at once, and several runs may share the file.
            self._answers = sqlite3.connect(path, isolation_level=None, timeout=60)
            self._answers.execute("PRAGMA journal_mode = WAL")
            self._answers.execute("PRAGMA synchronous = NORMAL")
            self._answers.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)"
            )

    @property
    def model_sha256(self) -> str:
        """The hash of the engine's model."""
        return self.engine.model_sha256

    @property
    def identity(self) -> str:
        """The identity of the engine."""
        return self.engine.identity

    def fits(self, request: Request) -> bool:
        """Return whether a prompt leaves room for an answer."""
        return self.engine.fits(request)

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the answers to requests in order."""
        identity = self.identity
        if not identity:
            yield from self.engine.generate(requests)
            return
        unread = iter(requests)
        waiting: deque[tuple[str, Answer | None]] = deque()
        for first in unread:
            for made in self.engine.generate(self._new(chain([first], unread), waiting, identity)):
                yield from _known(waiting)
                key, _ = waiting.popleft()
                self._keep(key, made)
                yield made
            yield from _known(waiting)

    def _new(
        self,
        requests: Iterator[Request],
        waiting: deque[tuple[str, Answer | None]],
        identity: str,
    ) -> Iterator[Request]:
        while len(waiting) < _MOST_WAITING and (request := next(requests, None)) is not None:
            key = _key(identity, list(request.prompt), request.grammar)
            known = self._find(key, request)
            waiting.append((key, known))
            if known is None:
                yield request
            else:
                self.hits += 1

    def log_likelihoods(self, choices: Iterable[Choice]) -> Iterator[LogLikelihoods]:
        """Yield the log-likelihoods of choices in order."""
        identity = self.identity
        for choice in choices:
            key = _key(identity, list(choice.prompt), list(choice.answers), choice.complete)
            row = self._row(key) if identity else None
            with foreign_errors(self._damaged):
                found = None if row is None else LogLikelihoods(**{**row, "id": choice.id})
            if found is not None and found.problem is None:
                self.hits += 1
                yield found
                continue
            (made,) = self.engine.log_likelihoods([choice])
            if identity and made.problem is None:
                self._write(key, {**asdict(made), "gpu_seconds": 0.0})
            yield made

    def key(self, request: Request, identity: str) -> str:
        """Return the key of the answer to a request.

        Args:
            request: The request.
            identity: Identity of the engine, for which a server may be asked.
        """
        return _key(identity, list(request.prompt), request.grammar)

    def known(self, request: Request, identity: str) -> Answer | None:
        """Return the cached answer to a request. None if there is none.

        Args:
            request: The request.
            identity: Identity of the engine. If it is empty, nothing is cached.
        """
        return self._find(self.key(request, identity), request) if identity else None

    def has(self, key: str) -> bool:
        """Return whether there is an answer with a key."""
        return self._row(key) is not None

    def keep(self, key: str, answer: Answer) -> None:
        """Cache an answer that was given elsewhere, unless it has a problem.

        Args:
            key: Key of its request.
            answer: The answer.
        """
        self._keep(key, answer)

    def close(self) -> None:
        """Close the file."""
        self._answers.close()

    def _find(self, key: str, request: Request) -> Answer | None:
        row = self._row(key)
        if row is None:
            return None
        with foreign_errors(self._damaged):
            row["pieces"] = [TokenPiece(**piece) for piece in row["pieces"]]
            found = Answer(**{**row, "id": request.id})
        return found if found.problem is None else None

    def _keep(self, key: str, answer: Answer) -> None:
        if answer.problem is None:
            self._write(key, {**asdict(answer), "gpu_seconds": 0.0})

    def _row(self, key: str) -> dict[str, Any] | None:
        ask = "SELECT answer FROM answers WHERE key = ?"
        with foreign_errors(self._damaged):
            found = self._answers.execute(ask, (key,)).fetchone()
            return None if found is None else dict(json.loads(found[0]))

    def _write(self, key: str, row: dict[str, Any]) -> None:
        with foreign_errors(self._damaged):
            self._answers.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, json.dumps(row))
            )

    def _unwritable(self, location: str) -> CclearnError:
        return CclearnError(
            f"cache (path = {self._path}): it belongs to another user ({location}). Name another file."
        )

    def _damaged(self, location: str) -> CclearnError:
        if "OperationalError" in location:
            return CclearnError(
                f"cache (path = {self._path}): it cannot be read or written now ({location}). Free some"
                " space on the disk, wait for a run that has locked it, or name another file."
            )
        return CclearnError(
            f"cache (path = {self._path}): it is not a cache of answers, or is damaged ({location})."
            " Remove it, or name another file."
        )


def _key(identity: str, *parts: object) -> str:
    return sha256_of_text(json.dumps([identity, *parts], sort_keys=True))


def _known(waiting: deque[tuple[str, Answer | None]]) -> Iterator[Answer]:
    while waiting and (answer := waiting[0][1]) is not None:
        waiting.popleft()
        yield answer
