"""Answers from a file, which a model generated elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.engines.base import Answer, Engine, Request
from cclearn.errors import DataError, DataErrors, shown_id
from cclearn.runtime.files import read_lines, sha256_of_file
from cclearn.runtime.parsing import parse_json

if TYPE_CHECKING:
    from cclearn.engines.settings import EngineSettings


class ReplayEngine(Engine):
    """Answers each request with the line of a file that has its id.

    A request without a line has the problem `no_answer`.

    Args:
        path: JSONL file. Each line has `id` and `answer`, and optionally `complete` (default: true).

    Raises:
        DataError: A line has another form, or an id occurs twice. All such lines are reported.
    """

    refers_to = "file"

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.grounded = False
        self._sha256 = sha256_of_file(path) if path.is_file() else ""
        self._answers: dict[str, Answer] = {}
        problems: list[DataError] = []
        for number, line in enumerate(read_lines(path), 1):
            try:
                row = parse_json(
                    line, path, number, lone_surrogates=True
                )  # `Answer` replaces them.
                identifier, text = row["id"], row["answer"]
                complete = row.get("complete", True)
            except DataError as error:
                problems.append(error)
                continue
            except (KeyError, TypeError, AttributeError):
                problems.append(DataError(path, "not an object with id and answer", number))
                continue
            if not (isinstance(identifier, str) and isinstance(text, str)):
                problems.append(DataError(path, "id and answer must be strings", number))
            elif identifier in self._answers:
                problems.append(
                    DataError(path, f"id '{shown_id(identifier)}' occurs twice", number)
                )
            else:
                self._answers[identifier] = Answer(identifier, text, bool(complete))
        if problems:
            raise DataErrors(problems)

    @classmethod
    def from_name(cls, target: str, settings: EngineSettings) -> ReplayEngine:
        """Return the engine over a file."""
        return cls(Path(target))

    @property
    def model_sha256(self) -> str:
        """The hash of the file when it was read."""
        return self._sha256

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the answers to requests in order."""
        for request in requests:
            missing = Answer(request.id, "", problem="no_answer")
            yield self._answers.get(request.id, missing)
