"""Reading an answer back: tolerant of what models add, silent about nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from cclearn.prompts.layout import BETWEEN, LINE_START, NOTHING


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """One evidence and its code, and where in the answer the code stands (code points)."""

    quote: str
    code: str
    code_start: int
    code_end: int


@dataclass(slots=True)
class ParsedAnswer:
    """What an answer says.

    Attributes:
        lines: In the order of the answer.
        unreadable: How many lines, other than empty ones, had another form.
    """

    lines: list[ParsedLine] = field(default_factory=list)
    unreadable: int = 0


def parse_answer(answer: str, complete: bool = True) -> ParsedAnswer:
    """Read the answer to a document or span row.

    Args:
        answer: The text that the model wrote.
        complete: False where the model was cut off; then the last line is not read, for its code may
            be the beginning of another.
    """
    parsed = ParsedAnswer()
    position = 0
    pieces = answer.split("\n")
    if not complete:
        pieces = pieces[:-1]
    for piece in pieces:
        _read_line(piece, position, parsed)
        position += len(piece) + 1
    return parsed


def _read_line(piece: str, position: int, parsed: ParsedAnswer) -> None:
    bare = piece.strip()
    if not bare or bare.lower().rstrip(".") == NOTHING:
        return
    # The note itself may hold the mark, the code cannot: the last mark on the line divides.
    quote, mark, rest = piece.rpartition(BETWEEN)
    words = rest.split(maxsplit=1)
    quote = quote.strip().removeprefix(LINE_START.strip()).strip()
    if not mark or not words or not quote:
        parsed.unreadable += 1
        return
    start = position + len(piece) - len(rest.lstrip())
    parsed.lines.append(ParsedLine(quote, words[0], start, start + len(words[0])))
