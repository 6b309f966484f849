from __future__ import annotations

import pytest

from cclearn.cli import main as cli
from cclearn.errors import CclearnError, DataError, foreign_errors

SECRET = "Mrs Jones has pneumonia"


class PanicException(BaseException):
    """Has the name and module of the exception that panics of Rust extensions raise."""

    __module__ = "pyo3_runtime"


def report(place: str) -> CclearnError:
    return DataError("notes.bin", f"cannot be read ({place})")


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), RecursionError(SECRET), PanicException(SECRET)]
)
def test_a_foreign_error_is_told_by_type_and_place_alone(error: BaseException) -> None:
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
