"""Recognisers, which find the evidence spans in a segment of a note."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import tee

from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.single_pass.answers import ground_quotes, quote_signals
from cclearn.coding.single_pass.coder import LLMCoder
from cclearn.notes import Note, Ungrounded
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.spans import Span


@dataclass(slots=True)
class Recognition:
    """The evidence in a segment.

    Attributes:
        spans: Spans of the evidence, with offsets into the segment, and their signals by name
            (`Finding.signals`).
        ungrounded: Quotes that do not occur in the segment.
        unreadable: Number of lines of the answer that could not be parsed.
        flags: Reasons why the evidence may be incomplete, such as `truncated`.
        proposed: Codes that the recogniser proposes for spans, best first. Most propose none.
    """

    spans: dict[Span, Mapping[str, float]] = field(default_factory=dict)
    ungrounded: list[Ungrounded] = field(default_factory=list)
    unreadable: int = 0
    flags: set[str] = field(default_factory=set)
    proposed: dict[Span, list[str]] = field(default_factory=dict)


class Recogniser(ABC):
    """Finds evidence.

    Attributes:
        name: Name of the recogniser in reports.
        grounded: Whether all spans are in the note by construction.
    """

    name: str
    grounded: bool = True

    @property
    def model_sha256(self) -> str:
        """Hash of the model. Empty if there is no model, or if only its name is known."""
        return ""

    @abstractmethod
    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Yield the evidence in each segment, in order, in constant memory."""


class LLMRecogniser(Recogniser):
    """Lets a model code each segment, and uses only the evidence of the answer.

    Args:
        coder: Coder whose model reads the segments.
    """

    def __init__(self, coder: LLMCoder) -> None:
        self.name = coder.name
        self.grounded = coder.grounded
        self._coder = coder

    @property
    def model_sha256(self) -> str:
        """Hash of the model."""
        return self._coder.model_sha256

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Yield the evidence in each segment."""
        for segment, parts in self._coder.answer_many(segments):
            recognition = Recognition()
            rules = AssertionRules(segment.text, self._coder.assertion)
            for part in parts:
                parsed, spans = ground_quotes(segment.text, part, rules)
                recognition.unreadable += parsed.unreadable
                recognition.flags |= part.flags
                for line, span in zip(parsed.lines, spans, strict=True):
                    if span is None:
                        recognition.ungrounded.append(Ungrounded(code=line.code, quote=line.quote))
                    else:
                        recognition.spans[span] = quote_signals(part.answer, line)
            yield recognition


class LexiconRecogniser(Recogniser):
    """Finds the phrases of the code system, regardless of their assertion.

    Args:
        lexicon: Coder that finds the phrases.
    """

    def __init__(self, lexicon: LexiconCoder) -> None:
        self.name = lexicon.name
        self._lexicon = lexicon

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Yield the phrases in each segment."""
        for segment in segments:
            yield Recognition({(f.start, f.end): {} for f in self._lexicon.find(segment.text)})


class UnitedRecogniser(Recogniser):
    """Finds the spans of several recognisers.

    Unless `overlaps`, a span of a later recogniser that overlaps one of an earlier recogniser in the
    same segment is left out. The signals of a span tell which recognisers found it: `recogniser_1` is 1
    if the first one did.

    Args:
        recognisers: Recognisers in the order of their precedence.
        overlaps: Whether the spans of several recognisers may overlap each other.
    """

    def __init__(self, recognisers: Sequence[Recogniser], overlaps: bool = False) -> None:
        self._overlaps = overlaps
        self.name = " + ".join(recogniser.name for recogniser in recognisers)
        self.grounded = all(recogniser.grounded for recogniser in recognisers)
        self._recognisers = recognisers

    @property
    def model_sha256(self) -> str:
        """Hashes of the models of all recognisers."""
        return " ".join(filter(None, (part.model_sha256 for part in self._recognisers)))

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Yield the evidence in each segment."""
        streams = tee(segments, len(self._recognisers))
        parts = (r.recognise(s) for r, s in zip(self._recognisers, streams, strict=True))
        for recognitions in zip(*parts, strict=True):
            united = Recognition()
            for number, recognition in enumerate(recognitions, start=1):
                earlier = [] if self._overlaps else list(united.spans)
                for span, signals in recognition.spans.items():
                    if span in united.spans or not any(_overlap(span, other) for other in earlier):
                        found = {**signals, f"recogniser_{number}": 1.0}
                        united.spans[span] = {**united.spans.get(span, {}), **found}
                        codes = recognition.proposed.get(span, [])
                        united.proposed[span] = [*united.proposed.get(span, []), *codes]
                united.ungrounded += recognition.ungrounded
                united.unreadable += recognition.unreadable
                united.flags |= recognition.flags
            yield united


def _overlap(one: Span, two: Span) -> bool:
    return one[0] < two[1] and two[0] < one[1]
