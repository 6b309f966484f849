"""Notes for given codes, which mention each of them by one of its strings."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence

from cclearn.codes import CodeSystem
from cclearn.codes.patient_limits import patient_of
from cclearn.notes import AssignedCode, CodedNote, Evidence, Origin
from cclearn.notes.spans import Span
from data_builders.content.kinds import kind_of
from data_builders.content.reading import shipped_templates
from data_builders.content.schema import Kind
from data_builders.noise import Noise
from data_builders.noise.context import Context, context_of, vocabulary
from data_builders.templates.statements import Patient, Statement
from data_builders.templates.writer import NOISE_WEIGHTS, NoteWriter

_CACHE_SIZE = 1 << 16
"""Maximum number of codes whose kind and context are kept."""

_NONE: Mapping[str, Sequence[str]] = {}


class CodeNoteRenderer:
    """Writes notes for given codes, with the templates that come with the package.

    Args:
        system: Code system of the codes.
        noise: Share of the mentions whose spelling is changed.
        templates: Names of the templates that are used. Empty for all.
    """

    def __init__(self, system: CodeSystem, noise: float, templates: Collection[str] = ()) -> None:
        content = shipped_templates(system)
        self._system = system
        self._known: dict[str, tuple[Kind, Context]] = {}
        self._templates = [
            template
            for name, template in content.templates.items()
            if not templates or name in templates
        ]
        self._writer = NoteWriter(
            content, Noise(NOISE_WEIGHTS, vocabulary=vocabulary(system)), noise
        )

    def render(
        self,
        identifier: str,
        strings: Mapping[str, Sequence[str]],
        rng: random.Random,
        origin: Origin = "synthetic",
        distractors: Mapping[str, Sequence[str]] = _NONE,
    ) -> CodedNote:
        """Return a note that mentions every code, with the exact evidence of each.

        Args:
            identifier: Id of the note.
            strings: Strings of each code. Each mention is one of them.
            rng: Random generator of the note.
            origin: Origin of the note.
            distractors: Strings of codes that the note may deny, or ascribe to a relative.
        """
        codes = list(strings)
        statements = [self._statement(code, strings[code]) for code in codes]
        others = [self._statement(code, texts) for code, texts in distractors.items()]
        kinds = {statement.kind for statement in statements}
        sex, ages = patient_of(codes, self._system)
        # Several templates take all kinds, and all ages of adults. Children have those of adults.
        able = [t for t in self._templates if kinds <= t.kinds and t.sex in (None, sex)]
        fitting = [t for t in able if max(t.age[0], ages[0]) <= min(t.age[1], ages[1])]
        (template,) = rng.choices(fitting or able, [t.weight for t in fitting or able])
        # The reason of the encounter is a code that can be one.
        statements.sort(key=lambda statement: statement.kind not in template.principal)
        sex = sex or ("female" if rng.random() < 0.5 else "male")
        low, high = ages
        if fitting:
            low, high = max(template.age[0], low), min(template.age[1], high)
        written = self._writer.write(
            template, Patient(rng.randint(low, high), sex), statements, others, rng
        )
        spans = {s.fact: found for s, found in zip(statements, written.spans, strict=True)}
        return coded_note(
            identifier,
            written.text,
            {code: spans[code] for code in codes},
            self._system,
            origin=origin,
        )

    def _statement(self, code: str, strings: Sequence[str]) -> Statement:
        if code not in self._known:
            if len(self._known) >= _CACHE_SIZE:
                self._known.clear()
            context = context_of(self._system, code, framed=False)
            self._known[code] = kind_of(code, self._system), context
        kind, context = self._known[code]
        return Statement(
            fact=code,
            kind=kind,
            words=tuple(text.replace("{", "(").replace("}", ")") for text in strings),
            code=code,
            context=context,
        )


def coded_note(
    identifier: str,
    text: str,
    spans: Mapping[str, Sequence[Span]],
    system: CodeSystem,
    flags: Mapping[str, Sequence[str]] | None = None,
    metadata: Mapping[str, str] | None = None,
    origin: Origin = "synthetic",
) -> CodedNote:
    """Return a note with codes and the evidence of each.

    Args:
        identifier: Id of the note.
        text: Text of the note.
        spans: Spans of the evidence of each code.
        system: Code system of the codes.
        flags: Remarks on each code.
        metadata: Further fields of the note.
        origin: Origin of the note.
    """
    return CodedNote(
        id=identifier,
        text=text,
        origin=origin,
        metadata=dict(metadata or {}),
        codes=[
            AssignedCode(
                code=code,
                system=system.name,
                description=system.description(code),
                evidence=[
                    Evidence(start=start, end=end, text=text[start:end])
                    for start, end in sorted(set(found))
                ],
                status=system.status(code),
                flags=list((flags or {}).get(code, ())),
            )
            for code, found in spans.items()
        ],
    )
