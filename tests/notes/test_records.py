from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.errors import DataError
from cclearn.notes.records import Delimited, JSONLines

SECRET = "the words of a note"

values = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", '"', 'a "b" c', "two\r\nlines", "a,b", "\n", " "]
)


def written(rows: list[list[str]], delimiter: str = ",") -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue().encode()


@given(rows=st.lists(st.tuples(values, values), max_size=6), delimiter=st.sampled_from(",;\t"))
def test_rows_are_those_that_were_written(rows: list[tuple[str, str]], delimiter: str) -> None:
    content = written([["id", "text"], *map(list, rows)], delimiter)
    stream = io.BytesIO(content)
    table = Delimited(content.splitlines(keepends=True)[0], "x")
    records = list(table.records(stream, "x"))
    assert b"".join(record.raw for record in records) == content
    found = [record.read() for record in records if record.is_row]
    assert found == [{"id": one, "text": two} for one, two in rows]
    # Any record can be the first of a part of the file.
    for index, record in enumerate(records[1:], start=1):
        part = b"".join(later.raw for later in records[index:])
        again = table.records(io.BytesIO(part), "x", record.number)
        assert [(r.number, r.raw) for r in again] == [(r.number, r.raw) for r in records[index:]]


def test_a_wrong_row_does_not_end_the_others() -> None:
    lines = [
        b"id,text\n",
        b"a\n",
        b'b,"x"y\n',
        b"c,\xff\n",
        b"\n",
        b'd,"two\n',
        b'lines"\n',
        b'e,"',
    ]
    table = Delimited(lines[0], "x.csv")
    found: list[object] = []
    for record in table.records(lines, "x.csv"):
        try:
            found.append(record.read() if record.is_row else None)
        except DataError as error:
            found.append(str(error))
    assert found == [
        None,
        "x.csv:2: 1 values, but there are 2 columns",
        "x.csv:3: the quotation marks are wrong",
        "x.csv:4: not UTF-8 at byte 2. Convert it first.",
        None,
        {"id": "d", "text": "two\nlines"},
        "x.csv:8: a quotation mark is not closed",
    ]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b"\xef\xbb\xbfid,text\r\n", ["id", "text"]),
        (b"id;text\n", ["id", "text"]),
        (b"id\ttext, whole\n", ["id", "text, whole"]),
        (b"text\n", ["text"]),
        (b"", []),
    ],
)
def test_the_header_decides_the_delimiter(header: bytes, names: list[str]) -> None:
    assert Delimited(header, "x").names == names


def test_a_wrong_header_is_refused_without_its_text() -> None:
    for header, problem in (
        (f"{SECRET},{SECRET}".encode(), "two columns have the same name"),
        (f'{SECRET},"'.encode(), "the names of the columns cannot be read"),
        (SECRET.encode() + b"\xff", "not UTF-8"),
    ):
        with pytest.raises(DataError, match=problem) as error:
            Delimited(header, "x.csv")
        assert SECRET not in str(error.value)


def test_blank_lines_of_json_are_no_rows() -> None:
    lines = [b"\xef\xbb\xbf[1]\n", b" \n", b"{\n", b"2"]
    records = list(JSONLines().records(lines, "x"))
    assert [record.is_row for record in records] == [True, False, True, True]
    assert [records[0].read(), records[3].read()] == [[1], 2]
    with pytest.raises(DataError, match=r"x:3: not JSON at column"):
        records[2].read()
