"""Coders over a model behind a server: what is asked, flagged and scored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError
from cclearn.notes import Note
from tests.engines.servers import completion, engine, requests, serving

pytestmark = pytest.mark.usefixtures("openai_environment")


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
        coder = Coder.load("openai:tiny", system, engine=settings)
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
    coder = Coder.load(model, system, engine=EngineSettings(base_url=elsewhere, cache=Path("off")))
    with pytest.raises(CclearnError, match=r"note \(id = n\): its text is restricted"):
        coder.code(Note(id="n", text="sepsis"))
    # An example in the prompt is text, too.
    examples = [coder_note(system)]
    coder = Coder.load(
        model,
        system,
        examples=examples,
        engine=EngineSettings(base_url=elsewhere, cache=Path("off")),
    )
    with pytest.raises(CclearnError, match="its text is restricted"):
        coder.code(Note(id="n", text="sepsis", origin="public"))


def coder_note(system: CodeSystem) -> Any:
    return Coder.lexicon(system).code(Note(id="example", text="Sepsis.", origin="restricted"))


def test_log_probabilities_become_scores(system: CodeSystem) -> None:
    text = "- İ sepsis => A41.9"
    tokens = [
        {"token": piece, "logprob": -0.5, "bytes": list(piece.encode()), "top_logprobs": []}
        for piece in ("- İ sepsis", " =>", " A41", ".9")
    ]
    with serving(completion(text, logprobs={"content": tokens})) as server:
        settings = EngineSettings(base_url=server.url, log_probabilities=True, cache=Path("off"))
        coder = Coder.load("openai:tiny", system, engine=settings)
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
        coder = Coder.load("openai:tiny", system, engine=settings)
        assert not coder.grounded
        coded = coder.code("heart failure, pain for 12 hours")
    assert [code.code for code in coded.codes] == ["I50.9"]
    assert [(u.code, u.quote) for u in coded.ungrounded] == [
        ("R07.9", "13 hours"),
        ("I50.9", "heart failures"),
    ]
    assert [(i.code, i.status) for i in coded.invalid] == [("X99.99", "unknown")]
