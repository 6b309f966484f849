from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.models import load_model, load_tokenizer, model_hash
from cclearn.notes import Note
from cclearn.prompts import document_prompt
from cclearn.prompts.encoding import encode_prompt
from cclearn.training.merge import merge_adapter
from cclearn.training.sft import run_sft
from cclearn.weights import RECORDED, RECORDED_BASE, sha256_of_weights
from tests.training.runs import adapting, losses, tiny_recipe

# PEFT asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

LONG = ("training.steps=20", "training.learning_rate=1e-2", "training.batch_tokens=1024")


KINDS = ["lora", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("dora", "qlora"))]


class Adapters(dict[str, Path]):
    """The folder of an adapter of each kind, which is trained when it is first asked for."""

    def __init__(self, data: Path, base: Path, folder: Path) -> None:
        self._data, self._base, self._folder = data, base, folder

    def __missing__(self, kind: str) -> Path:
        settings = adapting(self._base, kind, *LONG)
        self[kind] = run_sft(tiny_recipe(self._data, self._folder / kind, *settings))
        return self[kind]


@pytest.fixture(scope="module")
def adapters(data: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Adapters:
    return Adapters(data, run, tmp_path_factory.mktemp("adapters"))


def logits(name: Path, prompt: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        model = load_model(str(name), dtype=torch.float32).eval()
        return torch.as_tensor(model(input_ids=prompt, use_cache=False).logits[0].float())


@pytest.fixture(scope="module")
def prompt(run: Path) -> torch.Tensor:
    tokenizer = load_tokenizer(str(run))
    return torch.tensor([encode_prompt(tokenizer, document_prompt("Acute NSTEMI.\nNo stroke."))])


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_learns_and_is_saved_without_its_base(
    adapters: Adapters, run: Path, prompt: torch.Tensor, kind: str
) -> None:
    folder = adapters[kind]
    seen = [loss for _, loss in losses(folder)]
    assert seen[-1] < 0.95 * seen[0]
    assert (folder / "adapter_model.safetensors").exists()
    assert not (folder / "model.safetensors").exists()
    assert not [p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pkl")]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest[RECORDED] == sha256_of_weights(folder)
    assert manifest[RECORDED_BASE] == sha256_of_weights(run)
    weights = load_file(folder / "adapter_model.safetensors")
    assert manifest["trained_parameters"] == sum(w.numel() for w in weights.values())
    assert manifest["trained_parameters"] < 0.5 * manifest["parameters"]
    card = (folder / "README.md").read_text()
    assert "library_name: peft" in card
    assert f"adapter `{kind}`" in card
    moved = (logits(folder, prompt) - logits(run, prompt)).abs().max()
    assert moved > 0.1


def test_the_base_model_of_qlora_is_stored_in_4_bits(
    data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cclearn.training import sft

    seen = []
    start = sft.initial_model

    def spy(*args: object) -> object:
        seen.append(start(*args))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(sft, "initial_model", spy)
    run_sft(tiny_recipe(data, tmp_path / "q", *adapting(run, "qlora", "training.steps=1")))
    (model,) = seen
    kinds = {type(module).__name__ for module in model.modules()}
    assert "Linear4bit" in kinds
    stored = model.model.layers[0].mlp.up_proj
    stored = getattr(stored, "base_layer", stored).weight
    assert stored.dtype == torch.uint8
    assert stored.quant_state.quant_type == "nf4"
    assert stored.quant_state.nested


def test_the_coder_loads_an_adapter(adapters: Adapters, system: CodeSystem) -> None:
    coder = Coder.load(adapters["lora"], system)
    coder.engine.max_new_tokens = 32  # type: ignore[attr-defined]
    coded = coder.code(Note(id="n", text="Acute NSTEMI."))
    assert not coded.invalid
    assert not coded.ungrounded


@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_model_is_close_to_base_and_adapter(
    adapters: Adapters, run: Path, prompt: torch.Tensor, tmp_path: Path, kind: str
) -> None:
    moved, lost = merge_adapter(adapters[kind], tmp_path / "merged")
    assert lost < 0.1 * moved
    assert load_file(tmp_path / "merged" / "model.safetensors").popitem()[1].dtype == torch.bfloat16
    base = load_model(str(run), dtype=torch.float32).eval()
    with torch.inference_mode():
        beside = PeftModel.from_pretrained(base, str(adapters[kind])).eval()(input_ids=prompt)
    difference = (logits(tmp_path / "merged", prompt) - beside.logits[0]).abs().mean()
    assert difference < 0.2 * (logits(run, prompt) - beside.logits[0]).abs().mean()
    manifest = json.loads((tmp_path / "merged" / "manifest.json").read_text())
    assert manifest["merged"]["lost"] == lost
    assert manifest["merged"]["base_sha256"] == model_hash(run)
    assert manifest[RECORDED] == sha256_of_weights(tmp_path / "merged")
    assert manifest[RECORDED] != sha256_of_weights(adapters[kind])
    assert manifest["rows_sha256"]


def test_what_cannot_be_merged_is_refused(adapters: Adapters, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"it contains no adapter_config\.json"):
        merge_adapter(run, tmp_path / "a")
    broken = tmp_path / "broken"
    broken.mkdir()
    settings = (adapters["lora"] / "adapter_config.json").read_text()
    (broken / "adapter_config.json").write_text(settings)
    with pytest.raises(ConfigurationError, match=r"has no adapter_model\.safetensors"):
        merge_adapter(broken, tmp_path / "a")
    # An adapter so small that rounding to bf16 swallows it.
    weights = load_file(adapters["lora"] / "adapter_model.safetensors")
    save_file(
        {name: weight * 0.03 for name, weight in weights.items()},
        broken / "adapter_model.safetensors",
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (adapters["lora"] / name).exists():
            (broken / name).write_bytes((adapters["lora"] / name).read_bytes())
    with pytest.raises(CclearnError, match="most of its effect would be lost"):
        merge_adapter(broken, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(ConfigurationError, match="it is the folder of the adapter or of its base"):
        merge_adapter(adapters["lora"], adapters["lora"], overwrite=True)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(CclearnError, match="--overwrite"):
        merge_adapter(adapters["lora"], tmp_path / "taken")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora", "dora", "qlora"])
def test_an_adapted_run_is_resumed_after_an_interrupt(
    data: Path, run: Path, tmp_path: Path, kind: str
) -> None:
    settings = adapting(run, kind, "training.steps=4", "training.save_every=2")
    whole = run_sft(tiny_recipe(data, tmp_path / "whole", *settings))
    from cclearn.training import trainer as trainers

    publish = trainers.publish_checkpoint

    def stop(*args: object, **named: object) -> None:
        publish(*args, **named)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainers, "publish_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            run_sft(tiny_recipe(data, tmp_path / "run", *settings))
    run_sft(tiny_recipe(data, tmp_path / "run", *settings), resume="auto")
    name = "adapter_model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()
    assert {weight.dtype for weight in load_file(whole / name).values()} == {torch.float32}


def test_an_adapter_is_not_adapted_again(data: Path, adapters: Adapters, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"it is an adapter itself\. Merge it first"):
        run_sft(tiny_recipe(data, tmp_path / "run", *adapting(adapters["lora"], "lora")))


def test_in_16_bits_an_adapter_is_not_merged(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    merged = load_model(str(adapters["lora"]), dtype=torch.float32)
    assert not isinstance(merged, PeftModel)
    beside = load_model(str(adapters["lora"]), dtype=torch.bfloat16)
    assert isinstance(beside, PeftModel)
    # A relative base is found from anywhere.
    folder = tmp_path / "runs" / "adapter"
    folder.parent.mkdir()
    shutil.copytree(adapters["lora"], folder)
    settings = json.loads((folder / "adapter_config.json").read_text())
    shutil.copytree(settings["base_model_name_or_path"], tmp_path / "runs" / "base")
    settings["base_model_name_or_path"] = "runs/base"
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    monkeypatch.chdir(adapters["lora"])
    load_model(str(folder), dtype=torch.float32)


def test_a_tokenizer_that_cannot_be_saved_is_one_line(adapters: Adapters, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(adapters["lora"], broken)
    fields = json.loads((broken / "tokenizer_config.json").read_text())
    # JSON allows half of a surrogate pair; a file of UTF-8 cannot hold it.
    (broken / "tokenizer_config.json").write_text(json.dumps({**fields, "note": "\ud800"}))
    with pytest.raises(CclearnError, match=r"its tokenizer cannot be saved \(UnicodeEncodeError"):
        merge_adapter(broken, tmp_path / "merged")
    assert not list(tmp_path.glob("*merged*"))
