"""Bodies as bytes: what they may cost, and a byte order mark."""

from __future__ import annotations

import json
import subprocess
import sys
from codecs import BOM_UTF8

import pytest

from cclearn.notes import Note
from cclearn.service.bodies import JSON, LINES, BadRow, Form, parse_notes
from cclearn.service.refusal import Refused
from tests.service.served import ROOT, Served

MOST_TIMES = 16
"""The limit on the memory that reading a body takes, in multiples of its length. A text with one wide
character takes four bytes a character, once as JSON and once as the note's."""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_no_body_takes_much_more_memory_than_its_length() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.body_memory", "7"],
        check=True,
        capture_output=True,
        cwd=ROOT,
        timeout=300,
    )
    found = json.loads(done.stdout)
    assert {name for name, measured in found.items() if measured["times"] > MOST_TIMES} == set()
    assert {measured["status"] for measured in found.values()} == {200, 413, 422}


def test_a_byte_order_mark_before_a_body_is_passed_over(lexicon: Served) -> None:
    note = {"id": "a", "text": "Pneumonia."}
    for content_type, body in (
        ("application/json", json.dumps(note)),
        ("application/json", json.dumps([note])),
        ("application/x-ndjson", json.dumps(note)),
    ):
        whole = BOM_UTF8 + body.encode()
        reply = lexicon.ask("POST", "/code", whole, content_type=content_type)
        assert reply.status == 200
        assert b"J18.9" in reply.body
    reply = lexicon.ask("POST", "/code", BOM_UTF8 * 2 + b"{}", content_type="application/json")
    assert (reply.status, reply.detail) == (422, "body: not JSON at column 1")


@pytest.mark.parametrize("form", [JSON, LINES])
def test_each_row_has_its_own_problem(form: Form) -> None:
    texts = [
        b'{"id": "a", "text": ""}',
        b'{"id": "b"}',
        b'{"text": ""}',
        b"[]",
        b'{"id": "a", "text": "x"}',
        b'{"id": "c", "text": "\\ud800"}',
        b'{"id": "\\ud800", "text": ""}',
        b'{"id": "\\ud83d\\ude00", "text": ""}',
        b'{"id": [7], "text": ""}',
        b'{"id": "", "text": ""}',
        b'{"id": "b", "text": "", "schema_version": 1}',
    ]
    body = b"[" + b",".join(texts) + b"]" if form == JSON else b"\n".join(texts)
    rows, single = parse_notes(body, form, 256)
    assert not single
    surrogate = "contains half of a surrogate pair"
    # A line with half of a pair is not decoded, so its id is not known.
    assert [(row.id, row.problem) for row in rows if isinstance(row, BadRow)] == [
        ("b", "body:2: text: missing"),
        (None, "body:3: id: missing"),
        (None, "body:4: not a JSON object"),
        ("a", "body:5: id: 'a' occurs twice"),
        ("c" if form == JSON else None, f"body:6: {surrogate}"),
        (None, f"body:7: {surrogate}"),
        (None, "body:9: id: Input should be a valid string"),
        (None, "body:10: id: String should have at least 1 character"),
    ]
    assert [row.id for row in rows if isinstance(row, Note)] == ["a", "😀", "b"]


def test_lines_of_which_none_is_json_are_refused_together() -> None:
    good = b'{"id": "a", "text": ""}'
    for body in (b"x", b"x\n\ny", b"\xff\n{"):
        with pytest.raises(Refused) as error:
            parse_notes(body, LINES, 256)
        assert error.value.status == 422
        assert error.value.problem.startswith("body:1: not ")
        rows, _ = parse_notes(body + b"\n" + good, LINES, 256)
        assert isinstance(rows[-1], Note)
    assert len(parse_notes(b"x\n3", LINES, 256)[0]) == 2


def test_values_are_counted_after_a_line_that_is_no_json() -> None:
    many = b"[" + b",".join([b"[]"] * 5_000) + b"]"
    for start in (b"", b'"\\x\n', b'"\n', b'{"id": "a", "text": ""}\n'):
        with pytest.raises(Refused) as error:
            parse_notes(start + many, LINES, 8)
        assert error.value.status == 413


@pytest.mark.parametrize("form", [JSON, LINES])
def test_as_many_notes_as_the_limit_are_read_with_all_their_fields(form: Form) -> None:
    text = '\\"{[,\\\\' * 100 + '"'  # What looks like syntax in a text is none.
    rows = [
        f'{{"id": "{number}", "text": "{text}, "origin": "public", "schema_version": 1}}'
        for number in range(5)
    ]
    body = ("[" + ",".join(rows) + "]" if form == JSON else "\n".join(rows)).encode()
    notes, single = parse_notes(body, form, 5)
    assert [note.id for note in notes] == ["0", "1", "2", "3", "4"]
    assert {note.text for note in notes if isinstance(note, Note)} == {'"{[,\\' * 100}
    assert not single
    with pytest.raises(Refused) as error:
        parse_notes(body, form, 4)
    assert error.value.status == 413


def test_lines_are_numbered_with_blank_ones_counted() -> None:
    body = b"\n  \n\t" + b'{"id": "a", "text": ""}\r\n\r\n \x0b\n  [}'
    rows, _ = parse_notes(body, LINES, 256)
    assert rows[1:] == [BadRow(None, "body:6: not JSON at column 4", is_json=False)]
