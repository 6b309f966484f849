"""`POST /code`: what goes in and what comes out."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from cclearn import CodedNote, Coder, Note
from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, Evidence, Invalid, Ungrounded
from cclearn.notes.jsonl import row_to_json
from cclearn.service.schemas import CodedRowWithoutText
from tests.service.served import Served, scripted

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
        (b'[{"id": "a", "text": ""}, {"id": "b"', "body: not JSON at column 37"),
    ],
)
def test_what_is_wrong_is_told_without_a_value(lexicon: Served, body: bytes, detail: str) -> None:
    reply = lexicon.ask("POST", "/code", body, content_type="application/json; charset=utf-8")
    assert (reply.status, reply.detail) == (422, detail)


def bad(identifier: str | None, problem: str) -> dict[str, object]:
    return {"id": identifier, "error": {"kind": "contract", "problem": problem}}


def test_a_bad_row_takes_no_note_down(lexicon: Served, expected: list[CodedNote]) -> None:
    before = lexicon.metric("cclearn_invalid_rows_total")
    rows = [NOTES[0], {"id": "x"}, 3, NOTES[1], {**NOTES[2], "id": "a"}, NOTES[2]]
    for headers in ({}, {"accept": LINES}):
        reply = lexicon.code(rows, **headers)
        assert reply.status == 200
        answers = reply.lines if headers else reply.json
        assert [coded(answers[index]) for index in (0, 3, 5)] == expected
        assert [answers[index] for index in (1, 2, 4)] == [
            bad("x", "body:2: text: missing"),
            bad(None, "body:3: not a JSON object"),
            bad("a", "body:5: id: 'a' occurs twice"),
        ]
    assert lexicon.metric("cclearn_invalid_rows_total") - before == 6


def test_a_bad_line_is_told_by_its_number(lexicon: Served) -> None:
    body = b'{"id": "a", "text": "x"}\n\n{"id": "b"}\nzzz\n'
    for headers in ({}, {"accept": "application/json"}):
        reply = lexicon.ask("POST", "/code", body, content_type=LINES, **headers)
        assert reply.status == 200
        first, *others = reply.json if headers else reply.lines
        assert coded(first).id == "a"
        assert others == [
            bad("b", "body:3: text: missing"),
            bad(None, "body:4: not JSON at column 1"),
        ]
    reply = lexicon.ask("POST", "/code", b"zzz\nyyy", content_type=LINES)
    assert (reply.status, reply.detail) == (422, "body:1: not JSON at column 1")


def test_bad_rows_alone_are_an_answer(lexicon: Served) -> None:
    problems = [bad(None, "body:1: not a JSON object"), bad("a", "body:2: text: missing")]
    assert lexicon.code([3, {"id": "a"}]).json == problems
    assert lexicon.code([3, {"id": "a"}], accept=LINES).lines == problems


def test_a_coder_that_fails_on_every_note_is_told_with_the_place_of_the_first(
    tight: Served,
) -> None:
    reply = tight.code([{"id": "a"}, {"id": "b", "text": "refuse"}])
    assert reply.status == 502
    assert reply.detail.startswith("note 2: ")


def test_metadata_that_cannot_be_written_takes_no_note_down(system: CodeSystem) -> None:
    kinds = set()
    with scripted() as served:
        for depth in range(250, 261):  # Pydantic reads a few levels more than it writes.
            nested = json.loads("[" * depth + "]" * depth)
            rows = [{"id": "a", "text": "", "metadata": {"x": nested}}, NOTES[1]]
            answer = served.code(rows).json
            kinds.add(answer[0].get("error", {}).get("kind"))
            assert answer[1]["codes"] == []
    assert kinds == {None, "error", "contract"}


def without_text(row: dict[str, Any]) -> dict[str, Any]:
    """Return a coded note without all that quotes its text."""
    row = {key: row[key] for key in row if key not in ("text", "metadata")}
    for code in (*row["codes"], *row["rejected"]):
        for piece in code["evidence"]:
            del piece["text"]
    for code in row["ungrounded"]:
        del code["quote"]
    return row


def test_the_text_is_left_out_if_it_is_not_wanted(lexicon: Served) -> None:
    notes = [{**NOTES[0], "metadata": {"ward": "Zyxwvut"}}, *NOTES[1:], {"id": "x"}]
    whole = lexicon.code(notes).json
    assert whole[0]["metadata"] == {"ward": "Zyxwvut"}
    expected = [*map(without_text, deepcopy(whole[:-1])), whole[-1]]
    body = json.dumps(notes).encode()
    json_form, lines_form = {"content_type": "application/json"}, {"accept": LINES}
    reply = lexicon.ask("POST", "/code?echo=false", body, **json_form)
    assert reply.json == expected
    assert b"Zyxwvut" not in reply.body
    assert "Admitted" not in reply.body.decode()
    assert reply.json[0]["codes"][0]["evidence"] == [{"start": 16, "end": 25}]
    streamed = lexicon.ask("POST", "/code?echo=false", body, **json_form, **lines_form)
    assert streamed.lines == expected
    one = json.dumps(NOTES[2]).encode()
    assert lexicon.ask("POST", "/code?echo=0", one, **json_form).json == expected[2]
    assert lexicon.ask("POST", "/code?echo=true", one, **json_form).json == whole[2]
    reply = lexicon.ask("POST", "/code?echo=Zyxwvut", one, **json_form)
    assert reply.status == 422
    assert "Zyxwvut" not in reply.detail


def test_a_note_without_its_text_has_all_other_fields() -> None:
    code = AssignedCode(code="I10", evidence=[Evidence(start=0, end=1, text="x")])
    note = CodedNote(
        id="a",
        text="x",
        metadata={"y": "x"},
        codes=[code],
        rejected=[code.model_copy(update={"code": "I11"})],
        ungrounded=[Ungrounded(code="I12", quote="x")],
        invalid=[Invalid(code=None, status="unreadable")],
        flags=["truncated"],
    )
    expected = without_text(json.loads(row_to_json(note)))
    assert json.loads(CodedRowWithoutText.model_validate(note).model_dump_json()) == expected


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
    assert lexicon.ask("POST", "/").status == 405
    assert lexicon.ask("GET", "/docs/").status == 404
    assert lexicon.ask("GET", "/redoc").status == 404
    assert lexicon.ask("GET", "/code/").status == 404
