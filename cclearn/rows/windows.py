"""Splitting coded notes into windows that keep every piece of evidence whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cclearn.notes import CodedNote
from cclearn.notes.spans import Span, merge_overlapping
from cclearn.notes.windows import TooLongError, split_text


def note_windows(
    note: CodedNote, fits: Callable[[CodedNote], bool]
) -> tuple[list[CodedNote], list[Span]]:
    """Split a coded note into windows that fit, none of which cuts a piece of evidence.

    A piece of evidence that does not fit is left out with its words, so that no window teaches that they
    are no evidence. Pieces of evidence that overlap are one piece in this respect.

    Args:
        note: Coded note to split. A window has the codes whose evidence it contains.
        fits: Function that returns whether a window is short enough. Every part of a window that fits
            must fit too.

    Returns:
        The windows, and the spans of the note that are in none of them. The texts of windows and spans,
        joined in their order, are the text of the note (`cclearn.notes.windows.split_text`).

    Raises:
        TooLongError: A single word does not fit.
    """
    cited = evidence_spans(note)
    left_out = [span for span in merge_overlapping(cited) if not fits(note_part(note, *span, 0))]
    windows: list[CodedNote] = []
    starts = [0, *(end for _, end in left_out)]
    ends = [*(start for start, _ in left_out), len(note.text)]
    try:
        for first, last in zip(starts, ends, strict=True):
            parts = split_text(
                note.text[first:last],
                partial(_part_fits, note, fits, first),
                {(s - first, e - first) for s, e in cited if first <= s and e <= last},
            )
            for start, end in parts:
                windows.append(note_part(note, first + start, first + end, len(windows) + 1))
    except TooLongError as error:
        raise TooLongError(f"{note.id}: {error}") from None
    return windows, left_out


def _part_fits(
    note: CodedNote, fits: Callable[[CodedNote], bool], first: int, start: int, end: int
) -> bool:
    return fits(note_part(note, first + start, first + end, 0))


def evidence_spans(note: CodedNote) -> set[Span]:
    """Return the spans of the evidence of a note's codes."""
    return {(evidence.start, evidence.end) for code in note.codes for evidence in code.evidence}


def note_part(note: CodedNote, start: int, end: int, number: int) -> CodedNote:
    """Return a part of a coded note, with the codes whose evidence it contains.

    Args:
        note: Coded note that the part is taken from.
        start: Offset of the part's first code point.
        end: Offset after the part's last code point.
        number: Number that is appended to the note's id to form the id of the part.
    """
    codes = []
    for code in note.codes:
        inside = [
            evidence.model_copy(
                update={"start": evidence.start - start, "end": evidence.end - start}
            )
            for evidence in code.evidence
            if start <= evidence.start and evidence.end <= end
        ]
        if inside:
            codes.append(code.model_copy(update={"evidence": inside}))
    changed = {
        "id": f"{note.id}#{number}",
        "text": note.text[start:end],
        "codes": codes,
        "rejected": [],
    }
    return note.model_copy(update=changed)
