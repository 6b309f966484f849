from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.engines import Request
from cclearn.engines.cache import CachedEngine
from cclearn.engines.openai import Budget, OpenAIEngine
from cclearn.engines.registry import load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.notes import Note
from cclearn.prompts import document_prompt, parse_answer
from tests.engines.servers import completion, serving

GOOD = completion("- heart failure => I50.9")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    # The client's pauses between tries, which grow, are kept short here.
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.05)


def requests(count: int, **fields: Any) -> list[Request]:
    return [Request(str(n), document_prompt(f"note {n}"), **fields) for n in range(count)]


def engine(url: str, **settings: Any) -> OpenAIEngine:
    return OpenAIEngine("owner/tiny", base_url=url, **{"retries": 2, "timeout": 5.0, **settings})


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


def test_notes_are_flagged_with_what_went_wrong(tmp_path: Path, system: CodeSystem) -> None:
    replies = [
        completion("- sepsis => A41.9"),
        completion(None, refusal="I cannot"),
        completion(""),
        completion("- septic shock => R65.21"),
        completion("- sepsis => A41.9\n- sep", finish="length"),
        "cut",
    ]
    notes = [Note(id=str(n), text=f"{n}: sepsis") for n in range(9)]

    def flags(url: str) -> tuple[list[list[str]], list[int], list[int]]:
        settings = EngineSettings(
            base_url=url, concurrency=1, retries=0, cache=tmp_path / "answers.sqlite"
        )
        coder = Coder.load("openai:tiny", system, settings=settings)
        coded = list(coder.code_many(iter(notes)))
        assert [note.id for note in coded] == [note.id for note in notes]
        found = [note.flags for note in coded]
        coder.engine.close()  # type: ignore[attr-defined]
        return found, [len(n.codes) for n in coded], [len(n.ungrounded) for n in coded]

    # The server dies half-way; those that it has not answered are flagged, one by one.
    with serving(lambda body, number: replies[min(number, 6) - 1]) as server:
        found, codes, ungrounded = flags(server.url)
        url = server.url
    assert found == [[], ["refusal"], ["empty"], [], ["truncated"], *[["connection"]] * 4]
    assert codes == [1, 0, 0, 0, 1, 0, 0, 0, 0]
    assert ungrounded == [0, 0, 0, 1, 0, 0, 0, 0, 0]
    # Once it is back, it is asked for those alone that have no answer.
    with serving(completion("none"), port=int(url.rpartition(":")[2].split("/")[0])) as server:
        found, codes, _ = flags(url)
        assert len(server.asked) == 6
    assert found == [[], [], [], [], ["truncated"], [], [], [], []]
    assert codes == [1, 0, 0, 0, 1, 0, 0, 0, 0]


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


