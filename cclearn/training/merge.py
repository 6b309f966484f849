"""Merging an adapter into its base model, and checking that nothing is lost."""

from __future__ import annotations

from pathlib import Path

import torch

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError, foreign_errors
from cclearn.models import (
    ADAPTER_WEIGHTS,
    adapter_base,
    load_adapter,
    load_model,
    load_tokenizer,
    model_hash,
    read_manifest,
)
from cclearn.prompts import document_prompt
from cclearn.prompts.encoding import encode_prompt
from cclearn.runtime.files import (
    atomic_folder,
    read_text,
    refuse_existing,
    sha256_of_file,
    write_json,
)
from cclearn.weights import RECORDED, sha256_of_weights

_TEXT = "Admitted with acute heart failure and type 2 diabetes. No pneumonia."

_LOST = 0.5
"""A merge that moves the model by more than this share of what the adapter moves it by is refused."""


def merge_adapter(adapter: Path, out: Path, overwrite: bool = False) -> tuple[float, float]:
    """Merge an adapter into its base model in bf16 and write the whole model.

    An adapter that was trained over four bits goes into the weights before quantisation, which it has
    not seen. The merged model is loaded again and compared with base and adapter side by side on one
    prompt.

    Args:
        adapter: Its folder.
        out: The folder to write to: model, tokenizer, and the adapter's manifest.
        overwrite: Whether it may be replaced.

    Returns:
        How far the adapter moves the log-probabilities of the next token, in nats, and how far merging
        moved them, mean absolute differences over all positions and tokens.

    Raises:
        ConfigurationError: The folder holds no adapter, or its base model cannot be loaded.
        CclearnError: The merged model answers otherwise.
    """
    refuse_existing(out, overwrite)
    try:
        base = adapter_base(adapter)
    except ValueError as error:
        raise ConfigurationError([f"adapter (path = {adapter}): {error}"]) from None
    if base is None:
        raise ConfigurationError(
            [
                f"adapter (path = {adapter}): it holds no adapter_config.json. Name the folder that a"
                " recipe with an adapter wrote."
            ]
        )
    if out.resolve() in (adapter.resolve(), Path(base[0]).resolve()):
        raise ConfigurationError(
            [f"out (path = {out}): it holds what is to be merged. Name another folder."]
        )
    tokenizer = load_tokenizer(str(adapter))
    manifest = read_manifest(adapter) or {}
    system = manifest.get("code_system", {}).get("name") or CodeSystem.load().name
    prompt = torch.tensor([encode_prompt(tokenizer, document_prompt(_TEXT, system))])
    model = load_model(*base, dtype=torch.bfloat16).eval()
    alone = _log_probabilities(model, prompt)
    adapted = load_adapter(model, str(adapter), base[0]).eval()
    beside = _log_probabilities(adapted, prompt)
    with atomic_folder(out, overwrite, "merged model") as partial:
        folder = Path(partial)
        adapted.merge_and_unload().save_pretrained(folder)
        del model, adapted
        with foreign_errors(
            lambda where: CclearnError(
                f"adapter (path = {adapter}): its tokenizer cannot be saved ({where})."
                " Copy the tokenizer's files from the base model into the adapter's folder."
            )
        ):
            tokenizer.save_pretrained(folder)
        merged = _log_probabilities(load_model(str(folder), dtype=torch.bfloat16).eval(), prompt)
        moved = float((beside - alone).abs().mean())
        lost = float((merged - beside).abs().mean())
        if not lost <= _LOST * moved:  # Not a number is no merge either.
            raise CclearnError(
                f"adapter (path = {adapter}): merging it into bf16 moves the model by {lost:.2g} nats,"
                f" the adapter itself by {moved:.2g}: most of it would be lost. Use base and adapter as"
                " they are."
            )
        merging = {
            "adapter_sha256": sha256_of_file(adapter / ADAPTER_WEIGHTS),
            "base_sha256": model_hash(*base),
            "moved": moved,
            "lost": lost,
        }
        weights = {RECORDED: sha256_of_weights(folder)}
        write_json(folder / "manifest.json", {**manifest, **weights, "merged": merging})
        if (adapter / "README.md").is_file():
            card = read_text(adapter / "README.md")
            whole = card.replace("library_name: peft", "library_name: transformers", 1)
            (folder / "README.md").write_text(whole, encoding="utf-8")
    return moved, lost


@torch.inference_mode()
def _log_probabilities(model: torch.nn.Module, prompt: torch.Tensor) -> torch.Tensor:
    device = next(model.parameters()).device
    logits = model(input_ids=prompt.to(device), use_cache=False).logits
    return torch.as_tensor(logits[0].float().log_softmax(-1).cpu())
