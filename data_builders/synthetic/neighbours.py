"""Synthetic span pairs that a model infers from the evidence of neighbouring codes.

This is the third source of code-centric expansion (arXiv 2603.15270): a code without evidence has
neighbours that have some, and a model infers what evidence for the code would look like.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings, string_key
from cclearn.engines import Answer, Engine, Request
from cclearn.engines.registry import ModelSpec, load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.notes import Origin, SpanPair
from cclearn.notes.grounding import as_quote
from cclearn.prompts import verification_prompt
from cclearn.prompts.layout import LINE_START, NOTHING
from cclearn.runtime.files import sha256_of_text
from data_builders.builder import Builder, BuilderConfig, BuiltRow, RejectedRow, read_pairs
from data_builders.described_codes import described_code
from data_builders.noise.meaning import NEGATIONS, SIDES, meaning_marks
from data_builders.parallel import ParallelMap, in_process

INSTRUCTION = (
    "Below are a diagnosis and the words that notes have for similar diagnoses. Write {pieces} short"
    " pieces of evidence for the first diagnosis, as different clinicians would write them in their"
    " notes: abbreviations, plain words, findings. Write each on a line of its own behind"
    f' "{LINE_START}". Keep the side, the course, the type and the encounter of the diagnosis. Do not'
    " copy its title, and do not copy words that mean a similar diagnosis."
)

_LONGEST = 100
"""Maximum number of characters of a string."""

_ALIKE = 92
"""Similarity between 0 and 100 above which two strings are near duplicates."""

_AXES = (
    SIDES | {"unilateral"},
    frozenset(("acute", "subacute", "chronic")),
    frozenset(("initial", "subsequent", "sequela")),
    frozenset(("malignant", "benign")),
    frozenset(("mild", "moderate", "severe")),
    frozenset(("upper", "lower")),
    frozenset(("primary", "secondary")),
    frozenset(("with", "without")),
    frozenset(("open", "closed")),
    frozenset(("displaced", "nondisplaced")),
    frozenset(("male", "female")),
    frozenset(("maternal", "newborn")),
)
"""Words of which a code has one. A string with another one contradicts the code."""

_NUMBER = re.compile(r"\d.*|[ivx]+|[a-z]")
"""Matches the marks of types and stages: numbers, Roman numerals and single letters."""


class NeighboursConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        pairs: Paths of span pairs, whose strings the model is shown.
        model: Name of the model, in any form that `--model` accepts.
        engine: Settings of the model's engine, those of `--engine`.
        under: Code, chapter or block below which codes receive strings; None for all codes.
        least: Codes with fewer distinct strings receive some.
        pieces: Number of strings that the model is asked for.
        neighbours: Maximum number of neighbours that the model is shown.
        strings: Maximum number of strings of each neighbour that the model is shown.
        verifier: Name of a model that must choose the code among its siblings, by a string and their
            descriptions. None verifies nothing.
    """

    pairs: tuple[Path, ...] = Field(min_length=1)
    model: str
    engine: EngineSettings = EngineSettings()
    under: str | None = None
    least: int = Field(default=4, ge=1)
    pieces: int = Field(default=4, ge=1)
    neighbours: int = Field(default=3, ge=1)
    strings: int = Field(default=4, ge=1)
    verifier: str | None = None

    @model_validator(mode="after")
    def _models_are_language_models(self) -> Self:
        for name, model in (("model", self.model), ("verifier", self.verifier)):
            if model is not None and ModelSpec.parse(model).is_lexicon:
                raise ValueError(f"{name}: the lexicon is no language model. Name one.")
        return self

    def inputs(self) -> list[Path]:
        """Return the paths in the settings, also those of files of answers."""
        models = [model for model in (self.model, self.verifier) if model is not None]
        files = [ModelSpec.parse(model).file for model in models]
        return [*super().inputs(), *(file for file in files if file is not None)]


@dataclass(frozen=True, slots=True)
class _Known:
    """The strings that are known before the build.

    Attributes:
        texts: Distinct strings of each code in the pairs, in their order.
        codes: Codes of each string, also of the code system, by its key.
        origins: Origins of the strings of each code.
    """

    texts: Mapping[str, Sequence[str]]
    codes: Mapping[str, frozenset[str]]
    origins: Mapping[str, frozenset[Origin]]


@dataclass(frozen=True, slots=True)
class _Question:
    """A code that receives strings, and the neighbours whose strings are shown."""

    code: str
    neighbours: tuple[str, ...]
    request: Request


