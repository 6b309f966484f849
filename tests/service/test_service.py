"""The other routes, the key, and what responses never contain."""

from __future__ import annotations

import json
import re

import cclearn
from cclearn.codes import CodeSystem
from cclearn.codes.code_info import code_info
from tests.service.served import Served, scripted, serving

CANARY = "Zyxwvut Qponmlk"
"""Words of a note that no answer but its own, and no log, may hold."""


def test_a_code_is_told_with_its_family(lexicon: Served, system: CodeSystem) -> None:
    reply = lexicon.ask("GET", "/codes/i214")
    assert reply.status == 200
    assert reply.json == code_info(system, "I21.4").model_dump()
    assert lexicon.ask("GET", "/codes/I20-I25").json["status"] == "header"
    unknown = lexicon.ask("GET", "/codes/I21.44")
    assert unknown.status == 404
    assert "Did you mean 'I21.4'?" in unknown.detail
    found = lexicon.ask("GET", "/codes?q=MI&billable=true&chapter=9").json
    assert found[0] == {
        "code": "I21.9",
        "status": "valid",
        "description": "Acute myocardial infarction, unspecified",
        "matched": "myocardial infarction",
        "score": 100,
    }
    assert {(hit["code"][0], hit["status"]) for hit in found} == {("I", "valid")}
    for odd in ("%20", "%00", "é", "a%2Fb", "-", "%F0%9F%98%80"):
        assert lexicon.ask("GET", "/codes/" + odd.replace("é", "%C3%A9")).status == 404, odd
    long = lexicon.ask("GET", "/codes/" + "x" * 5_000)
    assert (long.status, long.detail) == (422, "code: String should have at most 40 characters")


def test_codes_are_searched(lexicon: Served, system: CodeSystem) -> None:
    reply = lexicon.ask("GET", "/codes?q=Heart+FAILURE&limit=3")
    assert reply.status == 200
    assert reply.json == [
        {
            "code": hit.code.code,
            "status": system.status(hit.code.code),
            "description": hit.code.description,
            "matched": hit.matched,
            "score": hit.score,
        }
        for hit in system.search("Heart FAILURE", 3)
    ]
    assert [hit["code"] for hit in reply.json[:2]] == ["I50.9", "I50"]
    assert len(lexicon.ask("GET", "/codes?q=heart+failure").json) == 10
    found = lexicon.ask("GET", "/codes?q=MI&billable=true&chapter=9").json
    assert found[0] == {
        "code": "I21.9",
        "status": "valid",
        "description": "Acute myocardial infarction, unspecified",
        "matched": "myocardial infarction",
        "score": 100,
    }
    assert {(hit["code"][0], hit["status"]) for hit in found} == {("I", "valid")}
    for odd in ("%20", "%00", "%F0%9F%98%80", "%ff", "qqqqq"):
        reply = lexicon.ask("GET", f"/codes?q={odd}")
        assert (reply.status, reply.json) == (200, []), odd
    for query, detail in {
        "": "q: Field required",
        "?q=": "q: String should have at least 1 character",
        f"?q={'x' * 201}": "q: String should have at most 200 characters",
        "?q=x&chapter=IX": "chapter (chapter = IX): icd10cm April-1-2026 has no codes there. Use the"
        " number of a chapter (9), a range of categories (I00-I99), or a block or header (I20-I25,"
        " I50).",
        "?q=x&billable=Zyxwvut": "billable: Input should be a valid boolean, unable to interpret input",
        "?q=x&limit=0": "limit: Input should be greater than or equal to 1",
        "?q=x&limit=101": "limit: Input should be less than or equal to 100",
        "?q=x&limit=Zyxwvut": "limit: Input should be a valid integer, unable to parse string as an"
        " integer",
    }.items():
        reply = lexicon.ask("GET", f"/codes{query}")
        assert (reply.status, reply.detail) == (422, detail)


def test_health_tells_what_codes(lexicon: Served, system: CodeSystem) -> None:
    reply = lexicon.ask("GET", "/healthz")
    assert reply.status == 200
    assert reply.json == {
        "status": "ok",
        "model": "lexicon",
        "system": "icd10cm",
        "release": system.release,
        "version": cclearn.__version__,
        "workers": 1,
        "waiting": 0,
    }


def test_metrics_count_by_route_and_never_by_what_a_caller_chose(lexicon: Served) -> None:
    one = 'cclearn_requests_total{route="/code",status="200"}'
    before = lexicon.metric(one), lexicon.metric("cclearn_codes_total")
    lexicon.code([{"id": CANARY, "text": f"{CANARY} with asthma and pneumonia."}])
    lexicon.ask("GET", "/codes/Zyxwvut")
    lexicon.ask("GET", "/codes?q=Zyxwvut")
    lexicon.ask("GET", "/Zyxwvut?Qponmlk")
    assert lexicon.metric(one) == before[0] + 1
    assert lexicon.metric("cclearn_codes_total") == before[1] + 2
    assert lexicon.metric("cclearn_batch_notes_count") >= 1
    assert lexicon.metric('cclearn_request_seconds_count{route="/code"}') >= 1
    assert lexicon.metric("process_resident_memory_bytes") > 10**7
    page = lexicon.ask("GET", "/metrics").body.decode()
    assert 'route="/codes/{code}",status="404"' in page
    assert 'route="other",status="404"' in page
    assert "yxwvut" not in page


