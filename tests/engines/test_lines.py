from __future__ import annotations

from cclearn.engines.lines import LineCounter


def kept(*tokens: str, closed: bool = True) -> int | None:
    """Return the bytes that are kept of an answer in which "a" may be twice, and other lines once."""
    counter = LineCounter(lambda line: 2 if line == "a" else 1)
    for token in tokens:
        counter.add(token.encode())
    if closed:
        counter.close()
    return counter.kept


def test_lines_are_counted_whatever_the_tokens_are() -> None:
    assert kept("a\nb\na") is None
    assert kept("a", "\n", "é", "\na\n", "a") == len("a\né\na".encode())
    assert kept(*"é\né\nc\nd") == len("é".encode())
    assert kept("b\nb") == 1


def test_the_last_line_counts_only_if_it_is_complete() -> None:
    assert kept("b\nb", closed=False) is None
    assert kept("b\nb\n", closed=False) == 1
