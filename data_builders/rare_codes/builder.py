"""Synthetic notes for rare codes, after arXiv 2511.14112."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.engines.registry import load_engine
from cclearn.notes import CODED_ASSERTIONS, CodedNote
from cclearn.runtime.files import sha256_of_text
from data_builders.builder import NOT_BILLABLE, Builder, BuiltRow, RejectedRow
from data_builders.parallel import ParallelMap, in_process, in_processes
from data_builders.rare_codes.allocation import allocate
from data_builders.rare_codes.asking import NoteAsker
from data_builders.rare_codes.code_sets import AnchorCodeSets
from data_builders.rare_codes.cooccurrence import read_prior
from data_builders.rare_codes.mention_strings import MentionStrings, read_mention_strings
from data_builders.rare_codes.note_plan import NotePlan, PlannedNote, PlannedOutcome
from data_builders.rare_codes.prompts import AGAIN, INSTRUCTION, SECTIONS, STYLE
from data_builders.rare_codes.rendering import rendered_notes
from data_builders.rare_codes.settings import RareCodeNotesConfig
from data_builders.rare_codes.style import StyleNotes
from data_builders.rare_codes.tables import read_counts, read_labels
from data_builders.rare_codes.training_corpus import TrainingCorpus, read_training_corpus


class RareCodeNotesBuilder(Builder):
    """Builder of notes for the codes that a training corpus has rarely or never.

    The number of notes of a code is its log-inverse allocation. The codes of a note are an anchor-based
    code set. The text is written by a model that is told what is known about each code, or by templates.
    """

    name = "rare_code_notes"
    summary = "Synthetic notes for the rare and the unseen codes of a training corpus."
    config_type = RareCodeNotesConfig
    row_type = CodedNote
    data_file = "notes.jsonl"

    def has_parallel_step(self, config: RareCodeNotesConfig) -> bool:
        """Return whether the notes are written without a model, each independently."""
        return config.model is None

    def rows(
        self,
        config: RareCodeNotesConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield the notes of each code, and a rejected row for each note and label that is not used.

        Raises:
            DataError: A file is invalid.
            ConfigurationError: The model cannot be loaded.
            UnknownCodeError: The release does not contain the code of `under`.
        """
        corpus = read_training_corpus(config.notes, system, config.seed)
        plan, rejected = _note_plan(config, corpus, system)
        yield from rejected
        more: dict[str, Any] = {
            "training corpus": {
                "notes": corpus.notes,
                "codes that are not billable": corpus.not_billable,
            }
        }
        strings = read_mention_strings(config.pairs, system, config.longest_mention)
        if config.model is None:
            if parallel_map is in_process and config.workers > 1:
                parallel_map = in_processes(config.workers)
            outcomes = rendered_notes(
                plan.notes(), system, strings, config.noise, config.seed, parallel_map
            )
        else:
            outcomes = self._asked(config, config.model, system, strings, plan, more)
        texts: set[bytes] = set()
        for planned, outcome in outcomes:
            row = _refused_repetition(outcome, planned, texts)
            plan.add(planned, row)
            yield row
        self.statistics = {**plan.statistics(), **more}

    def plan(self, config: RareCodeNotesConfig, system: CodeSystem) -> list[str]:
        """Return the allocation of notes to strata, as the lines of a table.

        Raises:
            DataError: A file is invalid.
            UnknownCodeError: The release does not contain the code of `under`.
        """
        corpus = read_training_corpus(config.notes, system, config.seed)
        plan, _ = _note_plan(config, corpus, system)
        return plan.table()

    def _asked(
        self,
        config: RareCodeNotesConfig,
        model: str,
        system: CodeSystem,
        strings: MentionStrings,
        plan: NotePlan,
        more: dict[str, Any],
    ) -> Iterator[PlannedOutcome]:
        """Yield the planned notes that a model writes, and add its counts to the statistics."""
        engine = load_engine(model, config.engine)
        self.provenance = {
            "model": model,
            "model_sha256": engine.model_sha256,
            "prompt_sha256": sha256_of_text("\n".join((INSTRUCTION, STYLE, AGAIN, *SECTIONS))),
        }
        styles = StyleNotes()
        if config.style is not None:
            styles = StyleNotes.read(config.style, system, config.style_characters, config.seed)
        by_section = config.sections == "section"
        asker = NoteAsker(engine, system, strings, styles, by_section, config.tries, config.seed)
        lexicon = LexiconCoder(system) if config.lexicon else None
        of_lexicon = 0
        for planned, outcome in asker.write(plan.notes()):
            if lexicon is not None and isinstance(outcome, CodedNote):
                of_lexicon += len(_lexicon_codes(lexicon, outcome))
            yield planned, outcome
        more["asked again"] = asker.asked_again
        more["codes that were not asked for"] = {
            "model": asker.others,
            **({"lexicon": of_lexicon} if config.lexicon else {}),
        }


def _note_plan(
    config: RareCodeNotesConfig, corpus: TrainingCorpus, system: CodeSystem
) -> tuple[NotePlan, list[RejectedRow]]:
    """Return the plan of a build, and a rejected row for each code that is not billable."""
    counts, rejected = label_counts(config, corpus, system)
    prior = read_prior(config.cooccurrence, system) if config.cooccurrence else None
    plan = NotePlan(
        counts,
        allocate(counts, config.below, config.most, config.alpha),
        config.bounds,
        AnchorCodeSets(system, corpus, prior),
        config.prefix,
        config.seed,
    )
    return plan, rejected


def label_counts(
    config: RareCodeNotesConfig, corpus: TrainingCorpus, system: CodeSystem
) -> tuple[dict[str, int], list[RejectedRow]]:
    """Return the number of training notes with each code of the label space, in tabular order.

    Args:
        config: Settings of the builder.
        corpus: Training corpus.
        system: Code system of the codes.

    Returns:
        The counts, and a rejected row for each code that is not billable.

    Raises:
        DataError: A file is invalid.
        UnknownCodeError: The release does not contain the code of `under`.
    """
    counts = read_counts(config.counts, system) if config.counts else dict(corpus.counts)
    if config.labels is not None:
        space = read_labels(config.labels, system)
    elif config.under is not None:
        space = system.billable_codes(config.under)
    else:
        space = list(counts)
    members = set(space)
    rejected = [
        RejectedRow(text="", code=code, reason=NOT_BILLABLE)
        for code in space
        if not system.is_billable(code)
    ]
    found = {c: counts.get(c, 0) for c in system.billable_codes(config.under) if c in members}
    return found, rejected


def _refused_repetition(
    outcome: CodedNote | RejectedRow, planned: PlannedNote, texts: set[bytes]
) -> CodedNote | RejectedRow:
    """Return a note, or a rejected row for a note with the text of an earlier one.

    Args:
        outcome: A note, or a rejected row, which is returned unchanged.
        planned: Plan of the note.
        texts: Hashes of the earlier texts, to which that of the note is added.
    """
    if isinstance(outcome, RejectedRow):
        return outcome
    digest = hashlib.blake2b(outcome.text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
    if digest in texts:
        anchor = planned.code_set.anchor
        return RejectedRow(text=planned.id, code=anchor, reason="the text is that of another note")
    texts.add(digest)
    return outcome


def _lexicon_codes(lexicon: LexiconCoder, note: CodedNote) -> list[str]:
    """Return the codes that the lexicon reads in a note and that were not asked for."""
    coded = lexicon.code(note.note)
    found = {a.code for a in coded.codes if a.assertion in CODED_ASSERTIONS}
    return sorted(found.difference(assigned.code for assigned in note.codes))
