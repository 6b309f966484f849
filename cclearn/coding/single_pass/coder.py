"""The coder over a language model: one generation over the note, bound to its words and valid codes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder, Usage
from cclearn.coding.damage import stop_if_damaged
from cclearn.coding.findings import Reading
from cclearn.coding.single_pass.answers import Part, read_parts
from cclearn.coding.span_loop.assigners import GeneratingAssigner, Mention, is_not_finite
from cclearn.engines import Engine, Request
from cclearn.notes import CodedNote, Note, Origin
from cclearn.notes.spans import Span
from cclearn.notes.windows import overlapping_halves, overlapping_windows
from cclearn.prompts import Message, Template, document_prompt, prompt_hash
from cclearn.prompts.grammar import codes_regex, document_grammar
from cclearn.runtime.files import sha256_of_text

if TYPE_CHECKING:
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter


class LLMCoder(Coder):
    """Asks a model for the evidence and codes of a note (`single_pass`).

    Args:
        engine: Engine that answers the prompts.
        system: Code system whose billable codes may be assigned.
        examples: Coded notes that the model is shown before each note (few-shot).
        template: Layout of the answers. It should be the one that the model has learnt.
        usage: Counts that the coder shares with other parts. None creates new ones.
        calibration: Calibration of the scores. None leaves the scores raw.
        encounter: Setting of the notes. None if it is not known.
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
    ) -> None:
        super().__init__(
            engine.name, system, usage=usage, calibration=calibration, encounter=encounter
        )
        self.engine = engine
        self.template = template
        self.examples = tuple(examples)
        self.prompt_sha256 = prompt_hash(system.name, template)
        if examples:
            turns = [self.prompt_sha256, *(turn["content"] for turn in self._prompt("-"))]
            self.prompt_sha256 = sha256_of_text("\x1e".join(turns))
        self.grounded = engine.grounded

    @cached_property
    def model_sha256(self) -> str:
        """The hash of the engine's model; empty where it is known by its name alone."""
        return self.engine.model_sha256

    def read_many(self, notes: Iterable[Note]) -> Iterator[Reading]:
        """Read notes as they come; one that is too long for the model in overlapping windows."""
        for note, parts in self.answer_many(notes):
            yield read_parts(note, parts, self.system)

    def answer_many(self, notes: Iterable[Note]) -> Iterator[tuple[Note, list[Part]]]:
        """Return each note, in order, with the model's answers to its parts."""
        asked: deque[tuple[Note, list[Span]]] = deque()

        def requests() -> Iterator[Request]:
            for note in notes:
                spans = overlapping_windows(note.text, partial(self._fits, note))
                asked.append((note, spans))
                for number in range(len(spans)):
                    yield self._request(note, spans, number)

        answers = self.engine.generate(requests())
        for answer in answers:
            note, spans = asked.popleft()
            parts = [Part(*spans[0], answer)]
            parts += [Part(*span, next(answers)) for span in spans[1:]]
            for part in parts:
                self.usage.count(part.answer)
            yield note, self._in_halves(note, parts)

    def _in_halves(self, note: Note, parts: list[Part]) -> list[Part]:
        """Ask again, for halves, what a server has found too long."""
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
        """Return the code that the model gives each span."""
        assigner = GeneratingAssigner(self.engine, self.system, self.template, self.usage)
        mentions = (Mention(str(number), text, origin) for number, text in enumerate(texts))
        assignments = stop_if_damaged(assigner.assign(mentions), is_not_finite, self.name)
        return (list(assignment.codes) for assignment in assignments)

    def request(self, note: Note) -> Request:
        """Return the question that is put to the model, for a note that is short enough."""
        return self._request(note, [(0, len(note.text))], 0)

    def _request(self, note: Note, spans: Sequence[Span], number: int) -> Request:
        start, end = spans[number]
        text = note.text[start:end]
        grammar = None
        if self.engine.grounded:
            grammar = document_grammar(text, self._codes, self.template)
        prompt = self._prompt(text)
        texts = (note, *self.examples)
        restricted = any(each.origin == "restricted" for each in texts)
        identifier = note.id if len(spans) == 1 else f"{note.id}#{number + 1}"
        return Request(identifier, prompt, grammar, "restricted" if restricted else note.origin)

    def _prompt(self, text: str) -> list[Message]:
        return document_prompt(text, self.system.name, self.examples, self.template)

    def _fits(self, note: Note, text: str) -> bool:
        return self.engine.fits(Request(note.id, self._prompt(text)))

    @cached_property
    def _codes(self) -> str:
        return codes_regex(self.system.billable_codes())
