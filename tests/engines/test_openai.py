"""The engine of models behind a server: order, failures, budgets and keys."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import openai
import pytest
from pydantic import ValidationError

from cclearn.engines.budget import Budget
from cclearn.engines.openai import OpenAIEngine, _is_too_long
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.prompts import parse_answer
from tests.engines.servers import GOOD, completion, engine, requests, serving

pytestmark = pytest.mark.usefixtures("openai_environment")


def test_answers_come_in_order_with_so_many_in_flight() -> None:
    def echo(body: dict[str, Any], number: int) -> dict[str, Any]:
        time.sleep(0.02 * (number % 3))
        return completion(body["messages"][-1]["content"].rpartition("note ")[2])

    with serving(echo, 0.01) as server:
        asked = engine(server.url, concurrency=8)
        answers = list(asked.generate(iter(requests(60))))
        assert [answer.id for answer in answers] == [str(n) for n in range(60)]
        assert [answer.text for answer in answers] == [str(n) for n in range(60)]
        assert 2 < server.most <= 8
        assert {answer.prompt_tokens for answer in answers} == {10}
        assert {answer.answer_tokens for answer in answers} == {4}
        body = server.asked[0]
        assert (body["model"], body["temperature"], body["seed"]) == ("owner/tiny", 0.0, 0)
    assert asked.name == "tiny"


def test_requests_are_taken_as_they_are_needed() -> None:
    taken = 0

    def stream() -> Any:
        nonlocal taken
        for request in requests(1_000):
            taken += 1
            yield request

    with serving(GOOD) as server:
        answers = engine(server.url, concurrency=4).generate(stream())
        next(answers)
        assert taken <= 16 * 4 + 1
        answers.close()  # type: ignore[attr-defined]


def test_a_slow_answer_holds_up_none_but_itself() -> None:
    others = threading.Semaphore(0)

    def reply(body: dict[str, Any], number: int) -> dict[str, Any]:
        text = body["messages"][-1]["content"].rpartition("note ")[2]
        if text == "0":
            for _ in range(40):
                assert others.acquire(timeout=30)
        else:
            others.release()
        return completion(text)

    with serving(reply) as server:
        answers = list(engine(server.url, concurrency=4, timeout=60).generate(requests(60)))
        assert [answer.text for answer in answers] == [str(n) for n in range(60)]
        assert server.most <= 4


@pytest.mark.parametrize(
    ("replies", "problem", "tries"),
    [
        ([GOOD], None, 1),
        ([500, 503, GOOD], None, 3),
        ([(429, {"Retry-After": "0.05"}), GOOD], None, 2),
        (["cut", GOOD], None, 2),
        ([500, 500, 500], "http_500", 3),
        ([429, 429, 429], "http_429", 3),
        (["cut", "cut", "cut"], "connection", 3),
        ([400], "http_400", 1),
        (["not json"], "unreadable_response", 1),
        (['{"choices": 3}'], "unreadable_response", 1),
        ([completion("")], "empty", 1),
        ([completion(None, refusal="I cannot")], "refusal", 1),
        ([completion("- x", finish="content_filter")], "refusal", 1),
        ([{**GOOD, "choices": []}], "empty", 1),
    ],
)
def test_what_fails_for_the_moment_is_tried_again_and_what_fails_is_flagged(
    replies: list[Any], problem: str | None, tries: int
) -> None:
    with serving(lambda body, number: replies[min(number, len(replies)) - 1]) as server:
        (answer,) = engine(server.url, concurrency=1).generate(requests(1))
        assert answer.problem == problem
        assert len(server.asked) == tries


@pytest.mark.parametrize(
    ("body", "too_long"),
    [
        ({"code": "context_length_exceeded", "message": "no"}, True),
        ({"code": 400, "type": "exceed_context_size_error", "message": "no"}, True),
        ({"code": 400, "message": "This model's maximum context length is 512 tokens."}, True),
        ({"code": 400, "message": "temperature must be positive"}, False),
    ],
)
def test_prompts_that_do_not_fit_are_recognised(body: dict[str, Any], too_long: bool) -> None:
    response = httpx.Response(400, request=httpx.Request("POST", "http://127.0.0.1"))
    error = openai.BadRequestError(body["message"], response=response, body=body)
    assert _is_too_long(error) == too_long


def test_a_password_in_the_address_is_refused() -> None:
    with pytest.raises(ValidationError, match="a user or a password"):
        EngineSettings(base_url="https://user:secret@host/v1")
    EngineSettings(base_url="https://host/v1@2")


def test_a_server_that_stalls_is_not_waited_for() -> None:
    with serving("stall") as server:
        started = time.monotonic()
        (answer,) = engine(server.url, retries=0, timeout=0.3).generate(requests(1))
        assert answer.problem == "timeout"
        assert time.monotonic() - started < 2.5


def test_a_server_that_dies_leaves_the_rest_flagged_at_once() -> None:
    with serving(GOOD) as server:
        asked = engine(server.url, concurrency=2, retries=1)
        first = list(asked.generate(requests(3)))
    started = time.monotonic()
    rest = list(asked.generate(requests(500)))
    assert [answer.problem for answer in first] == [None] * 3
    assert {answer.problem for answer in rest} == {"connection"}
    assert len(rest) == 500
    assert time.monotonic() - started < 10


def test_a_server_that_was_dead_is_asked_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(GOOD) as server:
        url = server.url
    asked = engine(url, concurrency=1, retries=0)
    assert {answer.problem for answer in asked.generate(requests(5))} == {"connection"}
    with serving(GOOD, port=int(url.rpartition(":")[2].split("/")[0])):
        assert {answer.problem for answer in asked.generate(requests(2))} == {"connection"}
        monkeypatch.setattr("cclearn.engines.openai._PAUSE", 0.0)
        assert {answer.problem for answer in asked.generate(requests(2))} == {None}


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "Name a model")]
)
def test_what_no_note_can_pass_ends_the_run(status: int, advice: str) -> None:
    with serving(status) as server, pytest.raises(CclearnError, match=advice) as error:
        list(engine(server.url).generate(requests(50)))
    assert f"answers {status}" in str(error.value)
    assert "note 1" not in str(error.value)


def test_a_cut_answer_is_not_complete() -> None:
    with serving(completion("- a => I10\n- b => I5", finish="length")) as server:
        (answer,) = engine(server.url).generate(requests(1))
    assert not answer.complete
    assert answer.problem is None


def test_budgets_hold() -> None:
    with serving(GOOD) as server:
        answers = list(
            engine(server.url, concurrency=1, budget=Budget(tokens=40)).generate(requests(6))
        )
        assert [answer.problem for answer in answers] == [None] * 3 + ["budget"] * 3
        assert len(server.asked) == 3
        price = {"prompt": 1.0, "answer": 2.0}
        costly = Budget(cost=35e-6, price=price)  # 18 millionths a request.
        answers = list(engine(server.url, concurrency=1, budget=costly).generate(requests(4)))
        assert [answer.problem for answer in answers] == [None] * 2 + ["budget"] * 2
        late = Budget(seconds=1e-9)
        answers = list(engine(server.url, concurrency=1, budget=late).generate(requests(2)))
        assert answers[-1].problem == "budget"


def test_keys_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"OPENAI_API_KEY \(server = 192\.0\.2\.1\)"):
        engine("http://192.0.2.1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with serving(GOOD) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        asked = OpenAIEngine("tiny")
        list(asked.generate(requests(1)))
        assert server.keys == ["Bearer sk-secret"]
    assert "sk-secret" not in asked.identity


def test_a_grammar_goes_along_where_the_server_takes_one() -> None:
    with serving(GOOD) as server:
        asked = engine(server.url, constraint="grammar")
        assert asked.grounded
        list(asked.generate(requests(1, grammar="start: x")))
        assert server.asked[0]["structured_outputs"] == {"grammar": "start: x"}


def test_structured_output_is_put_into_lines() -> None:
    said = {"codes": [{"evidence": "heart\nfailure", "code": "I50.9"}]}
    replies = [completion(json.dumps(said)), completion('{"codes": ['), completion('{"codes": []}')]
    with serving(lambda body, number: replies[number - 1]) as server:
        asked = engine(server.url, concurrency=1, constraint="json")
        first, broken, nothing = asked.generate(requests(3))
        assert server.asked[0]["response_format"]["type"] == "json_schema"
    (line,) = parse_answer(first.text).lines
    assert (line.quote, line.code) == ("heart failure", "I50.9")
    assert broken.problem == "unreadable_response"
    assert nothing.text == "none"
