"""Coding one shard of a corpus: the one function that every way of running a corpus calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from pydantic import BaseModel, ConfigDict

from cclearn.bulk.corpus import BulkCorpus, Shard
from cclearn.coding import Coder
from cclearn.coding.batch import code_batch
from cclearn.engines.base import NOT_FINITE
from cclearn.errors import CclearnError, NoteError, UnansweredError, type_and_place
from cclearn.notes import Note
from cclearn.notes.jsonl import row_to_json

_STOPPING = frozenset({"connection", "budget"})
"""Failures of the run, not of the note: the next notes would fail as well."""

_OVERWHELMED = frozenset({"timeout", "http_429", "unreadable_response"})

_SYSTEMATIC = 10
"""So many notes in a row that fail alike are no matter of the notes; nor are all of a shard's."""

_FEW = 3
"""Fewer may all be bad."""


ROWS_THEMSELVES = frozenset({"unreadable", "repeated"})
"""Kinds of rejected rows that no second try would mend."""


class RejectedNote(BaseModel):
    """A row of a corpus that was not coded.

    Attributes:
        row: Its number: of the line, the Parquet row or the file of the folder, from 1.
        id: Its id, where it has one; of a file that cannot be read, its name.
        kind: `unreadable`; `repeated`, of its id; a failure of the engine, e.g. `timeout`; `refused` or
            `restricted`; or `error`.
        reason: What is wrong. It holds no text of the note.
        note: The note, where it could be read.
    """

    model_config = ConfigDict(frozen=True)

    row: int
    id: str | None
    kind: str
    reason: str
    note: Note | None = None


class Marker(BaseModel):
    """What a finished shard holds; it is written behind it.

    Attributes:
        shard: The shard's number.
        notes: How many notes were coded.
        codes: How many codes they were given.
        flagged: The notes that keep a failure's flag, by flag.
        prompt_tokens: That the coder read.
        answer_tokens: That it wrote.
        gpu_seconds: That it took.
        bytes: The size of the shard's file.
        sha256: Of the shard's file.
        rejected: The rows that were not coded.
        run: The run's hash, set when it is written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shard: int
    notes: int
    codes: int
    flagged: dict[str, int]
    prompt_tokens: int
    answer_tokens: int
    gpu_seconds: float
    bytes: int
    sha256: str
    rejected: list[RejectedNote]
    run: str = ""


@dataclass(frozen=True, slots=True)
class CodedShard:
    """A shard's coded notes as JSONL, and its marker."""

    content: bytes
    marker: Marker


def code_shard(
    coder: Coder, corpus: BulkCorpus, shard: Shard, progress: Callable[[int], None] | None = None
) -> CodedShard:
    """Code the rows of a shard: the same shard gives the same bytes in every process.

    Args:
        coder: The coder.
        corpus: The corpus.
        shard: Which rows.
        progress: Told how many notes of the shard are coded.

    Raises:
        CclearnError: The engine answers no more, the corpus has changed, or many notes in a row raise
            an error.
    """
    rejected: list[RejectedNote] = []
    numbers: list[int] = []
    notes: list[Note] = []
    for row in corpus.read(shard):
        if row.problem is not None:
            kind = "unreadable" if row.note is None else "repeated"
            rejected.append(
                RejectedNote(
                    row=row.number, id=row.id, kind=kind, reason=row.problem, note=row.note
                )
            )
        elif row.note is not None:
            numbers.append(row.number)
            notes.append(row.note)
    before = replace(coder.usage)
    lines: list[str] = []
    codes = in_a_row = 0
    flagged: Counter[str] = Counter()
    pairs = zip(numbers, notes, code_batch(coder, notes), strict=True)
    for done, (number, note, coded) in enumerate(pairs, start=1):
        if progress is not None:
            progress(done)
        if isinstance(coded, Exception):
            in_a_row += _may_be_of_the_run(coded)
            rejected.append(_rejected(number, note, coded, shard))
            if in_a_row >= min(_SYSTEMATIC, max(_FEW, len(notes))):
                raise _systematic(shard, in_a_row, coded)
            continue
        in_a_row = 0
        lines.append(row_to_json(coded) + "\n")
        codes += len(coded.codes)
        flagged.update(coded.failures)
    content = "".join(lines).encode()
    usage = coder.usage
    marker = Marker(
        shard=shard.number,
        notes=len(lines),
        codes=codes,
        flagged=dict(sorted(flagged.items())),
        prompt_tokens=usage.prompt_tokens - before.prompt_tokens,
        answer_tokens=usage.answer_tokens - before.answer_tokens,
        gpu_seconds=usage.gpu_seconds - before.gpu_seconds,
        bytes=len(content),
        sha256=sha256(content).hexdigest(),
        rejected=sorted(rejected, key=lambda each: each.row),
    )
    return CodedShard(content, marker)


def _rejected(number: int, note: Note, error: Exception, shard: Shard) -> RejectedNote:
    """Return a note's entry. Raises CclearnError where other notes would fare no better."""
    kind, reason = "error", type_and_place(error)
    if isinstance(error, UnansweredError):
        if stopping := _STOPPING.intersection(error.failures):
            raise _stopped(shard, min(stopping))
        kind, reason = error.kind, ", ".join(error.failures)
    elif isinstance(error, NoteError):
        kind, reason = error.kind, str(error)
    elif isinstance(error, CclearnError):
        raise error
    return RejectedNote(row=number, id=note.id, kind=kind, reason=reason, note=note)


def _may_be_of_the_run(error: Exception) -> bool:
    """Say whether other notes might fail likewise: an error does, or a server that is overwhelmed, or a
    model whose scores are not finite."""
    if not isinstance(error, UnansweredError):
        return True
    return error.kind in {*_OVERWHELMED, NOT_FINITE} or error.kind.startswith("http_5")


def _stopped(shard: Shard, reason: str) -> CclearnError:
    why = "is used up" if reason == "budget" else "to the engine is lost"
    return CclearnError(
        f"shard (number = {shard.number}): the {reason} {why}; what is finished stays. Run the same"
        " command again to go on."
    )


def _systematic(shard: Shard, count: int, error: Exception) -> CclearnError:
    if isinstance(error, UnansweredError):
        what = f"have no answer ({error.kind})"
        if error.kind == NOT_FINITE:
            what += ", for the model's scores are NaN or infinite: its weights are damaged"
    elif isinstance(error, NoteError):
        return error
    else:
        what = f"raise {type_and_place(error)}"
    return CclearnError(
        f"shard (number = {shard.number}): {count} notes in a row {what}; what is finished stays. Mend"
        " what is wrong, and run the same command again to go on."
    )
