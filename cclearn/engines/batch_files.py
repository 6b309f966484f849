"""Batches of requests in OpenAI's format, whose answers are put into the cache.

A batch costs half as much and takes up to 24 hours (https://developers.openai.com/api/docs/guides/batch).
`vllm run-batch` reads the same files. Requests are reconciled by the keys of the cache, which are
hashes, so that no id of a note leaves the machine. The folder of the batches contains:

- `requests-00001.jsonl` and so on: requests, at most `MAX_REQUESTS` and `MAX_BYTES` in a file.
- `answers-*.jsonl`: answers, if another program wrote them there.
- `batch.json`: which files were uploaded, and how far they are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, Field

from cclearn.engines.base import Answer, Engine, Request
from cclearn.engines.cache import CachedEngine
from cclearn.engines.openai import OpenAIEngine
from cclearn.engines.planning import Plan
from cclearn.errors import (
    ConfigurationError,
    DataError,
    RestrictedTextError,
    foreign_errors,
    shown_id,
)
from cclearn.runtime.durable import make_folder
from cclearn.runtime.files import read_lines, write_json
from cclearn.runtime.parsing import parse_json, read_json

if TYPE_CHECKING:
    from openai import OpenAI

    from cclearn.engines.settings import EngineSettings

MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
"""Limits of a file of OpenAI's batches."""

ENDPOINT: Final = "/v1/chat/completions"

_FINISHED = ("completed", "expired", "failed", "cancelled")

Status = Literal[
    "written", "uploaded", "submitted", "completed", "expired", "failed", "cancelled", "collected"
]


class BatchFile(BaseModel):
    """A file of requests.

    Attributes:
        name: Name of the file.
        requests: Number of its requests.
        status: How far it is.
        file_id: Id of the uploaded file; None if it was not uploaded.
        batch_id: Id of the batch; None if it was not submitted.
        done: Number of requests that the server has answered.
        failed: Number of requests that failed on the server.
        restricted: Whether a request contains restricted text. Such a file is never uploaded.
    """

    name: str
    requests: int
    restricted: bool = False
    status: Status = "written"
    file_id: str | None = None
    batch_id: str | None = None
    done: int = 0
    failed: int = 0


class _State(BaseModel):
    files: list[BatchFile] = Field(default_factory=list)


@dataclass(slots=True)
class Collected:
    """What was collected.

    Attributes:
        kept: Number of answers that were put into the cache.
        missing: Number of requests without an answer.
        problems: Number of answers that cannot be used, by the reason.
        prompt_tokens: Tokens that the prompts of all answers had.
        answer_tokens: Tokens of all answers, also of those that cannot be used.
    """

    kept: int = 0
    missing: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    answer_tokens: int = 0


