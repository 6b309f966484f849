from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.identity import coder_manifest, difference
from cclearn.coding.settings import CoderSettings
from cclearn.engines.local import LocalEngine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.models import load_model, load_tokenizer
from cclearn.notes import Note
from cclearn.runtime.files import sha256_of_text
from cclearn.training.dry_run import dry_run
from cclearn.training.initial_model import adapter_config
from cclearn.training.sft import make_job, run_sft
from tests.training.runs import adapting, tiny_recipe

# PEFT asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def base(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without a chat template."""
    folder = tmp_path_factory.mktemp("base") / "base"
    shutil.copytree(run, folder)
    (folder / "chat_template.jinja").unlink()
    (folder / "manifest.json").unlink()
    assert load_tokenizer(str(folder)).chat_template is None
    return folder


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "mine.jinja"
    file.write_text(TEMPLATE)
    return file


@pytest.mark.parametrize("kind", ["none", "lora"])
def test_a_base_model_is_trained_with_a_template_that_is_saved(
    data: Path, base: Path, template: Path, tmp_path: Path, system: CodeSystem, kind: str
) -> None:
    settings = adapting(base, kind, "training.steps=1")
    with pytest.raises(ConfigurationError, match=r"it has none\. Set model\.chat_template"):
        run_sft(tiny_recipe(data, tmp_path / "run", *settings))
    chosen = f"model.chat_template={template}"
    folder = run_sft(tiny_recipe(data, tmp_path / "run", *settings, chosen))
    assert load_tokenizer(str(folder)).chat_template == TEMPLATE
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["chat_template_sha256"] == sha256_of_text(TEMPLATE)
    coder = Coder.load(folder, system, engine=EngineSettings(max_new_tokens=8))
    assert not coder.code(Note(id="n", text="Acute NSTEMI.")).ungrounded


def test_a_template_of_a_recipe_is_refused_on_one_line(
    data: Path, base: Path, tmp_path: Path
) -> None:
    settings = adapting(base, "lora", "training.steps=1", "model.chat_template=gemma")
    with pytest.raises(
        ConfigurationError, match=r"^model\.chat_template \(gemma\): the tokenizer has"
    ):
        run_sft(tiny_recipe(data, tmp_path / "run", *settings))
    with pytest.raises(ConfigurationError, match="a model with random weights has its own"):
        tiny_recipe(data, tmp_path / "run", "model.chat_template=gemma")


def test_a_base_model_codes_with_a_template(
    base: Path, template: Path, tmp_path: Path, system: CodeSystem
) -> None:
    with pytest.raises(ConfigurationError, match="--engine chat_template=NAME"):
        LocalEngine.load(base)
    other = tmp_path / "other.jinja"
    other.write_text(TEMPLATE.replace("<|end|>", "<|end|>\n"))
    hashes = set()
    for file in (template, other):
        engine = EngineSettings(chat_template=str(file), max_new_tokens=8)
        coder = Coder.load(base, system, engine=engine)
        assert not coder.code(Note(id="n", text="Acute NSTEMI.")).ungrounded
        hashes.add(coder.identity.model_sha256)
    assert len(hashes) == 2
    # The manifest of a coder has the template's content, not only its path.
    settings = CoderSettings(str(base), engine=EngineSettings(chat_template=str(other)))
    before = coder_manifest(settings, system)
    other.write_text(TEMPLATE)
    (changed,) = difference(before, coder_manifest(settings, system))
    assert changed.key == "coder.chat_template_sha256"


@pytest.fixture(scope="module")
def sees_images(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with an encoder of images, as Gemma 3 has from 4 billion weights on."""
    folder = tmp_path_factory.mktemp("images") / "model"
    tokenizer = load_tokenizer(str(run))
    special = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = Gemma3Config(
        text_config={
            **{"vocab_size": len(tokenizer) + 1, "hidden_size": 32, "intermediate_size": 64},
            **{"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1},
            **{"head_dim": 16, "max_position_embeddings": 2048, "bos_token_id": None, **special},
        },
        vision_config={
            **{"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1},
            **{"num_attention_heads": 2, "image_size": 28, "patch_size": 14},
        },
        mm_tokens_per_image=4,
        image_token_index=len(tokenizer),
        **special,
    )
    torch.manual_seed(0)
    Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("targets", ["all-linear", "[q_proj, v_proj]", "[down_proj]"])
@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_an_encoder_of_images_is_not_adapted(
    data: Path, sees_images: Path, tmp_path: Path, system: CodeSystem, kind: str, targets: str
) -> None:
    settings = adapting(sees_images, kind, f"adapter.targets={targets}")
    recipe = tiny_recipe(data, tmp_path / "run", *settings)
    model = make_job(recipe, system).make_trainer(tmp_path / "trainer", []).model
    adapted = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert adapted
    assert all(".language_model.layers." in name for name in adapted)


def test_a_language_model_alone_excludes_nothing(data: Path, run: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(data, tmp_path / "run", *adapting(run, "lora"))
    config = adapter_config(recipe, load_model(str(run)))
    assert config is not None
    assert config.exclude_modules is None


@pytest.mark.parametrize("kind", ["none", "lora"])
def test_a_model_with_an_encoder_of_images_is_trained_and_codes(
    data: Path, sees_images: Path, tmp_path: Path, system: CodeSystem, kind: str
) -> None:
    settings = adapting(sees_images, kind, "training.steps=2", "training.batching=grouped")
    folder = run_sft(tiny_recipe(data, tmp_path / "run", *settings))
    coder = Coder.load(folder, system, engine=EngineSettings(max_new_tokens=8))
    assert not coder.code(Note(id="n", text="Acute NSTEMI.")).ungrounded
    run_dry = dry_run(tiny_recipe(data, tmp_path / "dry", *settings))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert run_dry.shape.trained == manifest["trained_parameters"]