class NeighboursBuilder(Builder):
    """Builder of synthetic pairs for codes with few strings, by a model.

    Siblings with strings are shown first, then cousins. A string is rejected if it is a title, a string
    of a neighbour or of any other code, a near duplicate, or if it contradicts the side, course, type or
    encounter of the code.
    """

    name = "neighbours"
    summary = "Synthetic pairs that a model infers from the strings of neighbouring codes."
    config_type = NeighboursConfig
    row_type = SpanPair
    data_file = "pairs.jsonl"

    def has_parallel_step(self, config: NeighboursConfig) -> bool:
        """Return False, because the model is asked by one process."""
        return False

    def rows(
        self,
        config: NeighboursConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield pairs, and a rejected row for each string that is not used.

        Raises:
            DataError: A file of pairs is invalid.
            ConfigurationError: A model cannot be loaded.
            UnknownCodeError: The release does not contain the code of `under`.
        """
        known = _read_known(config.pairs, system)
        engine = load_engine(config.model, config.engine)
        verifier = None
        if config.verifier is not None:
            same = config.verifier == config.model
            verifier = engine if same else load_engine(config.verifier, config.engine)
        self.provenance = {
            "model": config.model,
            "model_sha256": engine.model_sha256,
            "prompt_sha256": sha256_of_text(INSTRUCTION),
        }
        inferred = self._inferred(config, system, known, engine)
        if verifier is not None:
            inferred = _verified(inferred, verifier, system)
        for number, row in enumerate(inferred, start=1):
            if isinstance(row, SpanPair):
                row = row.model_copy(update={"id": f"{self.name}-{number}"})
            yield row

    def _inferred(
        self, config: NeighboursConfig, system: CodeSystem, known: _Known, engine: Engine
    ) -> Iterator[SpanPair | RejectedRow]:
        waiting: deque[_Question] = deque()

        def requests() -> Iterator[Request]:
            for question in _questions(config, system, known):
                waiting.append(question)
                yield question.request

        built: dict[str, str] = {}  # The code of each string that was built, by its key.
        for answer in engine.generate(requests()):
            question = waiting.popleft()
            yield from _read_answer(question, answer, known, built, system)


def _read_known(paths: Iterable[Path], system: CodeSystem) -> _Known:
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    codes: dict[str, set[str]] = defaultdict(set)
    origins: dict[str, set[Origin]] = defaultdict(set)
    for string in code_strings(system):
        codes[string_key(string.text)].add(string.code)
    for path in paths:
        for pair in read_pairs(path, system):
            code, key = system.canonical(pair.code), string_key(pair.text)
            texts[code].setdefault(key, pair.text)
            codes[key].add(code)
            origins[code].add(pair.origin)
    return _Known(
        {code: list(strings.values()) for code, strings in texts.items()},
        {key: frozenset(found) for key, found in codes.items()},
        {code: frozenset(found) for code, found in origins.items()},
    )


def _questions(config: NeighboursConfig, system: CodeSystem, known: _Known) -> Iterator[_Question]:
    """Yield a question for each code with too few strings that has a neighbour with some."""
    for code in system.billable_codes(config.under):
        if len(known.texts.get(code, ())) >= config.least:
            continue
        siblings = [c for c in system.neighbours(code) if known.texts.get(c)]
        near = siblings
        if len(siblings) < config.neighbours:
            near = siblings + [c for c in system.neighbours(code, "cousin") if known.texts.get(c)]
        # Those with the most strings, and of these the first ones.
        chosen = sorted(
            dict.fromkeys(near),
            key=lambda c: (c not in siblings, -len(known.texts[c])),
        )[: config.neighbours]
        if chosen:
            yield _Question(code, tuple(chosen), _request(code, chosen, config, system, known))


def _request(
    code: str,
    neighbours: Sequence[str],
    config: NeighboursConfig,
    system: CodeSystem,
    known: _Known,
) -> Request:
    lines = [f"Diagnosis: {described_code(code, system)}"]
    for neighbour in neighbours:
        lines.append(f"\nSimilar diagnosis: {described_code(neighbour, system)}")
        lines += [f"{LINE_START}{as_quote(t)}" for t in known.texts[neighbour][: config.strings]]
    content = "\n".join([INSTRUCTION.format(pieces=config.pieces), "", *lines])
    origins = {origin for c in neighbours for origin in known.origins[c]}
    origin: Origin = "restricted" if "restricted" in origins else "public"
    return Request(code, [{"role": "user", "content": content}], None, origin)


def _read_answer(
    question: _Question,
    answer: Answer,
    known: _Known,
    built: dict[str, str],
    system: CodeSystem,
) -> Iterator[SpanPair | RejectedRow]:
    """Yield a pair for each usable line of an answer, and a rejected row for each other one."""
    code = question.code
    if answer.problem:
        yield RejectedRow(
            text="", code=code, reason="the model gave no answer", detail=answer.problem
        )
        return
    lines = answer.text.split("\n")
    if not answer.complete:
        lines = lines[:-1]
    near = {string_key(text): c for c in question.neighbours for text in known.texts[c]}
    own = [*known.texts.get(code, ())]
    restricted = question.request.origin == "restricted"
    for line in filter(None, map(str.strip, lines)):
        text = as_quote(line.removeprefix(LINE_START.strip()))
        key = string_key(text)
        problem = ""
        if not line.startswith(LINE_START.strip()) or not any(map(str.isalpha, text)):
            problem = "not a piece of evidence"
        elif len(text) > _LONGEST:
            problem = f"more than {_LONGEST} characters"
        elif key in near:
            problem = "evidence of the neighbour"
        elif code in known.codes.get(key, ()):
            problem = "a title or a known string"
        elif key in known.codes or built.get(key, code) != code:
            problem = "a string of another code"
        elif contradicts(text, system.description(code)):
            problem = "contradicts the code"
        elif _is_near_duplicate(text, own):
            problem = "a near duplicate"
        if problem:
            yield RejectedRow(text=text[:_LONGEST], code=code, reason=problem)
            continue
        own.append(text)
        built[key] = code
        yield SpanPair(
            id="-",  # It gets its number in the order of all rows.
            text=text,
            code=code,
            system=system.name,
            release=system.release,
            grade="synthetic",
            source="neighbours/inferred",
            origin="restricted" if restricted else "synthetic",
            neighbour=question.neighbours[0],
        )


def contradicts(text: str, title: str) -> bool:
    """Return whether a string contradicts the title of a code.

    It does if it has another side, course, degree, type or encounter than the title, or a negation that
    the title does not have.
    """
    own, wanted = set(meaning_marks(text)), set(meaning_marks(title))
    if own & NEGATIONS - wanted:
        return True
    for axis in _AXES:
        if own & axis and wanted & axis and not own & wanted & axis:
            return True
    numbers = {mark for mark in own if _NUMBER.fullmatch(mark)}
    expected = {mark for mark in wanted if _NUMBER.fullmatch(mark)}
    return bool(numbers and expected and not numbers & expected)


def _is_near_duplicate(text: str, others: Iterable[str]) -> bool:
    from rapidfuzz import fuzz, utils

    def similarity(other: str) -> float:
        return float(fuzz.token_sort_ratio(text, other, processor=utils.default_process))

    return any(similarity(other) >= _ALIKE for other in others)


def _verified(
    rows: Iterable[SpanPair | RejectedRow], verifier: Engine, system: CodeSystem
) -> Iterator[SpanPair | RejectedRow]:
    """Yield the rows, with those pairs rejected for which the verifier does not choose their code.

    It chooses among the descriptions of the code, of its siblings and `none`.
    """
    waiting: deque[SpanPair | RejectedRow] = deque()
    numbers: Counter[str] = Counter()

    def requests() -> Iterator[Request]:
        for row in rows:
            waiting.append(row)
            if isinstance(row, SpanPair):
                numbers[row.code] += 1
                # The id has no text, because messages may show it.
                yield _choice(f"{row.code} {numbers[row.code]}", row, verifier, system)

    for answer in verifier.generate(requests()):
        pair = waiting.popleft()
        while isinstance(pair, RejectedRow):  # Only pairs have requests.
            yield pair
            pair = waiting.popleft()
        chosen = answer.text.strip().removeprefix(LINE_START.strip()).strip()
        if answer.problem:
            reason = "the verifier gave no answer"
            yield RejectedRow(text=pair.text, code=pair.code, reason=reason, detail=answer.problem)
        elif chosen != system.description(pair.code):
            yield RejectedRow(
                text=pair.text, code=pair.code, reason="the verifier chose another code"
            )
        else:
            yield pair
    yield from waiting


def _choice(identifier: str, pair: SpanPair, verifier: Engine, system: CodeSystem) -> Request:
    codes = sorted({pair.code, *system.neighbours(pair.code)})
    descriptions = [system.description(code) for code in codes]
    grammar = None
    if verifier.grounded:
        answers = " | ".join(
            json.dumps(answer, ensure_ascii=False) for answer in (*descriptions, NOTHING)
        )
        grammar = f"%llguidance {{}}\nstart: {answers}"
    return Request(identifier, verification_prompt(pair.text, descriptions), grammar, pair.origin)
