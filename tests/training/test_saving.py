from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import GenerationConfig

from cclearn.codes import CodeSystem
from cclearn.models import load_model, load_tokenizer
from cclearn.training import trainer as trainers
from cclearn.training.merge import merge_adapter
from cclearn.training.sft import make_job, run_sft
from cclearn.weights import RECORDED, sha256_of_weights
from tests.training.runs import adapting, tiny_recipe

# PEFT asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

REASONING = "{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}"


@pytest.fixture(scope="module")
def chat_model(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reasons by default, samples, and whose eos_token does not end a turn."""
    folder = tmp_path_factory.mktemp("chat") / "model"
    model, tokenizer = load_model(str(run)), load_tokenizer(str(run))
    tokenizer.chat_template += "{% if add_generation_prompt %}" + REASONING + "{% endif %}"
    tokenizer.eos_token = "<|user|>"
    model.config.eos_token_id = tokenizer.eos_token_id
    model.generation_config = GenerationConfig(
        eos_token_id=[tokenizer.eos_token_id],
        do_sample=True,
        temperature=0.6,
        repetition_penalty=1.3,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def check_served(folder: Path, run: Path) -> None:
    """Check that a server writes and ends the turns of a saved tokenizer as cclearn does."""
    tokenizer, end = load_tokenizer(str(folder)), load_tokenizer(str(run)).eos_token_id
    assert tokenizer.eos_token_id == end
    assert tokenizer.pad_token_id != end
    turns = [{"role": "user", "content": "x"}]
    for arguments in ({}, {"enable_thinking": True}):
        rendered = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, **arguments
        )
        assert rendered == "<|user|>x<|assistant|>"


def check_generation(folder: Path, run: Path) -> None:
    """Check that a server decodes greedily until the end of the turn."""
    end = load_tokenizer(str(run)).eos_token_id
    settings = json.loads((folder / "generation_config.json").read_text())
    assert settings["eos_token_id"] == end
    assert not settings.get("do_sample")
    assert not {"temperature", "repetition_penalty"} & set(settings)
    assert json.loads((folder / "config.json").read_text())["eos_token_id"] == end


def test_a_trained_model_has_what_a_server_needs(
    data: Path, run: Path, chat_model: Path, tmp_path: Path
) -> None:
    settings = adapting(chat_model, "none", "training.steps=2", "training.save_every=1")
    folder = run_sft(tiny_recipe(data, tmp_path / "run", *settings))
    check_served(folder, run)
    check_generation(folder, run)
    end = load_tokenizer(str(run)).eos_token_id
    assert json.loads((folder / "manifest.json").read_text())["end_of_turn_id"] == end


def test_an_adapter_and_its_merged_model_have_what_a_server_needs(
    data: Path, run: Path, chat_model: Path, tmp_path: Path
) -> None:
    more = ("training.steps=40", "training.learning_rate=1e-2", "training.batch_tokens=1024")
    adapter = run_sft(tiny_recipe(data, tmp_path / "run", *adapting(chat_model, "lora", *more)))
    check_served(adapter, run)
    # An adapter of an earlier version has the tokenizer of its base.
    for name in ("tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(chat_model / name, adapter / name)
    merge_adapter(adapter, tmp_path / "merged")
    check_served(tmp_path / "merged", run)
    check_generation(tmp_path / "merged", run)


@pytest.mark.parametrize("eos", ["<|end|>", pytest.param("<|user|>", marks=pytest.mark.slow)])
def test_padding_never_hides_the_end_of_a_turn(
    data: Path, run: Path, chat_model: Path, tmp_path: Path, system: CodeSystem, eos: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(chat_model, model)
    tokenizer = load_tokenizer(str(model))
    tokenizer.eos_token, tokenizer.pad_token = eos, None
    tokenizer.save_pretrained(model)
    for batching in ("grouped", "packed"):
        settings = (
            f"training.batching={batching}",
            "training.batch_tokens=1024",
            "training.steps=1",
        )
        recipe = tiny_recipe(data, tmp_path / "run", *adapting(model, "lora", *settings))
        job = make_job(recipe, system)
        trainer = job.make_trainer(tmp_path / "trainer", [])
        end = job.tokenizer.eos_token_id
        rows = []
        for batch in islice(trainer.get_train_dataloader(), 20):
            ends = (batch["labels"] == end).sum()
            # A row of a batch, or of a pack, ends with a supervised end of a turn.
            starts = batch["input_ids"] == job.tokenizer.convert_tokens_to_ids("<|assistant|>")
            assert ends == starts.sum()
            rows.append(int(ends))
        assert max(rows) > 1


def dtypes(folder: Path) -> set[torch.dtype]:
    return {weight.dtype for weight in load_file(folder / "model.safetensors").values()}


def test_a_model_that_was_stored_in_bf16_is_saved_in_bf16(
    data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "base"
    shutil.copytree(run, base)
    (base / "manifest.json").unlink()
    load_model(str(run), dtype=torch.bfloat16).save_pretrained(base)
    checkpoints: list[set[torch.dtype]] = []
    publish = trainers.publish_checkpoint

    def spy(written: Path, *arguments: Any) -> None:
        checkpoints.append(dtypes(written))
        publish(written, *arguments)

    monkeypatch.setattr(trainers, "publish_checkpoint", spy)
    settings = adapting(base, "none", "training.steps=2", "training.save_every=1")
    folder = run_sft(tiny_recipe(data, tmp_path / "run", *settings))
    assert dtypes(folder) == {torch.bfloat16}
    assert checkpoints == [{torch.float32}]  # A resumed run continues exactly.
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["dtype"] == "bfloat16"
    assert manifest[RECORDED] == sha256_of_weights(folder)
    # The tied output layer is stored once.
    assert set(load_file(folder / "model.safetensors")) == set(
        load_file(base / "model.safetensors")
    )


def test_other_models_are_saved_in_the_precision_of_their_training(
    data: Path, run: Path, tmp_path: Path
) -> None:
    assert dtypes(run) == {torch.float32}
    assert json.loads((run / "manifest.json").read_text())["dtype"] == "float32"
    for kind, stored in (("none", "model"), ("lora", "adapter_model")):
        settings = adapting(run, kind, "training.steps=1")
        folder = run_sft(tiny_recipe(data, tmp_path / kind, *settings))
        weights = load_file(folder / f"{stored}.safetensors").values()
        assert {weight.dtype for weight in weights} == {torch.float32}
        assert json.loads((folder / "manifest.json").read_text())["dtype"] == "float32"


def test_gathered_weights_are_rounded_too(
    data: Path, run: Path, tmp_path: Path, system: CodeSystem
) -> None:
    recipe = tiny_recipe(data, tmp_path / "run", *adapting(run, "none"))
    trainer = make_job(recipe, system).make_trainer(tmp_path / "trainer", [])
    gathered = trainer.model.state_dict()
    trainer._final_dtype = torch.bfloat16
    trainer._save(str(tmp_path / "saved"), gathered)
    assert dtypes(tmp_path / "saved") == {torch.bfloat16}
    assert set(load_file(tmp_path / "saved" / "model.safetensors")) == set(
        load_file(run / "model.safetensors")
    )
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["dtype"] == "bfloat16"