def test_restricted_text_stays_here_unless_one_says_so_twice(
    monkeypatch: pytest.MonkeyPatch, system: CodeSystem
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    elsewhere = "http://192.0.2.1/v1"

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", never)
    for flags in ({}, {"send_restricted": True}, {"may_send_restricted": True}):
        asked = engine(elsewhere, **flags)
        with pytest.raises(CclearnError, match=r"note \(id = 0\): its text is restricted") as error:
            list(asked.generate(requests(1)))
        named = re.findall(r"(\w+)=true", str(error.value))
        assert engine(elsewhere, **dict.fromkeys(named, True))._may_send
    model = "openai:tiny"
    coder = Coder.load(
        model, system, settings=EngineSettings(base_url=elsewhere, cache=Path("off"))
    )
    with pytest.raises(CclearnError, match=r"note \(id = n\): its text is restricted"):
        coder.code(Note(id="n", text="sepsis"))
    # An example in the prompt is text, too.
    examples = [coder_note(system)]
    coder = Coder.load(
        model,
        system,
        examples=examples,
        settings=EngineSettings(base_url=elsewhere, cache=Path("off")),
    )
    with pytest.raises(CclearnError, match="its text is restricted"):
        coder.code(Note(id="n", text="sepsis", origin="public"))


def coder_note(system: CodeSystem) -> Any:
    return Coder.lexicon(system).code(Note(id="example", text="Sepsis.", origin="restricted"))


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


def test_log_probabilities_become_scores(system: CodeSystem) -> None:
    text = "- İ sepsis => A41.9"
    tokens = [
        {"token": piece, "logprob": -0.5, "bytes": list(piece.encode()), "top_logprobs": []}
        for piece in ("- İ sepsis", " =>", " A41", ".9")
    ]
    with serving(completion(text, logprobs={"content": tokens})) as server:
        settings = EngineSettings(base_url=server.url, log_probabilities=True, cache=Path("off"))
        coder = Coder.load("openai:tiny", system, settings=settings)
        coded = coder.code(Note(id="n", text="İ sepsis today"))
        assert server.asked[0]["logprobs"] is True
    (code,) = coded.codes
    assert code.score == pytest.approx(2.718281828**-1.0)
    assert coder.usage.answer_tokens == 4


def test_what_does_not_ground_is_reported_and_never_repaired(system: CodeSystem) -> None:
    answer = (
        "- Heart failure => I50.9\n- 13 hours => R07.9\n- heart failures => I50.9\n- pain => X99.99"
    )
    with serving(completion(answer)) as server:
        settings = EngineSettings(base_url=server.url, cache=Path("off"))
        coder = Coder.load("openai:tiny", system, settings=settings)
        assert not coder.grounded
        coded = coder.code("heart failure, pain for 12 hours")
    assert [code.code for code in coded.codes] == ["I50.9"]
    assert [(u.code, u.quote) for u in coded.ungrounded] == [
        ("R07.9", "13 hours"),
        ("I50.9", "heart failures"),
    ]
    assert [(i.code, i.status) for i in coded.invalid] == [("X99.99", "unknown")]


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "answers.sqlite"
    failing = [completion("a"), 400, completion("c", finish="length")]
    with serving(lambda body, number: failing[number - 1] if number <= 3 else GOOD) as server:
        asked = CachedEngine(engine(server.url, concurrency=1), path)
        first = list(asked.generate(requests(3)))
        assert [answer.problem for answer in first] == [None, "http_400", None]
        # What failed is asked again; what was answered, even at the limit of tokens, is not.
        again = list(asked.generate(requests(3)))
        assert len(server.asked) == 4
        assert (again[0], again[2]) == (first[0], first[2])
        assert again[1].text == "- heart failure => I50.9"
        asked.close()
        # Other settings, other answers; and another process finds what was kept.
        other = CachedEngine(engine(server.url, concurrency=1, max_new_tokens=5), path)
        list(other.generate(requests(1)))
        assert len(server.asked) == 5
        other.close()
        same = CachedEngine(engine(server.url, concurrency=1), path)
        mixed = list(same.generate([*requests(4), *requests(2)]))
        assert [answer.id for answer in mixed] == ["0", "1", "2", "3", "0", "1"]
        assert len(server.asked) == 6
        assert same.hits == 5
        same.close()
    assert path.stat().st_mode & 0o077 == 0
    broken = tmp_path / "broken.sqlite"
    broken.write_text("this is no database, but it is long enough to be looked at")
    with pytest.raises(CclearnError, match=r"cache \(path = .*broken"):
        CachedEngine(engine("http://127.0.0.1:9/v1"), broken)


def test_known_answers_wait_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cclearn.engines.cache._AT_ONCE", 6)
    taken = 0

    def stream() -> Iterator[Request]:
        nonlocal taken
        for request in requests(40):
            taken += 1
            yield request

    def echo(body: dict[str, Any], number: int) -> dict[str, Any]:
        return completion(body["messages"][-1]["content"].rpartition("note ")[2])

    with serving(echo) as server:
        asked = CachedEngine(engine(server.url, concurrency=2), tmp_path / "answers.sqlite")
        known = [r for r in requests(40) if int(r.id) < 20 or int(r.id) % 3]
        list(asked.generate(known))
        for given, answer in enumerate(asked.generate(stream())):
            assert (answer.id, answer.text) == (str(given), str(given))
            assert taken - given <= 7
        assert taken == given + 1 == 40
        assert asked.hits == len(known)
        assert len(server.asked) == 40
        asked.close()


def test_answers_are_replayed_by_id(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text('{"id": "1", "answer": "x"}\n{"id": "0", "answer": "y", "complete": false}\n')
    replay = load_engine(f"replay:{path}")
    answers = list(replay.generate(requests(3)))
    assert [(a.text, a.complete, a.problem) for a in answers] == [
        ("y", False, None),
        ("x", True, None),
        ("", True, "no_answer"),
    ]
    assert replay.name == "said"
    path.write_text(
        '{"id": "1", "answer": "x"}\n[]\n{"id": 2, "answer": "x"}\n{"id": "1", "answer": ""}\n'
    )
    with pytest.raises(DataError) as error:
        load_engine(f"replay:{path}")
    said = str(error.value)
    assert f"{path}:2:" in said
    assert f"{path}:3:" in said
    assert f"{path}:4: id '1' stands twice" in said


def test_local_answers_are_kept_where_one_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.models import random_engine

    made = random_engine()
    made.model.save_pretrained(tmp_path / "model")
    made.tokenizer.save_pretrained(tmp_path / "model")
    settings = EngineSettings(max_new_tokens=8, cache=tmp_path / "answers.sqlite")
    first = load_engine(str(tmp_path / "model"), settings)
    answers = list(first.generate(requests(3)))
    again = load_engine(str(tmp_path / "model"), settings)
    assert isinstance(again, CachedEngine)
    monkeypatch.setattr(again.engine, "_answer_window", None)
    assert list(again.generate(requests(3))) == answers
    assert again.hits == 3
    first.close()  # type: ignore[attr-defined]
    again.close()
    assert not isinstance(load_engine(str(tmp_path / "model")), CachedEngine)
