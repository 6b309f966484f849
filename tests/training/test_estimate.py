from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, Qwen3Config, RobertaConfig

from cclearn.baselines.model import PlmConfig
from cclearn.errors import ConfigurationError
from cclearn.training.dry_run import dry_run
from cclearn.training.estimate import estimate_memory, estimate_operations, shape_from_config
from cclearn.training.plm_estimate import plm_shape
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe, packaged_recipes
from cclearn.training.scratch import make_model, make_tokenizer
from cclearn.training.sft import run_sft
from tests.models import SHAPE, rows
from tests.training.configurations import BEFORE, CONFIGURATIONS, LLAMA_8B, devices_of
from tests.training.runs import tiny_recipe

# PEFT asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")


def test_the_size_of_a_known_model() -> None:
    qlora = load_recipe("llama-3.1-8b/sft_qlora")
    shape = shape_from_config(LLAMA_8B, qlora)
    assert shape.parameters == 8_030_261_248  # As its card says.
    assert shape.embedded == 128256 * 4096
    assert shape.quantisable == shape.parameters - 2 * shape.embedded - 65 * 4096
    # Rank 16 beside q, k, v, o, gate, up and down: 16 * (inputs + outputs) each.
    sides = [(4096, 4096), (4096, 1024), (4096, 1024), (4096, 4096)]
    sides += [(4096, 14336), (4096, 14336), (14336, 4096)]
    assert shape.trained == 32 * 16 * sum(map(sum, sides))
    memory = estimate_memory(shape, qlora, "GPU")
    # 6,979,321,856 weights in four bits and 1,050,939,392 in sixteen.
    assert memory.weights == pytest.approx(
        (6_979_321_856 * (0.5 + 1 / 64 + 4 / 16384) + 2 * 1_050_939_392) / 2**30
    )
    assert memory.total < 24
    whole = load_recipe("llama-3.1-8b/sft_qlora", ["adapter.kind=none"])
    weights = estimate_memory(shape_from_config(LLAMA_8B, whole), whole, "GPU").weights
    assert weights == pytest.approx(4 * 8_030_261_248 / 2**30)


def test_tied_embeddings_cost_a_product() -> None:
    config = Qwen3Config(
        vocab_size=1000,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        tie_word_embeddings=True,
    )
    recipe = load_recipe("tiny/sft_scratch")
    shape = shape_from_config(config, recipe)
    assert shape.embedded == 0
    assert shape.trained == shape.parameters
    attention = 2 * 2 * 64 * 100
    assert estimate_operations(shape, recipe, 10, 100.0) == 10 * (
        6 * shape.parameters + 3 * attention
    )


