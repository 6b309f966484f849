"""The errors that a user can cause. Each message is one line: what (argument = value): why. Do X."""

from __future__ import annotations

import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_LONGEST_ID = 40
"""Maximum number of characters of an id in a message."""

_SHOWN_ALIKE = 3
"""Maximum number of identical problems of a file that are shown on separate lines."""

_MIN_SIMILARITY = 60
"""Minimum similarity of two names, between 0 and 100, for a suggestion."""


def visible(text: str) -> str:
    r"""Return text on one line, with escapes for all characters that are invisible.

    Control and format characters, separators of lines, lone surrogates and unassigned code points are
    escaped as in Python (`\x1b`, `\u202e`, `\n`).
    """
    if text.isprintable():
        return text
    return "".join(
        # A space other than the ASCII one is not printable in Python's sense, and harmless.
        character
        if character.isprintable() or unicodedata.category(character) == "Zs"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


class CclearnError(Exception):
    """Base of every error that the command line reports as one line.

    Attributes:
        exit_code: The exit code of a command that ends with the error.
    """

    exit_code = 2

    @property
    def lines(self) -> list[str]:
        """Lines of the message, one for each problem."""
        return [str(self)]


class DataError(CclearnError):
    """A file that cannot be read or has invalid content.

    Args:
        path: Path of the file, as the user wrote it.
        problem: Description of the problem, without text of a note.
        line: Number of the line, from 1; None if the problem is not on one line.
        field: Field of the record; None if the problem is not in one field.

    Attributes:
        reason: Field and problem, without the location in the file.
        line: The line number that was given.
        kind: The message without the line number. Errors of one kind differ only in their lines.
    """

    def __init__(
        self, path: object, problem: str, line: int | None = None, field: str | None = None
    ) -> None:
        if field:
            field = shown_id(field)  # It may be a key in the file, and so text of a note.
        self.reason = f"{field}: {problem}" if field else problem
        self.line = line
        self.kind = f"{visible(str(path))}: {self.reason}"
        location = visible(str(path))
        if line is not None:
            location += f":{line}"
        super().__init__(f"{location}: {self.reason}")


class DataErrors(DataError):
    """All problems of a file in one error.

    Args:
        problems: An error for each problem, in the order of the file.
    """

    SHOWN = 20

    def __init__(self, problems: Sequence[DataError]) -> None:
        self.problems = list(problems)
        self.line = None
        self.reason = self.kind = "\n".join(self.lines)
        CclearnError.__init__(self, self.reason)

    @property
    def lines(self) -> list[str]:
        """Lines of the message: one for each of the first problems, and a count of the others.

        A problem that occurs in many lines of a file is shown once.
        """
        kinds: dict[str, list[DataError]] = {}
        for problem in self.problems:
            kinds.setdefault(problem.kind, []).append(problem)
        groups = [
            group
            for alike in kinds.values()
            for group in ([alike] if len(alike) > _SHOWN_ALIKE else [[one] for one in alike])
        ]
        lines = [_line_of(group) for group in groups[: self.SHOWN]]
        if len(groups) > self.SHOWN:
            lines.append(f"and {sum(map(len, groups[self.SHOWN :]))} more")
        return lines


def _line_of(alike: Sequence[DataError]) -> str:
    """Return one line for errors of one kind."""
    if len(alike) == 1:
        return str(alike[0])
    others = f"{len(alike) - 1:,} more lines"
    numbers = [str(error.line) for error in alike[1:] if error.line is not None]
    if numbers:
        shown = ", ".join(numbers[:_SHOWN_ALIKE])
        others += f": {shown}" + (", …" if len(numbers) > _SHOWN_ALIKE else "")
    return f"{alike[0]} (and {others})"


class ConfigurationError(CclearnError):
    """One or more invalid settings in one error.

    Args:
        problems: A complete message for each problem.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))

    @property
    def lines(self) -> list[str]:
        """The problems."""
        return self.problems


class UnknownCodeError(CclearnError, KeyError):
    """A code that is not in the table of the release."""

    def __str__(self) -> str:
        return str(self.args[0])


class NoteError(CclearnError):
    """A note that cannot be coded, while other notes can.

    Attributes:
        kind: One word for the kind of error, by which errors are counted.
    """

    kind = "refused"


class RestrictedTextError(NoteError):
    """Restricted text that the user has not allowed to leave the machine."""

    kind = "restricted"


class UnansweredError(NoteError):
    """A note for which the model gave no complete answer.

    Args:
        identifier: Id of the note.
        failures: Flags of the note that describe the failure, at least one. The first is the kind.
    """

    def __init__(self, identifier: str, failures: Sequence[str]) -> None:
        self.kind = failures[0]
        self.failures = tuple(failures)
        super().__init__(
            f"note (id = {shown_id(identifier)}): the model gave no complete answer"
            f" ({', '.join(failures)})"
        )


class CclearnWarning(UserWarning):
    """A probable mistake of the user, which the command line shows as one line."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean X?"` when a known name is close to `name`, else an empty string."""
    # difflib would be too slow for a service that receives many unknown codes.
    from rapidfuzz import fuzz, process

    close = process.extractOne(name, list(known), scorer=fuzz.ratio, score_cutoff=_MIN_SIMILARITY)
    return f" Did you mean {close[0]!r}?" if close else ""


@contextmanager
def foreign_errors(report: Callable[[str], CclearnError]) -> Iterator[None]:
    """Turn every exception of third-party code inside the block into a `CclearnError`.

    The message of a foreign exception is never shown, because it may quote a note. `report` receives the
    type of the exception and the line of code that raised it. A `CclearnError`, `KeyboardInterrupt` and
    `SystemExit` pass through unchanged. Panics of Rust extensions, which do not derive from `Exception`,
    are caught too.

    Args:
        report: Function that returns the error to raise, given the type and location of the exception.

    Raises:
        CclearnError: The error that `report` returned.
    """
    try:
        yield
    except CclearnError:
        raise
    except Exception as error:
        raise report(type_and_location(error)) from None
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise report(type_and_location(error)) from None


class InternalError(CclearnError):
    """An unexpected exception, which is a defect of cclearn, without its message."""

    exit_code = 70
    """`EX_SOFTWARE` of sysexits.h."""

    def __init__(self, location: str) -> None:
        super().__init__(
            f"internal error ({location}): cclearn did not expect this. Report this line and the"
            " command."
        )


@contextmanager
def unexpected_errors() -> Iterator[None]:
    """Turn every unexpected exception into an error with a message of one line.

    The message of an `OSError` contains its file and the reason that the system gives, so that the user
    can correct it. Any other exception is a defect of cclearn.

    Raises:
        CclearnError: The system refused an operation on a file.
        InternalError: There was any other exception.
    """
    with foreign_errors(InternalError):
        try:
            yield
        except OSError as error:
            problem = f"{error.filename or 'file system'}: {error.strerror or type(error).__name__}"
            raise CclearnError(problem) from None


def type_and_location(error: BaseException) -> str:
    """Return the type of an error and the line of code that raised it, without the error's message."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    file = Path(frames[-1].filename)
    return f"{type(error).__name__} in {file.parent.name}/{file.name}:{frames[-1].lineno}"


def shown_id(identifier: str) -> str:
    """Return an id for a message: short, on one line and without control characters.

    An id that is not shortened could be the text of a note.
    """
    shown = repr(identifier)[1:-1]
    return shown if len(shown) <= _LONGEST_ID else shown[: _LONGEST_ID - 1] + "…"
