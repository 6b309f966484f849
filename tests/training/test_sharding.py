"""Sharding keeps packed 4-bit weights, on processes of a CPU (gloo)."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import yaml
from accelerate import FullyShardedDataParallelPlugin
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.utils.other import fsdp_auto_wrap_policy
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    FullyShardedDataParallel,
    ShardingStrategy,
    StateDictType,
    fully_shard,
)
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from cclearn.training.recipe import Scratch
from cclearn.training.scratch import make_model, make_tokenizer
from tests.models import rows

SHAPE = Scratch(hidden_size=128, layers=2, heads=2, intermediate_size=256, vocabulary=500)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    make_model(SHAPE, make_tokenizer(rows(), SHAPE.vocabulary), 128).save_pretrained(folder)
    return folder


def adapted(base: str) -> Any:
    """Return an NF4 model, stored in bf16 as for sharding, with an adapter that changes its answers."""
    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_quant_storage=torch.bfloat16,
    )
    model = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=quantisation, dtype=torch.bfloat16
    )
    settings = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, settings, autocast_adapter_dtype=False)
    torch.manual_seed(1)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = 0.05 * torch.randn_like(weight)
    # In evaluation, bitsandbytes packs the weights anew for the CPU's own kernels.
    return model.train()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        ids = torch.arange(5, 37)[None]
        return torch.as_tensor(model(input_ids=ids, use_cache=False).logits.float())


def octets(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().contiguous().view(torch.uint8).flatten().clone()


def shard(rank: int, processes: int, version: int, base: str, port: int, out: str) -> None:
    """Shard a model in one of several processes, and write how it has changed."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=processes)
    model = adapted(base)
    before = logits(model)
    packed = {
        name: octets(weight)
        for name, weight in model.named_parameters()
        if type(weight).__name__ == "Params4bit"
    }
    found: dict[str, Any] = {"packed": len(packed)}
    stored = torch.cat(list(packed.values())).view(torch.bfloat16)
    found["not_a_number"] = int(stored.isnan().sum())
    if version == 2:
        mesh = init_device_mesh("cpu", (processes,))
        for layer in model.base_model.model.model.layers:
            fully_shard(layer, mesh=mesh)
        sharded = fully_shard(model, mesh=mesh)
    else:
        os.environ["FSDP_TRANSFORMER_CLS_TO_WRAP"] = "Qwen3DecoderLayer"
        policy = fsdp_auto_wrap_policy(model)
        cpu = torch.device("cpu")
        sharded = FullyShardedDataParallel(model, auto_wrap_policy=policy, device_id=cpu)
    found["moved"] = float((logits(sharded) - before).abs().max())
    if version == 2:  # FSDP1 cannot gather weights of several processes on a CPU.
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        gathered = get_model_state_dict(model, options=options)
        found["saved"] = sorted(get_peft_model_state_dict(model, state_dict=gathered))
        if rank == 0:
            found["changed"] = sum(
                not torch.equal(octets(gathered[name]), weight) for name, weight in packed.items()
            )
    ids = torch.arange(5, 37)[None]
    sharded(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    found["gradients"] = sum(w.grad is not None for w in sharded.parameters() if w.requires_grad)
    found["logits"] = float(before.abs().max())
    if rank == 0:
        Path(out).write_text(json.dumps(found))
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("version", [1, 2])
def test_sharding_keeps_the_weights_in_4_bits(
    base: Path, tmp_path: Path, version: int, processes: int
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    out = tmp_path / "found.json"
    torch.multiprocessing.spawn(
        shard, (processes, version, str(base), port, str(out)), nprocs=processes
    )
    found = json.loads(out.read_text())
    assert found["packed"] == 14
    # Some packed weights, read as bf16, are no numbers. They must keep their bits.
    assert found["not_a_number"] > 0
    assert found["logits"] > 0.5
    assert found["moved"] == 0
    assert found.get("changed", 0) == 0
    assert all("lora" in name for name in found.get("saved", []))
    assert found["gradients"] > 0


def test_the_configuration_shards_everything_with_fsdp1(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(__file__).parents[2] / "recipes" / "accelerate" / "fsdp_qlora.yaml"
    settings = yaml.safe_load(file.read_text())["fsdp_config"]
    # The first process loads the model, and the others receive it, which needs a GPU.
    assert settings.pop("fsdp_cpu_ram_efficient_loading")
    assert settings.pop("fsdp_sync_module_states")
    for key, value in settings.items():
        text = str(value)
        monkeypatch.setenv(key.upper(), text.lower() if isinstance(value, bool) else text)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 1
    assert ShardingStrategy.FULL_SHARD in (plugin.sharding_strategy, plugin.reshard_after_forward)
    assert plugin.use_orig_params is False
    assert plugin.state_dict_type == StateDictType.SHARDED_STATE_DICT
