"""The coder that recognises evidence in segments of a note and assigns a code to each span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder, Usage
from cclearn.coding.damage import stop_if_damaged
from cclearn.coding.findings import Finding, Reading
from cclearn.coding.span_loop.assigners import Assigner, Assignment, Mention, is_not_finite
from cclearn.coding.span_loop.recognisers import Recogniser, Recognition
from cclearn.engines import Engine
from cclearn.notes import CODED, Assertion, Invalid, Note, Origin
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.grounding import as_quote
from cclearn.notes.segments import Segmentation, find_segments
from cclearn.notes.spans import Span

if TYPE_CHECKING:
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter

_BATCH_SIZE = 64
"""Number of notes whose segments and spans are sent to the engines together."""


class SpanLoopCoder(Coder):
    """Segments a note, recognises evidence in each segment, assigns a code to each span (`span_loop`).

    Only asserted spans receive codes. Equal words of a note are sent to the assigner once.

    Args:
        recogniser: Recogniser that finds the evidence in a segment.
        assigner: Assigner that gives each span its code.
        system: Code system whose codes are assigned.
        segmentation: Method that splits notes into segments.
        window: Maximum length of a window, in code points.
        name: Name of the coder in reports.
        mode: Description of the settings that decide the findings.
        engine: Engine that assigns the codes, whose model identifies the coder. None without a model.
        usage: Counts that the recogniser and the assigner were given too. None creates new ones.
        calibration: Calibration of the scores. None leaves the scores raw.
        encounter: Setting of the notes. None if it is not known.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        assigner: Assigner,
        system: CodeSystem,
        *,
        segmentation: Segmentation = "section",
        window: int = 1_000,
        name: str = "span_loop",
        mode: str = "span_loop",
        engine: Engine | None = None,
        usage: Usage | None = None,
        calibration: Calibration | None = None,
        encounter: Encounter | None = None,
    ) -> None:
        super().__init__(name, system, usage=usage, calibration=calibration, encounter=encounter)
        self.mode = mode
        self._engine = engine
        self.prompt_sha256 = assigner.prompt_sha256
        self.grounded = recogniser.grounded and assigner.grounded
        self._recogniser = recogniser
        self._assigner = assigner
        self._segmentation = segmentation
        self._window = window

    @cached_property
    def model_sha256(self) -> str:
        """Hash of the model that assigns the codes. Empty if only its name is known."""
        return "" if self._engine is None else self._engine.model_sha256

    def read_many(self, notes: Iterable[Note]) -> Iterator[Reading]:
        """Yield the findings of notes, which are read in batches, in order."""
        stream = iter(notes)
        while batch := list(islice(stream, _BATCH_SIZE)):
            spans = [find_segments(n.text, self._segmentation, self._window) for n in batch]
            segments = (
                Note(id=f"{note.id}#{number}", text=note.text[start:end], origin=note.origin)
                for note, found in zip(batch, spans, strict=True)
                for number, (start, end) in enumerate(found, start=1)
            )
            recognised = self._recogniser.recognise(segments)
            read = [
                _Recognised(note, found, list(islice(recognised, len(found))))
                for note, found in zip(batch, spans, strict=True)
            ]
            assigned = self._assigner.assign(
                mention for note in read for mention in note.mentions()
            )
            yield from (note.reading(assigned) for note in read)

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Yield the codes that the assigner gives each span."""
        mentions = (Mention(str(number), text, origin) for number, text in enumerate(texts))
        assigned = stop_if_damaged(self._assigner.assign(mentions), is_not_finite, self.name)
        return (list(assignment.codes) for assignment in assigned)


class _Recognised:
    """A note, its segments and the spans that were recognised in them."""

    def __init__(self, note: Note, segments: list[Span], found: list[Recognition]) -> None:
        self._note = note
        self._segments = segments
        self._found = found
        rules = AssertionRules(note.text)
        # The numbers of the segments in which each span was recognised.
        self._parts: dict[Span, set[int]] = {}
        for number, ((first, _), recognition) in enumerate(zip(segments, found, strict=True)):
            for start, end in recognition.spans:
                self._parts.setdefault((first + start, first + end), set()).add(number)
        asserted = {span: rules.assertion_of(*span) for span in sorted(self._parts)}
        self._asserted: dict[Span, Assertion] = {
            span: assertion for span, assertion in asserted.items() if assertion in CODED
        }
        # The texts to assign, in order and without duplicates.
        self._quotes = dict.fromkeys(map(self._quote, self._asserted))

    def _quote(self, span: Span) -> str:
        return as_quote(self._note.text[slice(*span)])

    def mentions(self) -> Iterator[Mention]:
        """Yield the mentions to assign, in order."""
        for number, quote in enumerate(self._quotes, start=1):
            yield Mention(f"{self._note.id}@{number}", quote, self._note.origin)

    def reading(self, assignments: Iterator[Assignment]) -> Reading:
        """Return the findings of the note, given the assignments of its mentions."""
        reading = Reading(self._note, [], self._segments)
        for recognition in self._found:
            reading.ungrounded += recognition.ungrounded
            reading.invalid += [Invalid(code=None, status="unreadable")] * recognition.unreadable
            reading.flags |= recognition.flags
        assigned = {quote: next(assignments) for quote in self._quotes}
        for assignment in assigned.values():
            if assignment.invalid is not None:
                reading.invalid.append(assignment.invalid)
            if assignment.problem is not None:
                reading.flags.add(assignment.problem)
        for span, assertion in self._asserted.items():
            assignment = assigned[self._quote(span)]
            invalid = assignment.invalid
            if invalid is not None and invalid.code and invalid.status == "header":
                reading.headers.append(Finding(invalid.code, *span, assertion=assertion))
            reading.findings += [
                Finding(assignment.codes[0], *span, assignment.score, assertion, number)
                for number in sorted(self._parts[span])
                if assignment.codes
            ]
        return reading
