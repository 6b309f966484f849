"""`POST /code`: what goes in and what comes out."""

from __future__ import annotations

import json

import pytest

from cclearn import CodedNote, Coder, Note
from cclearn.codes import CodeSystem
from tests.service.served import Served

NOTES = [
    {"id": "a", "text": "Admitted with İ pneumonia 👩‍⚕️.\r\nNo asthma."},
    {"id": "b", "text": "", "origin": "public"},
    {"id": "c", "text": "Asthma, e\u0301, and essential hypertension.", "schema_version": 1},
]
LINES = "application/x-ndjson"


@pytest.fixture(scope="module")
def expected(system: CodeSystem) -> list[CodedNote]:
    notes = [
        Note(**{key: note[key] for key in note if key != "schema_version"})  # type: ignore[arg-type]
        for note in NOTES
    ]
    return list(Coder.lexicon(system).code_many(notes))


def coded(row: dict[str, object]) -> CodedNote:
    assert row.pop("schema_version") == 1
    return CodedNote.model_validate(row)


def test_one_note_is_answered_with_one(lexicon: Served, expected: list[CodedNote]) -> None:
    reply = lexicon.code(NOTES[0])
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert coded(reply.json) == expected[0]
    assert [code.code for code in expected[0].codes] == ["J18.9"]
    assert "server" not in reply.headers


def test_several_are_answered_in_order(lexicon: Served, expected: list[CodedNote]) -> None:
    reply = lexicon.code(NOTES)
    assert reply.status == 200
    assert [coded(row) for row in reply.json] == expected
    assert lexicon.code([]).json == []
    assert [row["id"] for row in lexicon.code(NOTES[:1]).json] == ["a"]


def test_lines_are_answered_with_lines(lexicon: Served, expected: list[CodedNote]) -> None:
    body = b"\n\n".join(json.dumps(note).encode() for note in NOTES)
    reply = lexicon.ask("POST", "/code", body, content_type=LINES)
    assert (reply.status, reply.headers["content-type"]) == (200, LINES)
    assert [coded(row) for row in reply.lines] == expected
    as_array = lexicon.ask("POST", "/code", body, content_type=LINES, accept="application/json")
    assert [coded(row) for row in as_array.json] == expected
    streamed = lexicon.code(NOTES, accept=LINES)
    assert [coded(row) for row in streamed.lines] == expected
    assert lexicon.ask("POST", "/code", b"", content_type=LINES).lines == []


def test_lines_come_as_soon_as_they_are_ready(tight: Served) -> None:
    notes = [{"id": str(n), "text": "sleep 0.25"} for n in range(4)]
    with tight.open(notes, accept=LINES) as connection:
        received = b""
        while b'"id":"0"' not in received:
            received += connection.recv(2**16)
        assert b'"id":"3"' not in received
        while not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(2**16)
        assert b'"id":"3","text"' in received


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "body: not JSON at column 1"),
        (b'{"id": "a"', "body: not JSON at column 11"),
        (b"3", "body: not a JSON object"),
        (b'[{"id": "a", "text": "x"}, 3]', "body:2: not a JSON object"),
        (b'{"id": "a"}', "body: text: missing"),
        (b'{"id": "", "text": "x"}', "body: id: String should have at least 1 character"),
        (b'{"id": "a", "text": 7}', "body: text: Input should be a valid string"),
        (
            b'{"id": "a", "texts": "x", "text": ""}',
            "body: texts: unknown field. Did you mean 'text'?",
        ),
        (
            b'{"id": "a", "text": "x", "schema_version": 9}',
            "body: schema_version: only 1 is supported",
        ),
        (b'{"id": "a", "text": "\\ud800"}', "body: contains half of a surrogate pair"),
        (b'{"id": "a", "text": "\xff"}', "body: not UTF-8 at byte 21. Convert it first."),
        (b"[" * 2_000, "body: nested too deeply or with too long a number"),
        (b"9" * 5_000, "body: nested too deeply or with too long a number"),
        (
            b'[{"id": "a", "text": ""}, {"id": "a", "text": ""}, {"text": 1}]',
            "body:2: id: 'a' occurs twice",  # The first problem ends the reading.
        ),
    ],
)
def test_what_is_wrong_is_told_without_a_value(lexicon: Served, body: bytes, detail: str) -> None:
    reply = lexicon.ask("POST", "/code", body, content_type="application/json; charset=utf-8")
    assert (reply.status, reply.detail) == (422, detail)


def test_a_line_that_is_wrong_is_told_by_its_number(lexicon: Served) -> None:
    body = b'{"id": "a", "text": "x"}\n\n{"id": "b"}\n'
    reply = lexicon.ask("POST", "/code", body, content_type=LINES)
    assert (reply.status, reply.detail) == (422, "body:3: text: missing")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/json", "content_encoding": "gzip"}, 415),
        ({"content_type": "application/json", "accept": "text/html"}, 406),
        ({"content_type": "application/json", "accept": "application/json;q=0"}, 406),
    ],
)
def test_forms_that_are_not_there_are_refused(
    lexicon: Served, headers: dict[str, str], status: int
) -> None:
    assert lexicon.ask("POST", "/code", b"{}", **headers).status == status


def test_the_form_that_is_wanted_more_is_given(lexicon: Served) -> None:
    for accept, form in {
        "*/*": "application/json",
        "application/*;q=0.5, text/html": "application/json",
        f"*/*, {LINES}": LINES,
        f"application/json, {LINES};q=0.9": "application/json",
        f"application/json;q=0.1, {LINES}": LINES,
        f"{LINES};q=x, */*;q=0.1": "application/json",
    }.items():
        assert lexicon.code(NOTES[0], accept=accept).headers["content-type"] == form, accept


def test_other_routes_and_methods(lexicon: Served) -> None:
    assert lexicon.ask("GET", "/code").status == 405
    assert lexicon.ask("GET", "/docs").status == 404
    assert lexicon.ask("GET", "/code/").status == 404
