"""The coder with which a model generates all codes of a note in one answer, under a grammar."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder, Usage
from cclearn.coding.damage import stop_if_damaged
from cclearn.coding.findings import NoteFindings
from cclearn.coding.single_pass.answers import LineLimit, Part, read_parts
from cclearn.coding.span_loop.assigners import GeneratingAssigner, Mention, is_not_finite
from cclearn.engines import Engine, Request
from cclearn.notes import CodedNote, Note, Origin
from cclearn.notes.assertion import AssertionLanguage
from cclearn.notes.spans import Span
from cclearn.notes.windows import overlapping_halves, overlapping_windows
from cclearn.prompts import Message, Template, document_prompt, prompt_hash
from cclearn.prompts.grammar import codes_regex, document_grammar
from cclearn.runtime.files import sha256_of_text

if TYPE_CHECKING:
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter


class LLMCoder(Coder):
    """Lets a model generate the evidence and the codes of a note (`single_pass`).

    Args:
        engine: Engine that answers the prompts.
        system: Code system whose billable codes may be assigned.
        examples: Coded notes that the model is shown before each note (few-shot).
        template: Layout of the answers. It should be the one that the model has learnt.
        usage: Counts that the coder shares with other parts. None creates new ones.
        calibration: Calibration of the scores. None leaves the scores raw.
        encounter: Setting of the notes. None if it is not known.
        assertion: Language of the assertion rules. `off` codes all mentions.
    """

    def __init__(
        self,
        engine: Engine,
        system: CodeSystem,
        examples: Sequence[CodedNote] = (),
        template: Template = "paired",
        *,
        usage: Usage | None = None,
        calibration: Calibration | None = None,
        encounter: Encounter | None = None,
        assertion: AssertionLanguage = "english",
    ) -> None:
        super().__init__(
            engine.name,
            system,
            usage=usage,
            calibration=calibration,
            encounter=encounter,
            assertion=assertion,
        )
        self.engine = engine
        self.template = template
        self.examples = tuple(examples)
        self.prompt_sha256 = prompt_hash(system.name, template)
        if examples:
            turns = [self.prompt_sha256, *(turn["content"] for turn in self._prompt("-"))]
            self.prompt_sha256 = sha256_of_text("\x1e".join(turns))
        self.grounded = engine.grounded
        self.mode = " ".join(filter(None, ("single_pass", engine.variant)))

    @cached_property
    def model_sha256(self) -> str:
        """Hash of the model. Empty if only its name is known."""
        return self.engine.model_sha256

    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
        """Yield the findings of notes. A note that is too long is read in overlapping windows."""
        for note, parts in self.answer_many(notes):
            yield read_parts(note, parts, self.system, self.assertion, self.template)

    def answer_many(self, notes: Iterable[Note]) -> Iterator[tuple[Note, list[Part]]]:
        """Yield each note, in order, with the answers to its parts."""
        pending: deque[tuple[Note, list[Span]]] = deque()

        def requests() -> Iterator[Request]:
            for note in notes:
                spans = overlapping_windows(note.text, partial(self._fits, note))
                pending.append((note, spans))
                for number in range(len(spans)):
                    yield self._request(note, spans, number)

        answers = self.engine.generate(requests())
        for answer in answers:
            note, spans = pending.popleft()
            parts = [Part(*spans[0], answer)]
            parts += [Part(*span, next(answers)) for span in spans[1:]]
            for part in parts:
                self.usage.count(part.answer)
            yield note, self._answer_halves(note, parts)

    def _answer_halves(self, note: Note, parts: list[Part]) -> list[Part]:
        """Replace each part that was too long for a server by the answers to its halves, repeatedly."""
        done: list[Part] = []
        while parts:
            spans: list[Span] = []
            for part in parts:
                halves = []
                if part.answer.problem == "exceeds_context":
                    halves = overlapping_halves(note.text, (part.start, part.end))
                if len(halves) > 1:
                    spans += halves
                else:
                    done.append(part)
            if not spans:
                break
            requests = (self._request(note, spans, number) for number in range(len(spans)))
            answers = self.engine.generate(requests)
            parts = [Part(*span, answer) for span, answer in zip(spans, answers, strict=True)]
            for part in parts:
                self.usage.count(part.answer)
        return done

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Yield the code that the model gives each span."""
        assigner = GeneratingAssigner(self.engine, self.system, self.template, self.usage)
        mentions = (Mention(str(number), text, origin) for number, text in enumerate(texts))
        assignments = stop_if_damaged(assigner.assign(mentions), is_not_finite, self.name)
        return (list(assignment.codes) for assignment in assignments)

    def request(self, note: Note) -> Request:
        """Return the request for a note that is short enough for one request."""
        return self._request(note, [(0, len(note.text))], 0)

    def _request(self, note: Note, spans: Sequence[Span], number: int) -> Request:
        start, end = spans[number]
        text = note.text[start:end]
        grammar = None
        if self.engine.grounded:
            grammar = document_grammar(text, self._codes, self.template)
        prompt = self._prompt(text)
        sources = (note, *self.examples)
        restricted = any(source.origin == "restricted" for source in sources)
        identifier = note.id if len(spans) == 1 else f"{note.id}#{number + 1}"
        origin: Origin = "restricted" if restricted else note.origin
        # In `listed`, a piece of evidence is repeated for each of its codes, and a code for each piece
        # of its evidence, so that a repeated line is no sign of an endless answer.
        limit = None if self.template == "listed" else LineLimit(text)
        return Request(identifier, prompt, grammar, origin, limit)

    def _prompt(self, text: str) -> list[Message]:
        return document_prompt(text, self.system.name, self.examples, self.template)

    def _fits(self, note: Note, text: str) -> bool:
        return self.engine.fits(Request(note.id, self._prompt(text)))

    @cached_property
    def _codes(self) -> str:
        return codes_regex(self.system.billable_codes())
