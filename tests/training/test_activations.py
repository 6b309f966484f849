from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import get_peft_model
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    PretrainedConfig,
    Qwen3Config,
)

from cclearn.training.activations import measure_activations
from cclearn.training.estimate import estimate_memory, shape_from_config
from cclearn.training.initial_model import adapter_config
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe

# PEFT asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

SHAPE: dict[str, Any] = {
    **{"vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16},
}
CONFIGS = {
    "llama": LlamaConfig(**SHAPE),
    "qwen3": Qwen3Config(**SHAPE, tie_word_embeddings=True),
    "gemma3": Gemma3TextConfig(**SHAPE),
}


def recipe_of(adapter: str, *more: str) -> Recipe:
    settings = ["training.max_length=64", "training.batch_tokens=128", f"adapter.kind={adapter}"]
    return load_recipe("gemma-3-270m/sft_lora", [*settings, *more])


def kept_by_a_real_pass(config: PretrainedConfig, recipe: Recipe, in_bf16: bool) -> int:
    """A second measurement: the tensors that a forward pass with weights keeps, counted as they are."""
    torch.manual_seed(0)
    frozen = torch.bfloat16 if in_bf16 and recipe.adapter.kind != "none" else torch.float32
    model = AutoModelForCausalLM.from_config(config, dtype=frozen)
    settings = adapter_config(recipe, model)
    if settings is not None:
        get_peft_model(model, settings)  # It changes the model.
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in own:
            kept[address] = tensor
        return tensor

    ids = torch.arange(128).reshape(2, 64)
    mask = torch.ones_like(ids)
    mask[1, 60:] = 0  # With padding, keys and values are repeated for all heads.
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=in_bf16),
    ):
        model.train().get_decoder()(input_ids=ids, attention_mask=mask, use_cache=False)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("in_bf16", [True, False])
@pytest.mark.parametrize("adapter", ["none", "lora"])
@pytest.mark.parametrize("name", CONFIGS)
def test_activations_are_those_of_a_real_pass(name: str, adapter: str, in_bf16: bool) -> None:
    recipe, config = recipe_of(adapter), CONFIGS[name]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        settings = adapter_config(recipe, model)
        if settings is not None:
            get_peft_model(model, settings)
    found = measure_activations(model, recipe, in_bf16)
    assert found is not None
    assert found.kept == pytest.approx(kept_by_a_real_pass(config, recipe, in_bf16), rel=0.02)
    # Trained embeddings have 32 bits, and so has what is added to them.
    assert found.hidden == 128 * 64 * (2 if in_bf16 and adapter == "lora" else 4)


def test_memory_grows_with_the_batch_and_not_with_checkpointing() -> None:
    def activations(*settings: str) -> float:
        recipe = recipe_of("lora", *settings)
        memory = estimate_memory(shape_from_config(CONFIGS["llama"], recipe), recipe, "GPU")
        assert memory.activations is not None
        return memory.activations

    one, two = activations(), activations("training.batch_tokens=256")
    assert activations("training.batch_tokens=127") == pytest.approx(one, rel=0.05)
    assert activations("training.attention=eager") > one
    assert two == pytest.approx(2 * one, rel=0.1)
    assert activations("training.gradient_checkpointing=true") < 0.9 * one


def test_on_a_cpu_the_process_and_copies_of_the_output_layer_are_added() -> None:
    recipe = recipe_of("none", "training.precision=auto")
    shape = shape_from_config(CONFIGS["llama"], recipe)
    gpu, cpu = (estimate_memory(shape, recipe, device, 0.75) for device in ("GPU", "CPU"))
    assert (gpu.precision, cpu.precision) == ("bf16", "fp32")
    assert (gpu.process, cpu.process) == (0, 0.75)
    assert gpu.activations is not None
    assert cpu.activations is not None
    assert cpu.activations > gpu.activations
    assert cpu.total == cpu.weights + cpu.trained + cpu.activations + 0.75


def test_activations_that_depend_on_the_batch_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.llama.modeling_llama import LlamaMLP

    def routed(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        chosen = hidden[hidden[..., 0] > 0]  # As a mixture of experts chooses tokens.
        return hidden + chosen.sum()

    monkeypatch.setattr(LlamaMLP, "forward", routed)
    recipe = recipe_of("none")
    shape = shape_from_config(CONFIGS["llama"], recipe)
    assert shape.activations == {"bf16": None}
    memory = estimate_memory(shape, recipe, "GPU")
    assert memory.activations is None
    assert memory.total == memory.weights + memory.trained
