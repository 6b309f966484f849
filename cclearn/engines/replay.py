"""Answers from a file: what a model said elsewhere, read and scored here."""

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
    """Gives each request the answer that a file holds for its id, `no_answer` where it holds none.

    Args:
        path: JSONL, each line with `id` and `answer`, and `complete` (true where it is missing).

    Raises:
        DataError: A line is something else, or an id stands twice; all of them are told at once.
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
                row = parse_json(line, path, number, halves=True)  # An `Answer` replaces them.
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
                    DataError(path, f"id '{shown_id(identifier)}' stands twice", number)
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
        """The hash of the file, as it was read."""
        return self._sha256

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests in order."""
        for request in requests:
            missing = Answer(request.id, "", problem="no_answer")
            yield self._answers.get(request.id, missing)
