"""Annotations of text with labels, as annotation tools export them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.evaluation.corpora.base import UnusableRow
from cclearn.evaluation.corpora.building import Annotation, note_rows
from cclearn.notes import CodedNote
from cclearn.notes.contract import Origin


@dataclass(frozen=True, slots=True)
class Label:
    """A span that somebody labelled.

    Attributes:
        code: The label.
        start: Offset of the first character as the tool counts; None if the whole note is labelled.
        end: Offset after the last character.
        quote: The text of the span in the export; None if it has none.
    """

    code: str
    start: int | None = None
    end: int | None = None
    quote: str | None = None


def labelled_note(
    path: Path,
    identifier: str,
    text: str,
    labels: Iterable[Label],
    system: CodeSystem,
    line: int | None = None,
    origin: Origin = "restricted",
) -> Iterator[CodedNote | UnusableRow]:
    """Yield a row for each label that cannot be used, and the coded note of the others.

    A browser counts UTF-16 code units. Offsets that do not lead to the quote are read as such, and a
    label whose quote is at neither place is rejected.

    Args:
        path: Path of the file.
        identifier: Id of the note.
        text: Text of the note.
        labels: Labels of the note.
        system: The code system.
        line: Number of the line of the note; None if it is not one line.
        origin: Origin of the text.
    """
    units = _Utf16Offsets(text)
    annotations: list[Annotation] = []
    for label in labels:
        start, end = label.start, label.end
        if start is None or end is None:
            annotations.append((label.code, None, None))
        elif label.quote is None or (end <= len(text) and text[start:end] == label.quote):
            annotations.append((label.code, start, end))
        elif text[units.offset(start) : units.offset(end)] == label.quote:
            annotations.append((label.code, units.offset(start), units.offset(end)))
        else:
            problem, where = "the quote is not at its offsets", f"{start}:{end}"
            yield UnusableRow(path, problem, line, identifier, label.code, where)
    yield from note_rows(path, identifier, text, annotations, system, origin, line)


def as_offset(value: Any) -> int:
    """Return an offset of an export.

    Raises:
        ValueError: It is no whole number, or negative.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("not an offset")
    return value


class _Utf16Offsets:
    """Converts offsets in UTF-16 code units to those in code points.

    Args:
        text: The text that the offsets are in.
    """

    def __init__(self, text: str) -> None:
        self._points: list[int] | None = None
        self._text = text

    def offset(self, units: int) -> int:
        """Return the offset in code points; that of the end of the text if it is behind the end."""
        if self._points is None:
            self._points = [
                point
                for point, character in enumerate(self._text)
                for _ in range(1 + (character > "\uffff"))
            ]
        return self._points[units] if units < len(self._points) else len(self._text)
