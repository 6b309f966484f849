from __future__ import annotations

import pytest

from cclearn.cli import main as cli
from cclearn.errors import CclearnError, DataError, DataErrors, foreign_errors

SECRET = "Mrs Jones has pneumonia"


class PanicException(BaseException):
    """Has the name and module of the exception that panics of Rust extensions raise."""

    __module__ = "pyo3_runtime"


def report(location: str) -> CclearnError:
    return DataError("notes.bin", f"cannot be read ({location})")


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), RecursionError(SECRET), PanicException(SECRET)]
)
def test_a_foreign_error_is_reported_by_type_and_location_alone(error: BaseException) -> None:
    with pytest.raises(DataError) as raised, foreign_errors(report):
        raise error
    assert f"({type(error).__name__} in tests/test_errors.py:" in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("error", [DataError("a.txt", "no such file"), KeyboardInterrupt()])
def test_errors_of_ours_and_stops_pass_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, foreign_errors(report):
        raise error
    assert raised.value is error


def test_the_command_line_never_shows_an_unexpected_error_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise AttributeError(SECRET)

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 70
    shown = capsys.readouterr().err
    assert shown.startswith("internal error (AttributeError in tests/test_errors.py:")
    assert shown.count("\n") == 1
    assert SECRET not in shown


def test_identical_problems_are_one_line() -> None:
    missing = [DataError("p.jsonl", "missing", line, "grade") for line in range(1, 1_500)]
    twice = [DataError("p.jsonl", "'a' occurs twice", line, "id") for line in (7, 9)]
    assert DataErrors([missing[0], *twice, *missing[1:]]).lines == [
        "p.jsonl:1: grade: missing (and 1,498 more lines: 2, 3, 4, …)",
        "p.jsonl:7: id: 'a' occurs twice",
        "p.jsonl:9: id: 'a' occurs twice",
    ]


def test_the_first_problems_are_shown_and_the_others_counted() -> None:
    several = [DataError("p.jsonl", f"problem {number}", number) for number in range(30)]
    lines = DataErrors(several).lines
    assert len(lines) == 21
    assert lines[0] == "p.jsonl:0: problem 0"
    assert lines[-1] == "and 10 more"
