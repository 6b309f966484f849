"""Parsing of answers. Text after a code is ignored. Lines that cannot be parsed are counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from cclearn.prompts.layout import BETWEEN, CODES_HEAD, EVIDENCE_HEAD, LINE_START, NOTHING

MAXIMUM_LINES = 5_000
"""Maximum number of lines of an answer that are parsed. Further lines count as unreadable."""


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """A quoted piece of evidence and its code.

    Attributes:
        quote: Quoted evidence; empty if a `listed` answer has more codes than evidence, and in the
            layout `codes`.
        code: Code as the model wrote it.
        code_start: Start of the code in the answer, in code points.
        code_end: End of the code in the answer, exclusive.
        quote_start: Start of the quote in the answer, in code points; 0 if the quote is empty.
        quote_end: End of the quote in the answer, exclusive.
    """

    quote: str
    code: str
    code_start: int
    code_end: int
    quote_start: int = 0
    quote_end: int = 0


@dataclass(slots=True)
class ParsedAnswer:
    """The content of an answer.

    Attributes:
        lines: Parsed lines in the order of the answer.
        unreadable: Number of lines that have another form or are beyond the limit. Empty lines do not
            count.
    """

    lines: list[ParsedLine] = field(default_factory=list)
    unreadable: int = 0


def parse_answer(answer: str, complete: bool = True) -> ParsedAnswer:
    """Parse the answer to a document row or a span row, in any layout.

    Args:
        answer: Text that the model wrote.
        complete: False if the answer was cut off. The last line is then ignored, because its code may
            be the beginning of another code.
    """
    parsed = ParsedAnswer()
    pieces = answer.split("\n")
    if not complete:
        pieces = pieces[:-1]
    lines = []
    position = 0
    for piece in pieces:
        stripped = piece.strip()
        if stripped and stripped.lower().rstrip(".") != NOTHING:
            lines.append((piece, position))
        position += len(piece) + 1
    parsed.unreadable = max(0, len(lines) - MAXIMUM_LINES)
    del lines[MAXIMUM_LINES:]
    if lines and lines[0][0].strip() in (EVIDENCE_HEAD, CODES_HEAD):
        _parse_listed(lines, complete, parsed)
    else:
        for piece, position in lines:
            _parse_paired(piece, position, parsed)
    return parsed


def _parse_paired(piece: str, position: int, parsed: ParsedAnswer) -> None:
    """Add a line of the layout `paired` to the parsed answer, or count it as unreadable.

    Args:
        piece: Text of the line.
        position: Offset of the line in the answer, in code points.
        parsed: Parsed answer.
    """
    # The evidence may contain the separator, but a code cannot. So the last one separates the two.
    before, separator, code_text = piece.rpartition(BETWEEN)
    quote = quote_of(piece)
    if not separator or not code_text.strip() or not quote:
        parsed.unreadable += 1
        return
    code_position = position + len(piece) - len(code_text)
    parsed.lines.append(
        _parsed_line((quote, position + before.rfind(quote)), code_text, code_position)
    )


def quote_of(line: str) -> str:
    """Return the quote in a line of the layout `paired`; empty if the line has another form."""
    return _strip_line_start(line.rpartition(BETWEEN)[0])


def _parse_listed(lines: list[tuple[str, int]], complete: bool, parsed: ParsedAnswer) -> None:
    """Add the lines of an answer of the layout `listed` or `codes` to the parsed answer.

    Args:
        lines: Text and offset of each line, from the first heading on.
        complete: Whether the answer is complete. If it is, evidence without a code is unreadable.
        parsed: Parsed answer.
    """
    heads = [index for index, (piece, _) in enumerate(lines) if piece.strip() == CODES_HEAD]
    # A quote of the note may contain the heading too, but no code can.
    head = heads[-1] if heads else len(lines)
    stripped = [(_strip_line_start(piece), piece, position) for piece, position in lines[1:head]]
    quotes = [(quote, position + piece.rfind(quote)) for quote, piece, position in stripped]
    coded = lines[head + 1 :]
    for number, (piece, position) in enumerate(coded):
        start = len(piece) - len(piece.lstrip().removeprefix(LINE_START.strip()))
        if piece[start:].strip():
            quote = quotes[number] if number < len(quotes) else ("", 0)
            parsed.lines.append(_parsed_line(quote, piece[start:], position + start))
        else:
            parsed.unreadable += 1
    if complete:
        parsed.unreadable += max(0, len(quotes) - len(coded))


def _parsed_line(quoted: tuple[str, int], code_text: str, position: int) -> ParsedLine:
    """Return the parsed line of a quote and its code.

    Args:
        quoted: Quoted evidence, and its offset in the answer, in code points.
        code_text: Text that begins with the code. Further words are ignored.
        position: Offset of that text in the answer, in code points.
    """
    code = code_text.split(maxsplit=1)[0]
    start = position + len(code_text) - len(code_text.lstrip())
    quote, quote_start = quoted
    quote_start = quote_start if quote else 0
    return ParsedLine(quote, code, start, start + len(code), quote_start, quote_start + len(quote))


def _strip_line_start(piece: str) -> str:
    return piece.strip().removeprefix(LINE_START.strip()).strip()