def test_operations_agree_with_the_count_of_torch() -> None:
    """A second count: PyTorch's own, of a forward and backward pass."""
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM

    config = Qwen3Config(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=16,
        tie_word_embeddings=True,
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    ids = torch.randint(0, 512, (1, 128))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    recipe = load_recipe("tiny/sft_scratch")
    shape = shape_from_config(config, recipe)
    estimated = estimate_operations(shape, recipe, 128, 128.0)
    # Eager attention multiplies above the diagonal too; the estimate counts what is useful.
    attention = 128 * 3 * 2.0 * 3 * 64 * 128
    assert counter.get_total_flops() == pytest.approx(estimated + attention, rel=0.05)


def test_a_dry_run_agrees_with_the_run(data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        data,
        tmp_path / "run",
        "training.batching=padded",
        "training.batch_tokens=null",
        "training.batch_size=4",
        "rows.sources.0.share=null",
        "rows.sources.1.share=null",
        "rows.sources.0.repeats=1",
    )
    found = dry_run(recipe)
    assert (found.steps, found.batch) == (6, 4)
    lines = sum(len(path.read_text().splitlines()) for path in recipe.rows.files)
    assert sum(count for _, _, count in found.lengths) == lines
    rows = sum(part.rows for part in found.epoch_rows)
    span, document = found.epoch_rows
    assert (span.kind, span.grade, document.kind) == ("span", "gold", "document")
    assert (span.rows, span.distinct) == (span.distinct, span.rows)
    assert found.times_seen(span) == pytest.approx(24 / rows)
    assert found.epochs == pytest.approx(24 / rows)
    assert found.tokens == pytest.approx(found.epochs * (span.tokens + document.tokens), abs=1)
    assert found.document_tokens is not None
    assert found.tokens < found.document_tokens
    assert not (tmp_path / "run").exists()
    whole = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"steps": None, "epochs": 1})}
    )
    folder = run_sft(whole)
    manifest = json.loads((folder / "manifest.json").read_text())
    counted = dry_run(whole)
    assert manifest["steps"] == counted.steps
    assert manifest["tokens_seen"] == pytest.approx(counted.tokens, rel=0.02)
    assert manifest["parameters"] == counted.shape.parameters
    # The last batch of each of the two epochs is smaller.
    per_epoch = -(-rows // 4)
    assert rows % 4
    twice = {"steps": 2 * per_epoch, "epochs": None}
    longer = recipe.model_copy(update={"training": recipe.training.model_copy(update=twice)})
    assert dry_run(longer).epochs == 2
    only = dry_run(tiny_recipe(data, tmp_path / "x", "rows.order=document_only"))
    assert only.document_tokens == only.tokens
    assert (
        dry_run(tiny_recipe(data, tmp_path / "x", "rows.order=span_only")).document_tokens is None
    )


LABELS = {"mimic3": 8_929, "mimic4_icd9": 11_331, "mimic4_icd10": 7_942, "codiesp": 1_700}
"""Numbers of codes in the training notes, those of MIMIC after Edin et al. 2023."""


@pytest.mark.slow
def test_recipes_state_the_estimated_memory() -> None:
    checked = 0
    for name, path in packaged_recipes().items():
        recipe = load_recipe(path)
        if recipe.model.scratch is not None:
            continue
        base = BEFORE[name.split("/")[0]] if recipe.grpo else str(recipe.model.path)
        if recipe.baseline is None:
            shape = shape_from_config(CONFIGURATIONS[base], recipe)
        else:
            shape = plm_shape(configuration_of_baseline(name, recipe), recipe)
        memory = estimate_memory(shape, recipe, "GPU")
        assert memory.activations is not None
        device = (memory.weights + memory.trained) / devices_of(name) + memory.activations
        assert f"about {device:.1f} GiB" in (recipe.memory or ""), name
        checked += 1
    assert checked == 29


def configuration_of_baseline(name: str, recipe: Recipe) -> PlmConfig:
    """Return the configuration of a baseline with as many labels as its corpus has."""
    assert recipe.baseline is not None
    encoder = RobertaConfig(vocab_size=50_265, max_position_embeddings=514)
    if name.endswith("codiesp"):
        encoder = BertConfig(
            hidden_size=384,
            num_hidden_layers=6,
            num_attention_heads=12,
            intermediate_size=1_536,
        )
    return PlmConfig(
        encoder=encoder.to_dict(),
        head=recipe.baseline.head,
        codes=[str(label) for label in range(LABELS[name.split("/")[1]])],
        chunk=recipe.baseline.chunk,
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_attention_heads", 0), ("hidden_size", -8), ("layer_types", ["x"]), ("hidden_act", "x")],
)
def test_a_configuration_that_describes_no_model_is_refused(
    data: Path, tmp_path: Path, key: str, value: object
) -> None:
    base = tmp_path / "base"
    tokenizer = make_tokenizer(rows(), SHAPE.vocabulary)
    make_model(SHAPE, tokenizer, max_length=512).save_pretrained(base)
    tokenizer.save_pretrained(base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, key: value}))
    model = ("model.scratch=null", f"model.path={json.dumps(str(base))}", "rows.overflow=window")
    with pytest.raises(ConfigurationError, match=r"cannot be loaded: a file of it is .* damaged"):
        dry_run(tiny_recipe(data, tmp_path / "run", *model))
