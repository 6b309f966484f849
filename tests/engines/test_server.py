from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.identity import coder_manifest
from cclearn.coding.settings import CoderSettings
from cclearn.engines import Request
from cclearn.engines.cache import CachedEngine
from cclearn.engines.openai import OpenAIEngine
from cclearn.engines.registry import load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError
from cclearn.prompts import document_prompt
from tests.engines.servers import Server, completion, serving

ASKED = [Request("n", document_prompt("Sepsis."), origin="synthetic")]


def entry(**fields: Any) -> dict[str, Any]:
    """Return what vLLM says of a model; its times and permissions are those of the request."""
    entry.asked += 1  # type: ignore[attr-defined]
    volatile = {"created": entry.asked, "permission": [{"id": f"p{entry.asked}"}]}  # type: ignore[attr-defined]
    return {"id": "tiny", "object": "model", "owned_by": "vllm", **volatile, **fields}


entry.asked = 0  # type: ignore[attr-defined]


def fingerprint(server: Server) -> str:
    return OpenAIEngine("tiny", base_url=server.url).model_sha256


def hits(server: Server, path: Path | None = None) -> tuple[int, str]:
    """Return how many answers came from the cache, and the answer."""
    settings = EngineSettings(base_url=server.url, retries=0, cache=path or Path("auto"))
    engine = load_engine("openai:tiny", settings)
    assert isinstance(engine, CachedEngine)
    (answer,) = engine.generate(ASKED)
    engine.close()
    return engine.hits, answer.text


def test_a_fingerprint_is_of_what_stays(tmp_path: Path) -> None:
    with serving(completion("none")) as server:
        assert fingerprint(server) == ""
        found = []
        for fields in (
            {"root": "owner/one"},
            {"root": "owner/two"},
            {"root": "owner/two", "max_model_len": 512},
        ):
            server.models = [entry(id="other"), entry(**fields)]
            found.append(fingerprint(server))
            server.models = [entry(**fields)]
            assert fingerprint(server) == found[-1]
        assert len(set(found)) == 3
        assert all(len(digest) == 64 for digest in found)
        # Who listens on loopback is not known, nor what lies in folders of another file system.
        for said in ([], [entry()], [entry(root="/gone/model")], [entry(id="other")], ["tiny"]):
            server.models = said  # type: ignore[assignment]
            assert fingerprint(server) == ""


@pytest.mark.parametrize(
    ("owner", "sent"),
    [
        ("vllm", {"chat_template_kwargs", "stop_token_ids"}),
        ("sglang", {"chat_template_kwargs", "stop_token_ids"}),
        ("llamacpp", {"chat_template_kwargs"}),
        ("openai", set()),
    ],
)
def test_a_server_is_sent_the_fields_that_it_takes(
    tmp_path: Path, owner: str, sent: set[str]
) -> None:
    (tmp_path / "manifest.json").write_text('{"end_of_turn_id": 106}')
    with serving(completion("none")) as server:
        server.models = [entry(root=str(tmp_path), owned_by=owner)]
        engine = OpenAIEngine("tiny", base_url=server.url)
        list(engine.generate(ASKED))
        (body,) = server.asked
        extra = {"chat_template_kwargs": {"enable_thinking": False}, "stop_token_ids": [106]}
        assert {key: body[key] for key in extra if key in body} == {key: extra[key] for key in sent}
        identity = engine.identity
        # The end of a turn is known only of a folder that a recipe wrote.
        (tmp_path / "manifest.json").write_text("{}")
        assert engine.identity != identity
        list(engine.generate(ASKED))
        assert "stop_token_ids" not in server.asked[-1]
        assert ("chat_template_kwargs" in server.asked[-1]) == bool(sent)


def test_a_server_without_a_list_of_models_is_sent_openais_fields_alone() -> None:
    with serving(completion("none")) as server:
        list(OpenAIEngine("tiny", base_url=server.url).generate(ASKED))
        assert set(server.asked[0]) == {
            *("model", "messages", "max_completion_tokens", "temperature", "seed")
        }