class BatchFolder:
    """The batches of a command.

    Args:
        folder: Folder of the batches.

    Raises:
        DataError: `batch.json` cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state = _State()
        path = folder / "batch.json"
        if path.exists():
            with foreign_errors(lambda where: DataError(path, f"not a file of batches ({where})")):
                self._state = _State.model_validate(read_json(path))

    @property
    def files(self) -> list[BatchFile]:
        """The files of requests, in the order in which they were written."""
        return self._state.files

    def write(self, make: Callable[[Plan], None], remote: bool) -> Plan:
        """Write the requests that have no answer and are in no waiting file. Return their plan.

        Args:
            make: Function that makes all requests of the command, under a plan.
            remote: Whether the files will be uploaded. Restricted notes are then refused.

        Raises:
            RestrictedTextError: A request contains restricted text.
            ConfigurationError: The model is on no server, or its answers are not cached.
        """
        make_folder(self.folder)
        waiting = set(self._waiting_keys())
        writer = _Writer(self.folder, len(self.files))
        known: dict[int, tuple[CachedEngine, OpenAIEngine, str]] = {}

        def take(request: Request, engine: Engine) -> None:
            restricted = request.origin == "restricted"
            if remote and restricted:
                raise _refused(f"note (id = {shown_id(request.id)})")
            if id(engine) not in known:  # The server is asked once for its model.
                found, served = server_of(engine)
                known[id(engine)] = found, served, found.identity
            cache, server, identity = known[id(engine)]
            key = cache.key(request, identity)
            if key not in waiting:
                waiting.add(key)
                line = {
                    "custom_id": key,
                    "method": "POST",
                    "url": ENDPOINT,
                    "body": server.body(request),
                }
                writer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n", restricted)

        plan = Plan(take)
        try:
            make(plan)
        except BaseException:
            writer.close()
            for file in writer.files:
                (self.folder / file.name).unlink()
            raise
        writer.close()
        self.files.extend(writer.files)
        self._save()
        return plan

    def submit(self, server: OpenAIEngine) -> None:
        """Upload the files that are written, and submit a batch for each.

        Args:
            server: Engine of the server.

        Raises:
            RestrictedTextError: A file that waits contains restricted text.
        """
        for file in self.files:
            if file.status == "written" and file.restricted:
                raise _refused(f"batch (file = {self.folder / file.name})")
        with server.client() as client:
            for file in self.files:
                if file.status == "written":
                    with (self.folder / file.name).open("rb") as stream:
                        uploaded = client.files.create(file=stream, purpose="batch")
                    file.file_id, file.status = uploaded.id, "uploaded"
                    self._save()
                if file.status == "uploaded" and file.file_id is not None:
                    batch = client.batches.create(
                        input_file_id=file.file_id, endpoint=ENDPOINT, completion_window="24h"
                    )
                    file.batch_id, file.status = batch.id, "submitted"
                    self._save()

    def refresh(self, server: OpenAIEngine) -> None:
        """Ask the server how far the submitted batches are.

        Args:
            server: Engine of the server.
        """
        if not any(file.status == "submitted" for file in self.files):
            return
        with server.client() as client:
            for file in self.files:
                if file.status == "submitted" and file.batch_id is not None:
                    batch = client.batches.retrieve(file.batch_id)
                    counts = batch.request_counts
                    if counts is not None:
                        file.done, file.failed = counts.completed, counts.failed
                    if batch.status in _FINISHED:
                        file.status = batch.status  # type: ignore[assignment]
        self._save()

    def collect(self, engine: CachedEngine, server: OpenAIEngine) -> Collected:
        """Put the answers that are there into the cache.

        Args:
            engine: Engine with the cache.
            server: Engine of the server.
        """
        collected = Collected()
        self.refresh(server)
        local = sorted(self.folder.glob("answers-*.jsonl"))
        lines: list[tuple[object, int, str]] = [
            (path, n, line) for path in local for n, line in enumerate(read_lines(path), start=1)
        ]
        ready = [file for file in self.files if file.status in _FINISHED]
        if ready:
            with server.client() as client:
                for file in ready:
                    lines += _downloaded(client, file)
        known = {key for file in self.files for key in self._keys(file)}
        kept: set[str] = set()
        for source, number, line in lines:
            if not line.strip():
                continue
            row = parse_json(line, source, number)
            key = str(row.get("custom_id", "")) if isinstance(row, dict) else ""
            if key not in known:
                collected.problems["not a request of this folder"] += 1
                continue
            answer = _answer(row, key, server)
            collected.prompt_tokens += answer.prompt_tokens
            collected.answer_tokens += answer.answer_tokens
            if answer.problem:
                collected.problems[answer.problem] += 1
            elif key not in kept:
                kept.add(key)
                engine.keep(key, answer)
        collected.kept = len(kept)
        for file in self.files:
            keys = list(self._keys(file))
            if file in ready or (local and all(engine.has(key) for key in keys)):
                file.status = "collected"
        collected.missing = sum(not engine.has(key) for key in known)
        self._save()
        return collected

    def _waiting_keys(self) -> Iterator[str]:
        for file in self.files:
            if file.status != "collected":
                yield from self._keys(file)

    def _keys(self, file: BatchFile) -> Iterator[str]:
        path = self.folder / file.name
        for number, line in enumerate(read_lines(path), start=1):
            yield str(parse_json(line, path, number)["custom_id"])

    def _save(self) -> None:
        write_json(self.folder / "batch.json", self._state.model_dump(mode="json"))


class _Writer:
    """Writes lines to files that stay within the limits.

    Args:
        folder: Folder of the files.
        count: Number of files that there are already.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count
        self._stream: Any = None
        self._bytes = 0
        self.files: list[BatchFile] = []

    def write(self, line: bytes, restricted: bool) -> None:
        """Write a line.

        Args:
            line: The line.
            restricted: Whether it contains restricted text.
        """
        full = self.files and self.files[-1].requests >= MAX_REQUESTS
        if self._stream is None or full or self._bytes + len(line) > MAX_BYTES:
            self.close()
            self._count += 1
            name = f"requests-{self._count:05d}.jsonl"
            path = self._folder / name
            path.touch(mode=0o600)
            self._stream, self._bytes = path.open("wb"), 0
            self.files.append(BatchFile(name=name, requests=0))
        self._stream.write(line)
        self._bytes += len(line)
        self.files[-1].requests += 1
        self.files[-1].restricted |= restricted

    def close(self) -> None:
        """Close the current file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def server_of(engine: Engine) -> tuple[CachedEngine, OpenAIEngine]:
    """Return the cache and the server of an engine.

    Raises:
        ConfigurationError: The model is on no server, or its answers are not cached.
    """
    server = _server_of(engine)
    if not isinstance(engine, CachedEngine) or not engine.identity:
        raise ConfigurationError(
            [
                f"batch (model = {engine.name}): its answers are not cached, because the server does not"
                " identify its model. Name a file: engine={cache: answers.sqlite}."
            ]
        )
    return engine, server


def _refused(subject: str) -> RestrictedTextError:
    return RestrictedTextError(
        f"{subject}: its text is restricted, and batches leave this machine. Use a model on this"
        " machine, or `--batch write` and `vllm run-batch`."
    )


def _server_of(engine: Engine) -> OpenAIEngine:
    inner = engine.engine if isinstance(engine, CachedEngine) else engine
    if not isinstance(inner, OpenAIEngine):
        raise ConfigurationError(
            [f"batch (model = {engine.name}): only openai:NAME has batches. Name such a model."]
        )
    return inner


def _downloaded(client: OpenAI, file: BatchFile) -> Iterator[tuple[str, int, str]]:
    """Yield the lines of the answers and of the errors of a batch."""
    if file.batch_id is None:
        return
    batch = client.batches.retrieve(file.batch_id)
    for identifier in (batch.output_file_id, batch.error_file_id):
        if identifier is not None:
            text = client.files.content(identifier).text
            for number, line in enumerate(text.rstrip().split("\n"), start=1):
                yield f"batch {file.batch_id}", number, line


def _answer(row: dict[str, Any], key: str, server: OpenAIEngine) -> Answer:
    """Return the answer in a line of a batch."""
    response = row.get("response") or {}
    status = response.get("status_code")
    if row.get("error") or status != 200:
        error = row.get("error") or {}
        code = error.get("code") if isinstance(error, dict) else None
        return Answer(key, "", problem=str(code or f"http_{status}"))
    return server.read(Request(key, []), response.get("body"))


def refuse_budget(plan: Plan, settings: EngineSettings) -> None:
    """Refuse requests whose estimate is above the limits of the settings, with those that wait.

    Args:
        plan: All requests without an answer. Those that wait in files are among them.
        settings: Settings of the engine.

    Raises:
        ConfigurationError: A limit would be exceeded.
    """
    tokens = plan.prompt_tokens + plan.answer_tokens
    problems = []
    if settings.tokens is not None and tokens > settings.tokens:
        problems.append(
            f"engine.tokens (tokens = {settings.tokens}): the requests have about {tokens} tokens, with"
            " those that wait. Raise it, or build a part."
        )
    if settings.cost is not None and plan.cost > settings.cost:
        problems.append(
            f"engine.cost (cost = {settings.cost}): the requests cost about {plan.cost:.2f}, with those"
            " that wait. Raise it, or build a part."
        )
    if problems:
        raise ConfigurationError(problems)
