"""Bodies as bytes: what they may cost, and a byte order mark."""

from __future__ import annotations

import json
import subprocess
import sys
from codecs import BOM_UTF8

import pytest

from cclearn.service.bodies import JSON, LINES, Form, parse_notes
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
def test_reading_ends_at_the_first_problem(form: Form) -> None:
    rows = [b'{"id": "a", "text": ""}', b'{"id": "b"}', b'{"text": ""}', b"[]"]
    body = b"[" + b",".join(rows) + b"]" if form == JSON else b"\n".join(rows)
    with pytest.raises(Refused) as error:
        parse_notes(body, form, 256)
    assert (error.value.status, error.value.problem) == (422, "body:2: text: missing")


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
    assert {note.text for note in notes} == {'"{[,\\' * 100}
    assert not single
    with pytest.raises(Refused) as error:
        parse_notes(body, form, 4)
    assert error.value.status == 413


def test_lines_are_numbered_with_blank_ones_counted() -> None:
    body = b"\n  \n\t" + b'{"id": "a", "text": ""}\r\n\r\n \x0b\n  [}'
    with pytest.raises(Refused, match=r"body:6: not JSON at column 4"):
        parse_notes(body, LINES, 256)
