"""The coder over a language model: one generation over the note, bound to its words and valid codes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from cclearn.codes import CodeSystem
from cclearn.coding.aggregation import Finding, aggregate
from cclearn.coding.coder import Coder, Usage
from cclearn.engines import Answer, Engine, Request
from cclearn.notes import CODED, CodedNote, Invalid, Note, Origin, Ungrounded
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.grounding import ground
from cclearn.prompts import (
    Template,
    document_prompt,
    parse_answer,
    prompt_hash,
    span_prompt,
)
from cclearn.prompts.grammar import codes_regex, document_grammar, span_grammar


class LLMCoder(Coder):
    """Asks a model for the evidence and codes of a note (`single_pass`).

    Args:
        engine: Answers the prompts.
        system: Every code that it holds billable may be assigned.
        examples: Coded notes that the model is shown before each note.
        template: The layout of the answers, which should be the one that the model has learnt.
    """

    def __init__(
        self,
        engine: Engine,
        system: CodeSystem,
        examples: Sequence[CodedNote] = (),
        template: Template = "paired",
    ) -> None:
        self.engine = engine
        self.system = system
        self.template = template
        self.examples = tuple(examples)
        self.name = engine.name
        self.usage = Usage()
        self.prompt_sha256 = prompt_hash(system.name, template)
        self.grounded = engine.grounded

    def code_many(self, notes: Iterable[Note]) -> Iterator[CodedNote]:
        """Code notes as they come."""
        asked: deque[Note] = deque()

        def requests() -> Iterator[Request]:
            for note in notes:
                asked.append(note)
                yield self.request(note)

        for answer in self.engine.generate(requests()):
            self._count(answer)
            yield self.read(asked.popleft(), answer)

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Return the code that the model gives each span."""

        def requests() -> Iterator[Request]:
            for number, text in enumerate(texts):
                grammar = None
                if self.engine.grounded:
                    grammar = span_grammar(text, self._codes, self.template)
                prompt = span_prompt(text, self.system.name, self.template)
                yield Request(str(number), prompt, grammar, origin)

        for answer in self.engine.generate(requests()):
            self._count(answer)
            lines = parse_answer(answer.text, answer.complete).lines
            codes = [self.system.canonical(line.code) for line in lines[:1]]
            yield [code for code in codes if self.system.is_billable(code)]

    def _count(self, answer: Answer) -> None:
        self.usage.prompt_tokens += answer.prompt_tokens
        self.usage.answer_tokens += answer.answer_tokens
        self.usage.gpu_seconds += answer.gpu_seconds

    def request(self, note: Note) -> Request:
        """Return the question that is put to the model."""
        grammar = None
        if self.engine.grounded:
            grammar = document_grammar(note.text, self._codes, self.template)
        prompt = document_prompt(note.text, self.system.name, self.examples, self.template)
        texts = (note, *self.examples)
        restricted = any(each.origin == "restricted" for each in texts)
        return Request(note.id, prompt, grammar, "restricted" if restricted else note.origin)

    def read(self, note: Note, answer: Answer) -> CodedNote:
        """Turn an answer into codes with offsets."""
        return read_answer(note, answer, self.system)

    @cached_property
    def _codes(self) -> str:
        return codes_regex(self.system.billable_codes())


def read_answer(note: Note, answer: Answer, system: CodeSystem) -> CodedNote:
    """Turn an answer into codes with offsets; what cannot be used is counted, never repaired.

    Args:
        note: What was coded.
        answer: What the model wrote.
        system: Says which codes may be assigned.
    """
    parsed = parse_answer(answer.text, answer.complete)
    rules = AssertionRules(note.text)
    spans = ground(
        note.text,
        [line.quote for line in parsed.lines],
        # A quote may stand twice, first negated: the model means the other one.
        prefer=lambda start, end: rules.of(start, end) in CODED,
    )
    findings = []
    ungrounded = []
    invalid = [Invalid(code=None, status="unreadable")] * parsed.unreadable
    for line, span in zip(parsed.lines, spans, strict=True):
        code = system.canonical(line.code)
        status = system.status(code)
        if status != "valid":
            invalid.append(Invalid(code=code, status=status))
        elif span is None:
            ungrounded.append(Ungrounded(code=code, quote=line.quote))
        else:
            start, end = (
                len(answer.text[:offset].encode()) for offset in (line.code_start, line.code_end)
            )
            score = answer.probability(start, end)
            findings.append(Finding(code, *span, score, rules.of(*span)))
    flags = [answer.problem] if answer.problem else []
    if not answer.complete:
        flags.append("truncated")
    return CodedNote(
        id=note.id,
        text=note.text,
        origin=note.origin,
        codes=aggregate(note.text, findings, system),
        ungrounded=ungrounded,
        invalid=invalid,
        repeated=len(findings) - len({(f.code, f.start, f.end) for f in findings}),
        flags=flags,
    )
