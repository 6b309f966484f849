"""Recognisers: from a segment of a note to the spans that are evidence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.single_pass.answers import read_quotes
from cclearn.coding.single_pass.coder import LLMCoder
from cclearn.notes import Note, Ungrounded
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.spans import Span


@dataclass(slots=True)
class Recognition:
    """What was recognised in a segment.

    Attributes:
        spans: Half-open code-point offsets into the segment.
        ungrounded: Quotes that are not in it.
        unreadable: How many lines of an answer could not be read.
        flags: Why something is missing, e.g. `truncated`.
    """

    spans: list[Span]
    ungrounded: list[Ungrounded] = field(default_factory=list)
    unreadable: int = 0
    flags: set[str] = field(default_factory=set)


class Recogniser(ABC):
    """Finds evidence.

    Attributes:
        name: What reports call it.
        grounded: Whether what it finds is in the note by construction.
    """

    name: str
    grounded: bool = True

    @property
    def model_sha256(self) -> str:
        """The hash of its model; empty where it has none, or that is known by its name alone."""
        return ""

    @abstractmethod
    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Find the evidence of segments as they come: in order, in constant memory."""


class LLMRecogniser(Recogniser):
    """Asks a model for the codes of each segment, and takes the evidence alone.

    Args:
        coder: Asks the model.
    """

    def __init__(self, coder: LLMCoder) -> None:
        self.name = coder.name
        self.grounded = coder.grounded
        self._coder = coder

    @property
    def model_sha256(self) -> str:
        """The hash of the model that is asked."""
        return self._coder.model_sha256

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Find the evidence of segments."""
        for segment, parts in self._coder.answer_many(segments):
            recognition = Recognition([])
            rules = AssertionRules(segment.text)
            for part in parts:
                parsed, spans = read_quotes(segment.text, part, rules)
                recognition.unreadable += parsed.unreadable
                recognition.flags |= part.flags
                for line, span in zip(parsed.lines, spans, strict=True):
                    if span is None:
                        recognition.ungrounded.append(Ungrounded(code=line.code, quote=line.quote))
                    else:
                        recognition.spans.append(span)
            yield recognition


class LexiconRecogniser(Recogniser):
    """Takes the phrases of the code system, whatever the note says of them.

    Args:
        lexicon: Finds them.
    """

    def __init__(self, lexicon: LexiconCoder) -> None:
        self.name = lexicon.name
        self._lexicon = lexicon

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Find the phrases of segments."""
        for segment in segments:
            yield Recognition([(f.start, f.end) for f in self._lexicon.find(segment.text)])
