"""An engine: `cclearn code notes.jsonl --model toy:asthma` cites the word and codes it as J45.909."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cclearn.engines import Answer, Engine, Request
from cclearn.engines.settings import EngineSettings


class ToyEngine(Engine):
    """Gives the same answer whenever the prompt contains the word.

    Args:
        word: The word to look for.
    """

    # What the part of the model's name after `toy:` is: `name`, `file` or `weights`.
    refers_to = "name"

    def __init__(self, word: str) -> None:
        self.word = word
        self.name = f"toy-{word}"
        self.grounded = False  # The engine ignores the grammar of a request.

    @classmethod
    def from_name(cls, target: str, settings: EngineSettings) -> ToyEngine:
        """Return the engine for the part of the model's name after `toy:`."""
        return cls(target)

    @property
    def model_sha256(self) -> str:
        """A hash that changes when the answers may change."""
        return f"toy {self.word}"

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield one answer for each request, in order."""
        for request in requests:
            note = request.prompt[-1]["content"]
            found = self.word in note
            yield Answer(request.id, f"- {self.word} => J45.909" if found else "none")
