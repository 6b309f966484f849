"""Coding of the evaluation notes with a model, and the scores that results contain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.claim.data import Split
from cclearn.bulk import BulkOptions, code_corpus
from cclearn.codes import CodeSystem
from cclearn.coding.settings import CoderSettings
from cclearn.errors import CclearnError
from cclearn.evaluation import Settings, evaluate
from cclearn.notes import CodedNote
from cclearn.notes.assertion import AssertionLanguage
from cclearn.notes.jsonl import read_coded_notes
from cclearn.runtime.files import write_json
from cclearn.runtime.parsing import read_json

SCORES = (
    "micro_f1",
    "micro_precision",
    "micro_recall",
    "macro_f1",
    "evidence_span_f1",
    "evidence_token_f1",
    "codiesp_x_f1",
    "map",
    "frequency/medium/micro_f1",
    "frequency/tail/micro_f1",
    "frequency/ultra_tail/micro_f1",
    "unseen/micro_recall",
    "invalid_rate",
    "ungrounded_rate",
)
"""Scores of a result, besides the recall of groups of codes."""

ASSERTION: AssertionLanguage = "off"
"""Language of the assertion rules of all systems. The notes are Spanish and the rules English."""

DRAWS = 1_000
"""Number of draws of the bootstrap."""

_SHARD = 25


def code_notes(notes: Path, out: Path, settings: CoderSettings) -> float:
    """Code notes into a folder, or continue an interrupted run. Return the seconds of all sessions that
    ended by themselves.

    Args:
        notes: File of notes.
        out: Output folder. The seconds are stored beside it.
        settings: Settings of the coder.

    Raises:
        CclearnError: A note could not be coded, or the folder belongs to another run.
    """
    summary = code_corpus(notes, out, settings, BulkOptions(shard_size=_SHARD))
    assert summary is not None, "this is the first process"
    if summary.rejected:
        raise CclearnError(f"notes (out = {out}): {sum(summary.rejected.values())} were not coded.")
    record = out.with_name(f"{out.name}.seconds.json")
    seconds: float = read_json(record)["seconds"] if record.exists() else 0.0
    seconds += summary.pace.seconds
    write_json(record, {"seconds": seconds})
    return seconds


def predictions(out: Path) -> Iterator[CodedNote]:
    """Yield the coded notes of an output folder."""
    for shard in sorted((out / "shards").glob("*.jsonl")):
        yield from read_coded_notes(shard)


def score(
    split: Split, predicted: Sequence[CodedNote], system: CodeSystem, draws: int
) -> dict[str, Any]:
    """Return the scores of predictions, and the recall on groups of codes.

    The groups are `span_only`, the codes of spans that no document contains; `absent`, the codes that
    neither spans nor documents contain; and `held_out`, if the split is by code. A group has only codes
    that are billable in the release, because no other code is in a span or can be predicted.

    Args:
        split: Notes of the arm.
        predicted: Coded notes.
        system: Code system.
        draws: Number of draws of the bootstrap; 0 computes no intervals.
    """
    counts = Counter(a.code for note in split.documents for a in note.codes)
    settings = Settings(draws=draws, training=counts)
    found = _evaluated(split, predicted, system, settings)
    scores = {name: found[name] for name in SCORES if name in found}
    for name, codes in code_groups(split, system).items():
        group = _evaluated(split, predicted, system, group_settings(split, codes, settings))
        scores[f"{name}/micro_recall"] = group["unseen/micro_recall"]
    return scores


def group_settings(split: Split, codes: Collection[str], settings: Settings) -> Settings:
    """Return settings of an evaluation whose scores `unseen` are those of a group of codes.

    Args:
        split: Notes of the arm.
        codes: Codes of the group.
        settings: Settings of the evaluation of all codes.
    """
    # The group `unseen` of an evaluation has the codes without training notes.
    others = {a.code: 1 for n in split.evaluation for a in n.codes if a.code not in codes}
    return replace(settings, training=others)


def code_groups(split: Split, system: CodeSystem) -> dict[str, frozenset[str]]:
    """Return groups of the codes of the evaluation notes by name. See `score`."""
    found = {a.code for note in split.evaluation for a in note.codes}
    codes = {code for code in found if system.is_billable(code)}
    spans = split.span_only_codes
    groups = {
        "span_only": frozenset(codes & spans),
        "absent": frozenset(codes - spans - split.document_codes),
        "held_out": frozenset(codes & split.held_out),
    }
    return {name: group for name, group in groups.items() if group}


def _evaluated(
    split: Split, predicted: Sequence[CodedNote], system: CodeSystem, settings: Settings
) -> Mapping[str, Any]:
    comparison = evaluate(split.evaluation, {"model": predicted}, system, settings)
    return {k: asdict(v) for k, v in comparison.evaluations["model"].scores.items()}
