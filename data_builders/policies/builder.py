"""Notes from facts, whose codes follow from coding policies."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.engines.registry import ModelSpec, load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.runtime.files import sha256_of_text
from data_builders.builder import Builder, BuilderConfig, BuiltRow, RejectedRow
from data_builders.content.reading import Content, read_content, shipped_files, unknown_names
from data_builders.noise import Noise
from data_builders.noise.context import vocabulary
from data_builders.parallel import ParallelMap, in_process, number_ranges
from data_builders.policies.checks import check_content
from data_builders.policies.engine import Assignment
from data_builders.policies.sampling import CaseSampler
from data_builders.synthetic.mentions import Share
from data_builders.templates.code_notes import coded_note
from data_builders.templates.paraphrase import INSTRUCTION, Paraphraser
from data_builders.templates.writer import NOISE_WEIGHTS, NoteWriter, WrittenNote


class PoliciesConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        notes: Number of notes to build.
        content: Paths of content files or folders, which are added to the content of the package. An
            entry replaces that of the same name.
        shipped: Whether the facts, policies and templates of the package are used. With `false`, only
            its phrases and slots are.
        templates: Names of the templates that are used. None for all.
        categories: Categories of facts, such as `frailty`, of which every note with codes has one.
        without_codes: Share of the notes that document nothing, and only deny facts or ascribe them to
            relatives.
        distractors: Largest number of mentions in a note that give no code.
        noise: Share of mentions that are misspelt, abbreviated or otherwise changed.
        prefix: Beginning of the ids of the notes.
        model: Name of a model that rewrites the sections of the notes. None keeps the text of the
            templates.
        engine: Settings of the model's engine, those of `--engine`.
    """

    notes: int = Field(default=1_000, gt=0)
    content: tuple[Path, ...] = ()
    shipped: bool = True
    templates: tuple[str, ...] | None = None
    categories: tuple[str, ...] = ()
    without_codes: Share = 0.05
    distractors: int = Field(default=3, ge=0)
    noise: Share = 0.1
    prefix: str = "policy"
    model: str | None = None
    engine: EngineSettings = EngineSettings()

    def inputs(self) -> list[Path]:
        """Return the paths in the settings, also that of a file of answers."""
        file = ModelSpec.parse(self.model).file if self.model is not None else None
        return [*super().inputs(), *([file] if file is not None else [])]

    def read(self, system: CodeSystem) -> Content:
        """Return the content that the settings name.

        Args:
            system: Code system of the codes.

        Raises:
            DataError: A file is missing or is not YAML.
            ConfigurationError: Entries are invalid, or a template or category is not known.
        """
        folders = () if self.shipped else ("phrases",)
        content = read_content([*shipped_files(*folders), *self.content], system)
        categories = [f.category for f in content.facts.values() if f.category]
        problems = [
            *unknown_names("templates", self.templates or (), content.templates),
            *unknown_names("categories", self.categories, categories),
        ]
        if not content.facts or not content.templates:
            problems.append("content: there are no facts or no templates. Name a file with some.")
        if problems:
            raise ConfigurationError(problems)
        return content