def test_files_that_a_server_on_this_machine_runs_are_hashed(tmp_path: Path) -> None:
    folder, file = tmp_path / "model", tmp_path / "model.gguf"
    folder.mkdir()
    with serving(completion("none")) as server:
        for root, weights in ((folder, folder / "model.safetensors"), (file, file)):
            weights.write_text("one")
            server.models = [entry(root=str(root))]
            before = fingerprint(server)
            assert before == fingerprint(server) != ""
            weights.write_text("two")
            assert fingerprint(server) != before


def test_a_second_model_behind_the_same_port_is_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path))
    named = tmp_path / "named.sqlite"
    with serving(lambda body, number: completion(f"answer {number}")) as server:
        server.models = [entry(root="owner/one")]
        assert [hits(server), hits(server)] == [(0, "answer 1"), (1, "answer 1")]
        server.models = [entry(root="owner/two")]
        assert [hits(server), hits(server)] == [(0, "answer 2"), (1, "answer 2")]
        # One that does not say which weights it runs is trusted where the cache is named alone.
        server.models = [entry()]
        assert [hits(server), hits(server)] == [(0, "answer 3"), (0, "answer 4")]
        assert [hits(server, named), hits(server, named)] == [(0, "answer 5"), (1, "answer 5")]
        server.models = [entry(root="owner/one")]
        assert [hits(server), hits(server, named)] == [(1, "answer 1"), (0, "answer 6")]


def test_a_model_that_changes_while_an_engine_lives_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path))
    with serving(lambda body, number: completion(f"answer {number}")) as server:
        server.models = [entry(root="owner/one")]
        engine = load_engine("openai:tiny", EngineSettings(base_url=server.url))
        assert [answer.text for answer in engine.generate(ASKED)] == ["answer 1"]
        server.models = [entry(root="owner/two")]
        assert [answer.text for answer in engine.generate(ASKED)] == ["answer 2"]
        engine.close()  # type: ignore[attr-defined]


def test_calibrations_and_bulk_runs_know_the_model_behind_a_server(
    tmp_path: Path, system: CodeSystem
) -> None:
    hashes = []
    with serving(completion("none")) as server:
        engine = EngineSettings(base_url=server.url, cache=Path("off"))
        settings = CoderSettings(model="openai:tiny", engine=engine)
        for root in ("owner/one", "owner/two"):
            server.models = [entry(root=root)]
            coder = Coder.load("openai:tiny", system, engine=engine)
            found = coder.identity.model_sha256
            manifest = coder_manifest(settings, system)
            assert manifest["coder"]["sha256"] == {"model server": found}
            hashes.append(found)
    assert len(set(hashes)) == 2
    with pytest.raises(CclearnError, match="its server does not answer") as caught:
        coder_manifest(settings, system)
    assert "\n" not in str(caught.value)


def test_a_file_of_answers_is_known_by_its_content(tmp_path: Path, system: CodeSystem) -> None:
    hashes = set()
    for answer in ("none", "- sepsis => A41.9"):
        path = tmp_path / "answers.jsonl"
        path.write_text(f'{{"id": "n", "answer": "{answer}"}}\n')
        hashes.add(Coder.load(f"replay:{path}", system).identity.model_sha256)
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("value", "problem"), [(float("nan"), "not_finite"), ("x", "unreadable_response")]
)
def test_log_probabilities_that_are_no_numbers_give_no_answer(value: object, problem: str) -> None:
    token = {"token": "x", "logprob": value, "bytes": None, "top_logprobs": []}
    with serving(completion("x", logprobs={"content": [token]})) as server:
        engine = OpenAIEngine("tiny", base_url=server.url, retries=0, log_probabilities=True)
        (answer,) = engine.generate(ASKED)
    assert (answer.text, answer.problem) == ("", problem)


def test_a_kept_answer_that_is_not_finite_is_asked_for_again(tmp_path: Path) -> None:
    with serving(completion("none")) as server:
        engine = CachedEngine(OpenAIEngine("tiny", base_url=server.url), tmp_path / "a.sqlite")
        (whole,) = engine.generate(ASKED)
        (row,) = engine._answers.execute("SELECT answer FROM answers").fetchone()
        piece = {"start": 0, "end": 4, "log_probability": float("nan")}
        damaged = json.dumps({**json.loads(row), "pieces": [piece]})
        engine._answers.execute("UPDATE answers SET answer = ?", (damaged,))
        assert list(engine.generate(ASKED)) == [whole]
        assert (engine.hits, len(server.asked)) == (0, 2)
        engine.close()
