"""Codes one shard of a corpus. Every way of running a corpus calls this function."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from pydantic import BaseModel, ConfigDict, Field

from cclearn.bulk.corpus import BulkCorpus, CorpusRow, Shard
from cclearn.coding import Coder
from cclearn.coding.batch import code_batch
from cclearn.engines.base import NOT_FINITE
from cclearn.errors import CclearnError, NoteError, UnansweredError, type_and_location
from cclearn.notes import Note
from cclearn.notes.jsonl import row_to_json

_STOPPING = frozenset({"connection", "budget"})
"""Failures of the run rather than of a note. The next notes would fail as well."""

_OVERLOADED = frozenset({"timeout", "http_429", "unreadable_response"})
"""Failures of an overloaded server."""

_MAX_FAILURES = 10
"""Number of consecutive failures that stops a run. In a smaller shard, failures of all notes stop it."""

_MIN_FAILURES = 3
"""Number of consecutive failures below which a run is never stopped, whatever the size of the shard."""


PERMANENT_KINDS = frozenset({"unreadable", "repeated"})
"""Kinds of rejected rows that another attempt would not change."""


class RejectedNote(BaseModel):
    """A row of a corpus that was not coded.

    Attributes:
        row: Number of the line, of the Parquet row or of the file in the folder, from 1.
        id: Id of the row, if it has one, or name of a file that cannot be read.
        kind: `unreadable`, `repeated` if the id is repeated, a failure of the engine such as `timeout`,
            `refused`, `restricted`, or `error`.
        reason: Description of the problem, without text of the note.
        note: Note of the row, if it could be read.
        file: Path of the file of the row, if the corpus consists of several.
    """

    model_config = ConfigDict(frozen=True)

    row: int
    id: str | None
    kind: str
    reason: str
    note: Note | None = None
    file: str | None = Field(default=None, exclude_if=operator.not_)


class Marker(BaseModel):
    """The marker of a finished shard, with its counts. Its file is written after the coded notes.

    Attributes:
        shard: Number of the shard.
        notes: Number of coded notes.
        codes: Number of codes of these notes.
        flagged: Number of coded notes with the flag of a failure, by flag.
        prompt_tokens: Number of tokens that the model read.
        answer_tokens: Number of tokens that the model generated.
        gpu_seconds: Number of seconds for which one GPU was busy.
        bytes: Size of the file of coded notes.
        sha256: Hash of the file of coded notes.
        rejected: Rows that were not coded.
        run: Hash of the run, which is set when the marker is written.
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
    """A coded shard.

    Attributes:
        content: Coded notes as JSONL.
        marker: Marker of the shard.
    """

    content: bytes
    marker: Marker


def code_shard(
    coder: Coder, corpus: BulkCorpus, shard: Shard, progress: Callable[[int], None] | None = None
) -> CodedShard:
    """Code the rows of a shard. The same shard gives the same bytes in every process.

    Args:
        coder: Coder of the notes.
        corpus: Corpus that contains the shard.
        shard: Shard to code.
        progress: Function that receives the number of processed notes of the shard.

    Raises:
        CclearnError: The engine has stopped answering, the corpus has changed, or many consecutive notes
            raise an error.
    """
    rejected: list[RejectedNote] = []
    rows: list[CorpusRow] = []
    notes: list[Note] = []
    for row in corpus.read(shard):
        if row.problem is not None:
            kind = "unreadable" if row.note is None else "repeated"
            rejected.append(
                RejectedNote(
                    row=row.number,
                    id=row.id,
                    kind=kind,
                    reason=row.problem,
                    note=row.note,
                    file=row.file,
                )
            )
        elif row.note is not None:
            rows.append(row)
            notes.append(row.note)
    before = replace(coder.usage)
    lines: list[str] = []
    codes = consecutive = 0
    flagged: Counter[str] = Counter()
    pairs = zip(rows, notes, code_batch(coder, notes), strict=True)
    for done, (row, note, coded) in enumerate(pairs, start=1):
        if progress is not None:
            progress(done)
        if isinstance(coded, Exception):
            consecutive += _may_affect_other_notes(coded)
            rejected.append(_reject(row, note, coded, shard))
            if consecutive >= min(_MAX_FAILURES, max(_MIN_FAILURES, len(notes))):
                raise _repeated_failure_error(shard, consecutive, coded)
            continue
        consecutive = 0
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
        rejected=sorted(rejected, key=lambda row: row.row),
    )
    return CodedShard(content, marker)


def _reject(row: CorpusRow, note: Note, error: Exception, shard: Shard) -> RejectedNote:
    """Return the rejected note for an error. Raises CclearnError if other notes would fail as well."""
    kind, reason = "error", type_and_location(error)
    if isinstance(error, UnansweredError):
        if stopping := _STOPPING.intersection(error.failures):
            raise _engine_error(shard, min(stopping))
        kind, reason = error.kind, ", ".join(error.failures)
    elif isinstance(error, NoteError):
        kind, reason = error.kind, str(error)
    elif isinstance(error, CclearnError):
        raise error
    return RejectedNote(
        row=row.number, id=note.id, kind=kind, reason=reason, note=note, file=row.file
    )


def _may_affect_other_notes(error: Exception) -> bool:
    """Return whether other notes may fail for the same reason.

    They may after an exception, if a server is overloaded, or if scores are not finite.
    """
    if not isinstance(error, UnansweredError):
        return True
    return error.kind in {*_OVERLOADED, NOT_FINITE} or error.kind.startswith("http_5")


def _engine_error(shard: Shard, reason: str) -> CclearnError:
    why = "is used up" if reason == "budget" else "to the engine is lost"
    return CclearnError(
        f"shard (number = {shard.number}): the {reason} {why}. Finished shards are kept. Run the"
        " same command again to continue."
    )


def _repeated_failure_error(shard: Shard, count: int, error: Exception) -> CclearnError:
    if isinstance(error, UnansweredError):
        what = f"have no answer ({error.kind})"
        if error.kind == NOT_FINITE:
            what += ", because the model's scores are NaN or infinite: its weights are damaged"
    elif isinstance(error, NoteError):
        return error
    else:
        what = f"raise {type_and_location(error)}"
    return CclearnError(
        f"shard (number = {shard.number}): {count} notes in a row {what}. Finished shards are kept."
        " Correct the cause, and run the same command again to continue."
    )
