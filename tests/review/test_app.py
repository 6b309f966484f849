"""The routes of the review page: who may use them, what they refuse, and what they return."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from cclearn.codes import CodeSystem
from cclearn.review.app import make_review_app
from cclearn.review.session import Session
from cclearn.service.limits import ServiceSettings
from tests.review.reviews import TEXT, code, coded_note, start

BASE = "http://127.0.0.1:8001"


@pytest.fixture
def session(tmp_path: Path, system: CodeSystem) -> Iterator[Session]:
    session = start(tmp_path, system, [coded_note("n1"), coded_note("n2"), coded_note("n3")])
    yield session
    session.log.close()


@pytest.fixture
def client(session: Session) -> Iterator[TestClient]:
    return client_of(session)


def client_of(session: Session, **settings: object) -> TestClient:
    app = make_review_app(session, ServiceSettings.model_validate(settings), "lexicon, icd10cm")
    return TestClient(app, BASE, follow_redirects=False)


def fields_of(page: str) -> dict[str, str]:
    """Return the hidden fields of the forms of a page."""
    found = re.findall(r"<input type='hidden' name='(\w+)' value='([^']*)'>", page)
    return {name: value for name, value in found if name in ("token", "seen")}


def post(client: TestClient, path: str, **fields: str) -> tuple[int, str]:
    page = client.get("/notes/1").text
    response = client.post(path, data=fields_of(page) | fields, headers={"Origin": BASE})
    return response.status_code, unescape(response.text)


def test_the_first_note_is_shown_with_its_codes(client: TestClient, session: Session) -> None:
    answer = client.get("/")
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert page.status_code == 200
    assert "Heart failure, unspecified" in page.text
    assert "score 0.90" in page.text
    assert '<mark id="t6"' in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<script>|<style|style=|\bon\w+=|https?:", page.text)
    for path in ("/review.js", "/review.css"):
        assert client.get(path).status_code == 200
    assert session.opened.sum() == 1


def test_a_decision_is_saved_and_shown(client: TestClient, session: Session) -> None:
    status, page = post(client, "/notes/1", action="accept", key="p0")
    assert status == 200
    assert "aria-pressed='true'>Accept" in page
    assert [e.action for e in session.log.events(session.corpus.ids[0])] == ["open", "accept"]


def test_done_leads_to_the_next_note(client: TestClient, session: Session) -> None:
    status, page = post(client, "/notes/1", action="done")
    assert status == 422
    assert "2 codes are undecided" in page
    for key in ("p0", "p1"):
        post(client, "/notes/1", action="accept", key=key)
    assert post(client, "/notes/1", action="done") == (303, "")
    assert session.done.tolist() == [True, False, False]


def test_forms_without_the_token_are_refused(client: TestClient, session: Session) -> None:
    client.get("/notes/1")
    for fields in ({}, {"token": "x"}, {"token": "é"}):
        answer = client.post(
            "/notes/1", data=fields | {"action": "accept", "key": "p0", "seen": "1"}
        )
        assert answer.status_code == 403
    answer = client.post("/notes/1", content=b"\xff=\xfe")
    assert answer.status_code == 422
    assert len([*session.log.events("n1")]) == 1


def test_other_sites_are_refused(client: TestClient) -> None:
    fields = fields_of(client.get("/notes/1").text)
    for headers in ({"Origin": "https://example.org"}, {"Host": "example.org"}):
        answer = client.post("/notes/1", data=fields | {"action": "undo"}, headers=headers)
        assert answer.status_code == 403
    assert client.get("/notes/1", headers={"Host": "rebound.example"}).status_code == 403


def test_pages_of_other_sites_cannot_open_notes(client: TestClient, session: Session) -> None:
    for site in ("cross-site", "same-site"):
        answer = client.get("/notes/1", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
        assert "<a href='/'>Continue" in answer.text
    assert not session.opened.any()
    assert client.get("/notes/1", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_key_is_asked_for_and_kept_in_a_cookie(session: Session) -> None:
    key = "0123456789abcdef"
    client = client_of(session, key=SecretStr(key))
    for path in ("/", "/notes/1", "/list", "/codes?q=fever", "/codes/I50.9"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert "Key of the service" in answer.text
    assert client.post("/notes/1", data={"action": "undo"}).status_code == 401
    assert client.post("/login", data={"key": "wrong"}).status_code == 401
    answer = client.post("/login", data={"key": key})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert key not in cookie
    assert client.get("/notes/1").status_code == 200
    assert session.opened.tolist() == [True, False, False]


def test_an_older_page_cannot_overwrite_newer_decisions(
    client: TestClient, session: Session
) -> None:
    old = fields_of(client.get("/notes/1").text)
    post(client, "/notes/1", action="accept", key="p0")
    answer = client.post("/notes/1", data=old | {"action": "reject", "key": "p0"})
    assert answer.status_code == 409
    assert "changed in another window" in answer.text
    assert "aria-pressed='true'>Accept" in answer.text


def test_a_full_disk_is_told(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    fields = fields_of(client.get("/notes/1").text)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("cclearn.review.log.os.write", full)
    answer = client.post("/notes/1", data=fields | {"action": "accept", "key": "p0"})
    monkeypatch.undo()
    assert answer.status_code == 507
    assert "the decision was not saved: No space left on device" in answer.text
    assert post(client, "/notes/1", action="accept", key="p0")[0] == 200


def test_addresses_of_no_note(client: TestClient) -> None:
    assert client.get("/notes/4").status_code == 404
    assert client.get("/notes/0").status_code == 404
    assert client.get("/notes/x").status_code == 422
    assert client.get("/list?page=0").status_code == 422
    fields = fields_of(client.get("/notes/1").text)
    assert client.post("/notes/1", data=fields | {"seen": "x"}).status_code == 422


def test_the_list_and_the_filter(client: TestClient, session: Session) -> None:
    page = client.get("/list").text
    assert re.findall(r"<bdi>(n\d)</bdi>", page) == ["n1", "n2", "n3"]
    assert post(client, "/filter", kind="undecided", code="")[0] == 303
    assert re.findall(r"<bdi>(n\d)</bdi>", client.get("/list").text) == ["n1"]
    assert post(client, "/filter", kind="all", code="q")[0] == 303
    answer = client.get("/")
    assert answer.status_code == 200
    assert "No note is left for this filter" in answer.text


def test_keys_can_be_switched_off(client: TestClient) -> None:
    assert "data-keys='on'" in client.get("/notes/1").text
    assert post(client, "/keys", keys="off")[0] == 303
    assert "data-keys='off'" in client.get("/notes/1").text


def test_codes_are_searched_and_described(client: TestClient) -> None:
    hits = client.get("/codes", params={"q": "heart failure", "limit": 3}).json()
    assert "I50.9" in [hit["code"] for hit in hits]
    described = client.get("/codes/I50.9").json()
    assert described["billable"]
    assert described["siblings"]


def test_text_of_a_note_is_never_markup(tmp_path: Path, system: CodeSystem) -> None:
    text = "<script>alert(1)</script> & '\"<b>fever"
    note = coded_note("<i>n</i>", text=text, codes=[code(text, "R50.9", "<b>fever", flags=["<u>"])])
    session = start(tmp_path, system, [note])
    page = client_of(session).get("/notes/1").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#x27;&quot;" in page
    assert not re.search("<(i|u|b)>", page)
    session.log.close()


def test_a_changed_note_shows_its_text_and_no_decisions(tmp_path: Path, system: CodeSystem) -> None:
    from cclearn.notes.jsonl import write_rows

    session = start(tmp_path, system, [coded_note()])
    session.open(0)
    session.log.close()
    write_rows(tmp_path / "coded.jsonl", [coded_note(text=TEXT + " More.")])
    session = start(tmp_path, system, [])
    page = client_of(session).get("/notes/1").text
    assert "has changed since its review began" in page
    assert "value='accept'" not in page
    session.log.close()
