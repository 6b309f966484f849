"""The coder that recognises evidence in segments of a note and assigns a code to each span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder, Usage
from cclearn.coding.damage import stop_if_damaged
from cclearn.coding.findings import Finding, NoteFindings, largest_values
from cclearn.coding.span_loop.assigners import Assigner, Assignment, Mention, is_not_finite
from cclearn.coding.span_loop.recognisers import Recogniser, Recognition
from cclearn.engines import Engine
from cclearn.notes import CODED_ASSERTIONS, Assertion, Invalid, Note, Origin
from cclearn.notes.assertion import AssertionLanguage, AssertionRules
from cclearn.notes.grounding import as_quote
from cclearn.notes.segments import Segmentation, find_segments
from cclearn.notes.spans import Span

if TYPE_CHECKING:
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter

_BATCH_SIZE = 64
"""Number of notes whose segments are recognised together, and whose spans are assigned together."""


class SpanLoopCoder(Coder):
    """Segments a note, recognises evidence in each segment, assigns a code to each span (`span_loop`).

    Spans whose assertion gives no code, such as negated ones, are not assigned a code. Spans of a note
    with equal words are sent to the assigner once.

    Args:
        recogniser: Recogniser that finds the evidence in a segment.
        assigner: Assigner that gives each span its code.
        system: Code system whose codes are assigned.
        segmentation: Method that splits notes into segments.
        window: Maximum length of a window, in code points.
        name: Name of the coder in reports.
        mode: Description of the settings that decide the findings.
        engine: Engine that assigns the codes, whose model identifies the coder. None without a model.
        usage: Counts that the coder shares with its recogniser and its assigner. None creates new ones.
        calibration: Calibration of the scores. None leaves the scores raw.
        encounter: Setting of the notes. None if it is not known.
        assertion: Language of the assertion rules. `off` codes all mentions.
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
        assertion: AssertionLanguage = "english",
    ) -> None:
        super().__init__(
            name,
            system,
            usage=usage,
            calibration=calibration,
            encounter=encounter,
            assertion=assertion,
        )
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

    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
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
            recognised_notes = [
                _RecognisedNote(note, found, list(islice(recognised, len(found))), self.assertion)
                for note, found in zip(batch, spans, strict=True)
            ]
            assignments = self._assigner.assign(
                mention for note in recognised_notes for mention in note.mentions()
            )
            yield from (note.note_findings(assignments) for note in recognised_notes)

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Yield the codes that the assigner gives each span."""
        mentions = (Mention(str(number), text, origin) for number, text in enumerate(texts))
        assignments = self._assigner.assign(mentions)
        checked = stop_if_damaged(assignments, is_not_finite, self.name)
        return (list(assignment.codes) for assignment in checked)


class _RecognisedNote:
    """A note, its segments and the spans that were recognised in them.

    Args:
        note: The note.
        segments: Spans of the segments.
        recognitions: Evidence in each segment, with offsets into the segment.
        assertion: Language of the assertion rules.
    """

    def __init__(
        self,
        note: Note,
        segments: list[Span],
        recognitions: list[Recognition],
        assertion: AssertionLanguage,
    ) -> None:
        self._note = note
        self._segments = segments
        self._recognitions = recognitions
        rules = AssertionRules(note.text, assertion)
        # The indices of the segments in which each span was recognised.
        self._parts: dict[Span, set[int]] = {}
        self._signals: dict[Span, Mapping[str, float]] = {}
        self._proposed: dict[Span, list[str]] = {}
        for number, ((offset, _), recognition) in enumerate(
            zip(segments, recognitions, strict=True)
        ):
            for (start, end), signals in recognition.spans.items():
                span = (offset + start, offset + end)
                self._parts.setdefault(span, set()).add(number)
                self._signals[span] = largest_values([self._signals.get(span, {}), signals])
                codes = recognition.proposed.get((start, end), ())
                self._proposed.setdefault(span, []).extend(codes)
        asserted = {span: rules.assertion_of(*span) for span in sorted(self._parts)}
        self._coded_spans: dict[Span, Assertion] = {
            span: assertion for span, assertion in asserted.items() if assertion in CODED_ASSERTIONS
        }
        # The texts that need a code, in order and without duplicates, with the proposed codes.
        self._quotes: dict[str, dict[str, None]] = {}
        for span in self._coded_spans:
            proposed = self._quotes.setdefault(self._quote(span), {})
            proposed.update(dict.fromkeys(self._proposed.get(span, ())))

    def _quote(self, span: Span) -> str:
        return as_quote(self._note.text[slice(*span)])

    def mentions(self) -> Iterator[Mention]:
        """Yield a mention for each text that needs a code, in order."""
        for number, (quote, proposed) in enumerate(self._quotes.items(), start=1):
            identifier = f"{self._note.id}@{number}"
            yield Mention(identifier, quote, self._note.origin, tuple(proposed))

    def note_findings(self, assignments: Iterator[Assignment]) -> NoteFindings:
        """Return the findings of the note.

        Args:
            assignments: Iterator whose next items are the assignments of the mentions, in their order.
        """
        note_findings = NoteFindings(self._note, [], self._segments)
        for recognition in self._recognitions:
            note_findings.ungrounded += recognition.ungrounded
            note_findings.invalid += [
                Invalid(code=None, status="unreadable")
            ] * recognition.unreadable
            note_findings.flags |= recognition.flags
        assigned = {quote: next(assignments) for quote in self._quotes}
        for assignment in assigned.values():
            if assignment.invalid is not None:
                note_findings.invalid.append(assignment.invalid)
            if assignment.problem is not None:
                note_findings.flags.add(assignment.problem)
        for span, assertion in self._coded_spans.items():
            assignment = assigned[self._quote(span)]
            invalid = assignment.invalid
            if invalid is not None and invalid.code and invalid.status == "header":
                note_findings.headers.append(Finding(invalid.code, *span, assertion=assertion))
            signals = {**self._signals[span], **assignment.signals}
            note_findings.findings += [
                Finding(
                    assignment.codes[0], *span, assignment.score, assertion, number, signals=signals
                )
                for number in sorted(self._parts[span])
                if assignment.codes
            ]
        return note_findings
