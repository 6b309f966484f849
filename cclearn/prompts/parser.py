"""Reading an answer back: tolerant of what models add, silent about nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from cclearn.prompts.layout import BETWEEN, CODES_HEAD, EVIDENCE_HEAD, LINE_START, NOTHING

MAXIMUM_LINES = 5_000
"""Of an answer; those behind them are unreadable. It bounds the work on any answer."""


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """One evidence and its code, and where in the answer the code stands (code points).

    The quote is empty where a `listed` answer has more codes than evidence.
    """

    quote: str
    code: str
    code_start: int
    code_end: int


@dataclass(slots=True)
class ParsedAnswer:
    """What an answer says.

    Attributes:
        lines: In the order of the answer.
        unreadable: How many lines, other than empty ones, had another form, or were too many.
    """

    lines: list[ParsedLine] = field(default_factory=list)
    unreadable: int = 0


def parse_answer(answer: str, complete: bool = True) -> ParsedAnswer:
    """Read the answer to a document or span row, in either layout.

    Args:
        answer: The text that the model wrote.
        complete: False where the model was cut off; then the last line is not read, for its code may
            be the beginning of another.
    """
    parsed = ParsedAnswer()
    pieces = answer.split("\n")
    if not complete:
        pieces = pieces[:-1]
    lines = []
    position = 0
    for piece in pieces:
        bare = piece.strip()
        if bare and bare.lower().rstrip(".") != NOTHING:
            lines.append((piece, position))
        position += len(piece) + 1
    parsed.unreadable = max(0, len(lines) - MAXIMUM_LINES)
    del lines[MAXIMUM_LINES:]
    if lines and lines[0][0].strip() == EVIDENCE_HEAD:
        _read_lists(lines, complete, parsed)
    else:
        for piece, position in lines:
            _read_pair(piece, position, parsed)
    return parsed


def _read_pair(piece: str, position: int, parsed: ParsedAnswer) -> None:
    # The note itself may hold the mark, the code cannot: the last mark on the line divides.
    quote, mark, rest = piece.rpartition(BETWEEN)
    quote = _without_start(quote)
    if not mark or not rest.strip() or not quote:
        parsed.unreadable += 1
        return
    parsed.lines.append(_line(quote, rest, position + len(piece) - len(rest)))


def _read_lists(lines: list[tuple[str, int]], complete: bool, parsed: ParsedAnswer) -> None:
    heads = [place for place, (piece, _) in enumerate(lines) if piece.strip() == CODES_HEAD]
    # A note may hold the words too; codes hold them never.
    head = heads[-1] if heads else len(lines)
    quotes = [_without_start(piece) for piece, _ in lines[1:head]]
    coded = lines[head + 1 :]
    for number, (piece, position) in enumerate(coded):
        start = len(piece) - len(piece.lstrip().removeprefix(LINE_START.strip()))
        if piece[start:].strip():
            quote = quotes[number] if number < len(quotes) else ""
            parsed.lines.append(_line(quote, piece[start:], position + start))
        else:
            parsed.unreadable += 1
    if complete:
        parsed.unreadable += max(0, len(quotes) - len(coded))


def _line(quote: str, rest: str, position: int) -> ParsedLine:
    """Read the code at the beginning of the rest of a line; a description may follow it."""
    code = rest.split(maxsplit=1)[0]
    start = position + len(rest) - len(rest.lstrip())
    return ParsedLine(quote, code, start, start + len(code))


def _without_start(piece: str) -> str:
    return piece.strip().removeprefix(LINE_START.strip()).strip()