def test_a_key_is_asked_for(system: CodeSystem) -> None:
    key = "0123456789abcdef0123456789abcdef"
    note = {"id": "a", "text": "Asthma."}
    with serving(CCLEARN_API_KEY=key) as served:
        for shown in ({}, {"authorization": "Bearer x"}, {"authorization": f"Basic {key}"}):
            for reply in (
                served.code(note, **shown),
                served.ask("GET", "/codes/I10", **shown),
                served.ask("GET", "/codes?q=asthma", **shown),
            ):
                assert reply.status == 401
                assert reply.headers["www-authenticate"] == "Bearer"
                assert reply.detail == "Authorization: send the key as `Bearer KEY`."
        assert served.code(note, authorization=f"Bearer {key}").status == 200
        assert served.ask("GET", "/codes/I10", authorization=f"Bearer {key}").status == 200
        assert served.ask("GET", "/codes?q=x", authorization=f"Bearer {key}").status == 200
        for path in ("/", "/docs", "/healthz", "/metrics", "/openapi.json"):
            assert served.ask("GET", path).status == 200
        document = served.ask("GET", "/openapi.json").json
        assert document["paths"]["/code"]["post"]["security"] == [{"HTTPBearer": []}]
        assert "401" in document["paths"]["/codes/{code}"]["get"]["responses"]
        for path in ("/", "/docs"):
            page = served.ask("GET", path).body
            assert b"id='key'" in page
            assert key.encode() not in page
        assert key.encode() not in served.log


def test_openapi_names_every_status_and_loads_nothing(lexicon: Served) -> None:
    document = lexicon.ask("GET", "/openapi.json").json
    code = document["paths"]["/code"]["post"]
    statuses = {*map(str, (200, 403, 406, 408, 413, 415, 422, 429, 500, 502, 503, 504))}
    assert set(code["responses"]) == statuses
    assert set(code["requestBody"]["content"]) == {"application/json", "application/x-ndjson"}
    assert "security" not in code
    assert not re.search(r"https?://", json.dumps(document))


def tell(served: Served) -> list[bytes]:
    """Send notes with the canary that fail in every way, and return the answers."""
    note = {"id": "a", "text": f"{CANARY} {'x' * 9_000}"}
    answers = [
        served.code({**note, CANARY: 1}),
        served.code({**note, "origin": CANARY}),
        served.code({"id": "a", "text": [CANARY]}),
        served.code([{"id": "a", "text": [CANARY]}, {"id": "b", CANARY: 1}, CANARY]),
        served.code([{"id": "a", "text": [CANARY]}], accept="application/x-ndjson"),
        served.code({"id": "a", "text": f"raise {CANARY}"}),
        served.code([{"id": "a", "text": f"raise {CANARY}"}], accept="application/x-ndjson"),
        served.code({"id": "a", "text": f"die {CANARY}"}),
        served.code({"id": "a", "text": f"refuse {CANARY}"}),
        served.code({"id": "a", "text": f"sleep 3.5 {CANARY}"}),
        served.ask(
            "POST", "/code", json.dumps(note).encode()[:-1], content_type="application/json"
        ),
        served.ask("POST", f"/code?{CANARY.split()[0]}", b"x", content_type=CANARY),
        served.ask("GET", f"/{CANARY.split()[0]}"),
    ]
    with served.open(note, cut=9):
        pass
    assert served.code({"id": "a", "text": CANARY}).status == 200
    assert {answer.status for answer in answers} == {404, 415, 422, 500, 502, 503, 504, 200}
    return [answer.body for answer in answers]


def leaks(text: bytes) -> bool:
    """Say whether a text holds a word of the canary."""
    return any(word.encode() in text for word in CANARY.split())


def test_no_note_is_told_in_errors_or_logs(system: CodeSystem) -> None:
    with scripted(time_limit=3) as served:
        answers = tell(served)
        served.wait_until_idle()
        log = served.log
    assert [answer for answer in answers if leaks(answer)] == []
    assert b"DEBUG:root:all is logged" in log
    assert log.count(b"POST /code") >= 10
    assert b"Traceback" not in log
    assert not leaks(log)


def test_the_guard_sees_a_note_in_the_log(system: CodeSystem) -> None:
    with scripted() as served:
        assert served.code({"id": "a", "text": CANARY}).status == 200
        assert not leaks(served.log)
        assert served.code({"id": "a", "text": f"leak {CANARY}"}).status == 200
        assert leaks(served.log)
