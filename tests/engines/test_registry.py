from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cclearn.engines.registry import ModelSpec, load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError


@pytest.mark.parametrize(
    ("name", "engine", "target", "weights", "file"),
    [
        ("lexicon", "lexicon", "", None, None),
        ("runs/x", "transformers", "runs/x", "runs/x", None),
        ("owner/name", "transformers", "owner/name", "owner/name", None),
        ("vllm:runs/x", "vllm", "runs/x", "runs/x", None),
        ("openai:owner/name:v2", "openai", "owner/name:v2", None, None),
        ("replay:answers.jsonl", "replay", "answers.jsonl", None, Path("answers.jsonl")),
        ("spacy:runs/r", "spacy", "runs/r", "runs/r", None),
    ],
)
def test_a_name_is_parsed(
    name: str, engine: str, target: str, weights: str | None, file: Path | None
) -> None:
    spec = ModelSpec.parse(name, recogniser=True)
    assert (spec.name, spec.engine, spec.target) == (name, engine, target)
    assert (spec.weights, spec.file) == (weights, file)
    assert spec.is_lexicon == (name == "lexicon")
    assert spec.is_spacy == (engine == "spacy")
    assert spec.is_remote == (engine == "openai")
    assert spec.needs_gpu == (engine == "vllm")


def test_gpus_are_those_that_the_engine_uses() -> None:
    settings = EngineSettings(tensor_parallel_size=4)
    names = ("lexicon", "runs/x", "vllm:runs/x", "openai:x", "replay:x")
    assert [ModelSpec.parse(name).gpus(settings) for name in names] == [0, 1, 4, 0, 0]


@pytest.mark.parametrize("name", ["gtp:x", "vllm:", "spacy:x", "transformers:x", "C:\\model"])
def test_unknown_prefixes_are_refused(name: str) -> None:
    known = "Use lexicon, openai:NAME, replay:FILE, vllm:MODEL,"
    with pytest.raises(ConfigurationError, match=f"there is no engine .*{known}"):
        ModelSpec.parse(name)


def test_an_existing_folder_wins_over_a_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vllm:x").mkdir()
    assert ModelSpec.parse("vllm:x").engine == "transformers"


def test_paths_are_resolved_and_other_names_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("model", "lexicon"):
        (tmp_path / folder).mkdir()
    (tmp_path / "answers.jsonl").touch()
    names = {
        "model": f"{tmp_path}/model",
        "vllm:model": f"vllm:{tmp_path}/model",
        "spacy:model": f"spacy:{tmp_path}/model",
        "replay:answers.jsonl": f"replay:{tmp_path}/answers.jsonl",
        "openai:model": "openai:model",
        "lexicon": "lexicon",
        "vllm:owner/name": "vllm:owner/name",
    }
    resolved = {name: ModelSpec.parse(name, recogniser=True).resolved() for name in names}
    assert resolved == names


def test_short_names_are_fit_for_files() -> None:
    names = ("lexicon", "runs/x", "vllm:a/b", "openai:a/b", "replay:answers/c.jsonl")
    short = [ModelSpec.parse(name).short_name for name in names]
    assert short == ["lexicon", "x", "b", "b", "c"]


@pytest.mark.parametrize("name", ["replay:none.jsonl", "none", "vllm:./none"])
def test_missing_models_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no such f"):
        load_engine(name)


def test_the_lexicon_is_no_engine() -> None:
    with pytest.raises(ConfigurationError, match="it is no language model"):
        load_engine("lexicon")


def test_needs_are_known_without_loading_torch() -> None:
    code = (
        "import sys; from cclearn.engines.registry import ModelSpec; ModelSpec.parse('x/y').needs_gpu;"
        " ModelSpec.parse('vllm:x/y').needs_gpu; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
