"""Synthetic discharge summaries for a set of codes, with the exact offsets of all mentions."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import overload

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.jsonl import read_coded_notes
from cclearn.rows import in_share
from data_builders.builder import Builder, BuiltRow, RejectedRow
from data_builders.noise import WEIGHTS, Noise
from data_builders.noise.context import context_of, vocabulary
from data_builders.noise.spelling import lower_first
from data_builders.parallel import ParallelMap, in_process, number_ranges
from data_builders.synthetic import note_frames as frames
from data_builders.synthetic.mentions import MentionSettings, Share, read_mentions, select_codes

# A mention is inserted into a sentence, which also determines the case of its first letter.
_WEIGHTS = {name: weight for name, weight in WEIGHTS.items() if name not in ("frame", "casing")}


class TemplateNotesConfig(MentionSettings):
    """Settings of the builder, besides those of `MentionSettings`.

    Attributes:
        notes: Number of notes to build.
        most_codes: Largest number of codes of a note that has codes.
        without_codes: Share of notes that have no code.
        mentioned_twice: Share of codes that a note mentions a second time.
        distractors: Largest number of mentions in a note that give no code, because they are negated,
            ruled out, hypothetical or about a relative.
        reserved: Share of each code's strings that the notes never use. A code's first string is never
            reserved. Notes that are built with a smaller share and the same `split_seed` use more.
        split_seed: Seed that determines which strings are reserved.
        prefix: Beginning of the ids of the notes.
        avoid: Path of coded notes, such as those of a test set. A note with the text of one of them is
            rejected.
    """

    notes: int = Field(gt=0)
    most_codes: int = Field(default=4, ge=1)
    without_codes: Share = 0.1
    mentioned_twice: Share = 0.25
    distractors: int = Field(default=2, ge=0)
    reserved: float = Field(default=0.0, ge=0, lt=1)
    split_seed: int = 0
    prefix: str = "note"
    avoid: Path | None = None


class TemplateNotesBuilder(Builder):
    """Builder of notes with the sections of a discharge summary.

    A note depends only on the seed and its number, so that it is the same in every process.
    """

    name = "template_notes"
    summary = "Synthetic discharge summaries with codes, exact evidence and distractors."
    config_type = TemplateNotesConfig
    row_type = CodedNote
    data_file = "notes.jsonl"

    def has_parallel_step(self, config: TemplateNotesConfig) -> bool:
        """Return True, because every note is built independently."""
        return True

    def rows(
        self,
        config: TemplateNotesConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield coded notes, and a rejected row for each requested code without a pair."""
        mentions = read_mentions(config, system)
        strings = {code: _unreserved(code, texts, config) for code, texts in mentions.items()}
        codes, rejected = select_codes(config.codes, strings, system)
        yield from rejected
        if not codes:
            return
        avoided = {note.text for note in read_coded_notes(config.avoid)} if config.avoid else set()
        make = partial(_NoteMaker, config, system, strings, codes)
        for notes in parallel_map(make, number_ranges(config.notes)):
            for note in notes:
                if note.text in avoided:
                    reason = "the text is to be avoided"
                    yield RejectedRow(text=note.id, code="", reason=reason)
                else:
                    yield note


def _unreserved(code: str, strings: list[str], config: TemplateNotesConfig) -> list[str]:
    """Return the strings of a code that are not reserved."""
    first, *others = strings
    return [first] + [
        string
        for string in others
        if not in_share(f"{code} {string}", config.reserved, config.split_seed)
    ]


class _NoteMaker:
    """Function from numbers to notes."""

    def __init__(
        self,
        config: TemplateNotesConfig,
        system: CodeSystem,
        strings: dict[str, list[str]],
        codes: list[str],
    ) -> None:
        self._config = config
        self._system = system
        self._strings = strings
        self._codes = codes
        self._positions: dict[str, list[int]] = defaultdict(list)
        for position, code in enumerate(codes):
            self._positions[code].append(position)
        self._noise = Noise(_WEIGHTS, vocabulary=vocabulary(system))

    def __call__(self, numbers: range) -> list[CodedNote]:
        """Return the notes with the given numbers."""
        return [self._note(number) for number in numbers]

    def _note(self, number: int) -> CodedNote:
        config, codes = self._config, self._codes
        rng = random.Random(f"{config.seed} {number}")  # noqa: S311 - reproducible
        chosen: list[str] = []
        if rng.random() >= config.without_codes:
            most = min(config.most_codes, len(codes))
            chosen = rng.sample(codes, rng.randint(1, most))
        # Distractors are among the codes of the builder, so that no other code is mentioned at all.
        others = _Others(codes, {p for code in chosen for p in self._positions[code]})
        distractors = rng.sample(others, min(len(others), rng.randint(0, config.distractors)))
        writer = _Writer(config, self._system, self._strings, self._noise, rng)
        return writer.write(f"{config.prefix}-{number}", chosen, distractors)