class PoliciesBuilder(Builder):
    """Builder of notes whose codes follow from documented facts by coding policies.

    A note depends only on the content, the seed and its number, so that it is the same in every process.
    """

    name = "policies"
    summary = "Notes from facts: templates write the text, and coding policies decide the codes."
    config_type = PoliciesConfig
    row_type = CodedNote
    data_file = "notes.jsonl"

    def has_parallel_step(self, config: PoliciesConfig) -> bool:
        """Return True, because every note is built independently."""
        return True

    def check(self, config: PoliciesConfig, system: CodeSystem) -> list[str]:
        """Return the problems of the content: codes, policies, slots and kinds.

        Args:
            config: Settings of the builder.
            system: Code system of the codes.

        Raises:
            DataError: A file is missing or is not YAML.
            ConfigurationError: Entries are invalid.
        """
        return check_content(config.read(system), system)

    def rows(
        self,
        config: PoliciesConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield coded notes.

        Raises:
            DataError: A content file is missing or is not YAML.
            ConfigurationError: Entries are invalid, or the checks find problems.
        """
        content = config.read(system)
        problems = check_content(content, system)
        if problems:
            raise ConfigurationError(problems)
        numbers = number_ranges(config.notes)
        if config.model is None:
            notes = parallel_map(partial(_NoteMaker, config, content, system), numbers)
            yield from chain.from_iterable(notes)
        else:
            drafts = parallel_map(partial(_DraftMaker, config, content, system), numbers)
            yield from self._rewritten(config, config.model, chain.from_iterable(drafts), system)

    def _rewritten(
        self, config: PoliciesConfig, model: str, drafts: Iterable[_Draft], system: CodeSystem
    ) -> Iterator[BuiltRow]:
        """Yield notes whose sections a model has rewritten."""
        engine = load_engine(model, config.engine)
        self.provenance = {
            "model": model,
            "model_sha256": engine.model_sha256,
            "prompt_sha256": sha256_of_text(INSTRUCTION),
        }
        waiting: deque[_Draft] = deque()

        def notes() -> Iterator[tuple[str, WrittenNote]]:
            for draft in drafts:
                waiting.append(draft)
                yield draft.identifier, draft.written

        for found in Paraphraser(engine, system).rewrite(notes()):
            draft = replace(waiting.popleft(), written=found.note)
            yield draft.coded_note(system)
            for reason, count in sorted(found.kept.items()):
                detail = f"{count} sections stay as they were"
                yield RejectedRow(text=draft.identifier, code="", reason=reason, detail=detail)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A note as the templates write it.

    Attributes:
        identifier: Id of the note.
        written: Text with the mentions of its facts.
        assignments: Codes that follow from the facts.
        metadata: Further fields of the note.
    """

    identifier: str
    written: WrittenNote
    assignments: list[Assignment]
    metadata: dict[str, str]

    def coded_note(self, system: CodeSystem) -> CodedNote:
        """Return the coded note."""
        spans = self.written.spans
        return coded_note(
            self.identifier,
            self.written.text,
            {a.code: [s for fact in a.facts for s in spans[fact]] for a in self.assignments},
            system,
            {a.code: [f"policy: {reason}" for reason in a.reasons] for a in self.assignments},
            self.metadata,
        )


class _DraftMaker:
    """Function from numbers to drafts of notes."""

    def __init__(self, config: PoliciesConfig, content: Content, system: CodeSystem) -> None:
        self._config = config
        self._content = content
        self._sampler = CaseSampler(
            content,
            system,
            config.templates or tuple(content.templates),
            config.categories,
            config.without_codes,
            config.distractors,
        )
        noise = Noise(NOISE_WEIGHTS, vocabulary=vocabulary(system))
        self._writer = NoteWriter(content, noise, config.noise)

    def __call__(self, numbers: range) -> list[_Draft]:
        """Return the drafts with the given numbers."""
        return [self._draft(number) for number in numbers]

    def _draft(self, number: int) -> _Draft:
        rng = random.Random(f"{self._config.seed} {number}")  # noqa: S311 - reproducible
        case = self._sampler.draw(rng)
        template = self._content.templates[case.template]
        written = self._writer.write(template, case.patient, case.statements, case.distractors, rng)
        return _Draft(
            f"{self._config.prefix}-{number}",
            written,
            case.assignments,
            {"template": case.template, "setting": template.setting},
        )


class _NoteMaker:
    """Function from numbers to coded notes."""

    def __init__(self, config: PoliciesConfig, content: Content, system: CodeSystem) -> None:
        self._make = _DraftMaker(config, content, system)
        self._system = system

    def __call__(self, numbers: range) -> list[CodedNote]:
        """Return the notes with the given numbers."""
        return [draft.coded_note(self._system) for draft in self._make(numbers)]
