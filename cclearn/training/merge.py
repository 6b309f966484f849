"""Merging of an adapter into its base model, with a check of the merged model."""

from __future__ import annotations

from pathlib import Path

import torch

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError, foreign_errors
from cclearn.model_manifest import read_manifest
from cclearn.models import (
    ADAPTER_WEIGHTS,
    adapter_base,
    load_adapter,
    load_model,
    load_tokenizer,
    model_hash,
)
from cclearn.prompts import document_prompt
from cclearn.prompts.encoding import encode_prompt, pin_tokenizer
from cclearn.runtime.files import (
    atomic_folder,
    read_text,
    refuse_existing,
    sha256_of_file,
    write_json,
)
from cclearn.training.saving import end_answers_at
from cclearn.weights import RECORDED, sha256_of_weights

_TEXT = "Admitted with acute heart failure and type 2 diabetes. No pneumonia."

_LOST = 0.5
"""Largest accepted change by the merge, as a share of the change by the adapter."""


def merge_adapter(adapter: Path, out: Path, overwrite: bool = False) -> tuple[float, float]:
    """Merge an adapter into its base model in bf16, and write the merged model.

    An adapter that was trained over a 4-bit base model is merged into the weights before quantisation,
    which it was not trained on. The merged model is loaded again, and compared with the base model and
    its adapter on one prompt.

    Args:
        adapter: Folder of the adapter.
        out: Output folder, which receives the model, the tokenizer and the manifest.
        overwrite: Whether an existing output folder may be replaced.

    Returns:
        The mean absolute change of the log-probabilities by the adapter and that by the merge, in nats,
        over all positions and tokens.

    Raises:
        ConfigurationError: The folder contains no adapter, or its base model cannot be loaded.
        CclearnError: The merge changes the model too much, or a file cannot be written.
    """
    refuse_existing(out, overwrite)
    try:
        base = adapter_base(adapter)
    except ValueError as error:
        raise ConfigurationError([f"adapter (path = {adapter}): {error}"]) from None
    if base is None:
        raise ConfigurationError(
            [
                f"adapter (path = {adapter}): it contains no adapter_config.json. Name the folder that a"
                " recipe with an adapter wrote."
            ]
        )
    if out.resolve() in (adapter.resolve(), Path(base[0]).resolve()):
        raise ConfigurationError(
            [
                f"out (path = {out}): it is the folder of the adapter or of its base"
                " model. Name another folder."
            ]
        )
    tokenizer = load_tokenizer(str(adapter))
    pin_tokenizer(tokenizer)
    manifest = read_manifest(adapter) or {}
    system = manifest.get("code_system", {}).get("name") or CodeSystem.load().name
    prompt = torch.tensor([encode_prompt(tokenizer, document_prompt(_TEXT, system))])
    model = load_model(*base, dtype=torch.bfloat16).eval()
    base_only = _log_probabilities(model, prompt)
    adapted = load_adapter(model, str(adapter), base[0]).eval()
    with_adapter = _log_probabilities(adapted, prompt)
    with atomic_folder(out, overwrite, "merged model") as partial:
        folder = Path(partial)
        whole = adapted.merge_and_unload()
        end_answers_at(whole, tokenizer)
        whole.save_pretrained(folder)
        del model, adapted, whole
        with foreign_errors(
            lambda where: CclearnError(
                f"adapter (path = {adapter}): its tokenizer cannot be saved ({where})."
                " Copy the tokenizer's files from the base model into the adapter's folder."
            )
        ):
            tokenizer.save_pretrained(folder)
        merged = _log_probabilities(load_model(str(folder), dtype=torch.bfloat16).eval(), prompt)
        moved = float((with_adapter - base_only).abs().mean())
        lost = float((merged - with_adapter).abs().mean())
        if not lost <= _LOST * moved:  # This is also true if a value is NaN.
            raise CclearnError(
                f"adapter (path = {adapter}): merging it into bf16 changes the model by {lost:.2g}"
                f" nats, the adapter itself by {moved:.2g}: most of its effect would be lost. Use"
                " the base model with the adapter."
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
            card = card.replace("library_name: peft", "library_name: transformers", 1)
            (folder / "README.md").write_text(card, encoding="utf-8")
    return moved, lost


@torch.inference_mode()
def _log_probabilities(model: torch.nn.Module, prompt: torch.Tensor) -> torch.Tensor:
    device = next(model.parameters()).device
    logits = model(input_ids=prompt.to(device), use_cache=False).logits
    return torch.as_tensor(logits[0].float().log_softmax(-1).cpu())