class _Others(Sequence[str]):
    """View of codes without those at some positions. Copying the list for each note would be slow."""

    def __init__(self, codes: list[str], removed: set[int]) -> None:
        self._codes = codes
        self._removed = sorted(removed)

    def __len__(self) -> int:
        return len(self._codes) - len(self._removed)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        for position in self._removed:
            index += position <= index
        return self._codes[index]


class _Writer:
    """Writes one note piece by piece, and records the offsets of its mentions."""

    def __init__(
        self,
        config: TemplateNotesConfig,
        system: CodeSystem,
        strings: dict[str, list[str]],
        noise: Noise,
        rng: random.Random,
    ) -> None:
        self._config = config
        self._system = system
        self._strings = strings
        self._noise = noise
        self._rng = rng
        self._text = ""
        self._evidence: dict[str, list[Evidence]] = {}
        self._used: set[str] = set()

    def write(self, identifier: str, chosen: list[str], distractors: list[str]) -> CodedNote:
        """Return a note with the chosen codes, which mentions the distractors without coding them."""
        self._compose(chosen, distractors)
        return CodedNote(
            id=identifier,
            text=self._text,
            origin="synthetic",
            codes=[
                AssignedCode(
                    code=code,
                    system=self._system.name,
                    description=self._system.description(code),
                    evidence=evidence,
                    status=self._system.status(code),
                )
                for code, evidence in self._evidence.items()
            ],
        )

    def _compose(self, chosen: list[str], distractors: list[str]) -> None:
        rng = self._rng
        plan: dict[str, list[tuple[str, str | None, str | None]]] = defaultdict(list)
        for code in chosen:
            twice = rng.random() < self._config.mentioned_twice
            for section in rng.sample(frames.CODED_SECTIONS, 2 if twice else 1):
                plan[section].append((rng.choice(frames.CODED[section]), code, code))
        for code in distractors:
            section, sentence = rng.choice(frames.DISTRACTORS)
            plan[section].append((sentence, code, None))
        for section in frames.SECTIONS:
            sentences: list[tuple[str, str | None, str | None]] = plan[section]
            rng.shuffle(sentences)
            if section in frames.FILLERS and (not sentences or rng.random() < 0.5):
                sentences.insert(0, (rng.choice(frames.FILLERS[section]), None, None))
            if not sentences:
                continue
            as_list = section in frames.LISTS
            self._text += f"{section}:" + ("" if as_list else " ")
            for number, (sentence, mentioned, credited) in enumerate(sentences):
                if as_list:
                    self._text += f"\n{number + 1}. "
                elif number:
                    self._text += " "
                self._sentence(sentence, mentioned, credited)
            self._text += "\n"

    def _sentence(self, sentence: str, code: str | None, credited: str | None) -> None:
        person = {
            "age": str(self._rng.randint(19, 91)),
            "sex": self._rng.choice(("man", "woman")),
            "relative": self._rng.choice(("Mother", "Father", "Brother", "Sister")),
        }
        head, mark, tail = sentence.partition("{mention}")
        self._text += head.format(**person)
        if mark and code is not None:
            self._mention(code, credited)
        self._text += tail.format(**person)

    def _mention(self, code: str, credited: str | None) -> None:
        # A second mention uses another string if there is one.
        fresh = [string for string in self._strings[code] if string not in self._used]
        mention = self._rng.choice(fresh or self._strings[code])
        self._used.add(mention)
        if self._rng.random() < self._config.noise:
            context = context_of(self._system, code, framed=False)
            mention = self._noise.change(mention, self._rng, context)
        begins = self._text.endswith((": ", "- ", ". ")) or not self._text
        if not begins or self._rng.random() < 0.3:
            mention = lower_first(mention)
        start = len(self._text)
        self._text += mention
        if credited is not None:
            found = Evidence(start=start, end=len(self._text), text=mention)
            self._evidence.setdefault(credited, []).append(found)
