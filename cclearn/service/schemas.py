"""The notes of requests and the bodies of responses, as their schemas describe them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from cclearn.codes import Status
from cclearn.notes import Assertion, CodedNote, Decision, Invalid, Note, Origin

ErrorKind = Literal["contract", "restricted", "error", "model", "worker", "time"]
"""Why a note was not coded. `RowError` describes the kinds."""


class NoteRow(Note):
    """A note in a request."""

    schema_version: Literal[1] = 1


class CodedRow(CodedNote):
    """A coded note in a response."""

    schema_version: Literal[1] = 1


class _Part(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Offsets(_Part):
    """A span of a note that justifies a code, without its words."""

    start: int
    end: int


class CodeWithoutText(_Part):
    """A code with the offsets of its evidence."""

    code: str
    system: str
    description: str
    score: float | None
    evidence: list[Offsets]
    assertion: Assertion
    status: Status
    flags: list[str]
    decision: Decision | None


class UngroundedCode(_Part):
    """The code of a quote that is not in the note, without the quote."""

    code: str


class CodedRowWithoutText(_Part):
    """A coded note in a response to a request with `echo=false`."""

    # The fields are listed and not derived from those of `CodedNote`, so that a new field with text is
    # not sent by mistake.
    schema_version: Literal[1] = 1
    id: str
    origin: Origin
    codes: list[CodeWithoutText]
    rejected: list[CodeWithoutText]
    ungrounded: list[UngroundedCode]
    invalid: list[Invalid]
    repeated: int
    flags: list[str]


class RowError(BaseModel):
    """The reason why a note was not coded.

    Attributes:
        kind: `contract`: the row is not a valid note, or its id occurs twice. `restricted`: the text is
            restricted and the model runs on another machine. `error`: the service or its coder failed.
            `model`: the model or its server gave no complete answer. `worker`: the process of the coder
            was lost. `time`: the time limit was over.
        problem: Message without text of the note. For `contract` it has the form
            `body:NUMBER: field: problem`.
    """

    kind: ErrorKind
    problem: str


class UncodedRow(BaseModel):
    """A note that was not coded, in a response to several notes.

    Attributes:
        id: Id of the row, null if the row has no id that can be read.
        error: Reason why the note was not coded.
    """

    id: str | None
    error: RowError


class FoundCode(BaseModel):
    """A result of a search for codes.

    Attributes:
        code: Code in the official dotted form.
        status: Validity in the release.
        description: Official title.
        matched: Title or other term of the code that is most similar to the text.
        score: Similarity from 0 to 100.
    """

    code: str
    status: Status
    description: str
    matched: str
    score: float


class Problem(BaseModel):
    """The body of an error response. It contains no text of a note."""

    detail: str


class Health(BaseModel):
    """The state of the service."""

    status: Literal["ok", "no worker"]
    model: str
    system: str
    release: str
    version: str
    workers: int
    waiting: int
