"""What a run measures on its development rows, and the weights that were best by it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.prompts import Template
from cclearn.runtime.processes import process_state
from cclearn.training.development_settings import Development

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_FILE = "best.safetensors"
_BATCH = 16


class BestWeights:
    """Keeps the trained weights of the evaluation that was best so far, in a file.

    Args:
        settings: Settings of the development rows. Their `best` is not None.
        folder: Existing private folder for the file.
    """

    def __init__(self, settings: Development, folder: Path) -> None:
        self._settings = settings
        self._path = folder / _FILE
        self.step: int | None = None
        self._value = float("-inf")
        self._without_improvement = 0

    def resume(self, metrics: Path, step: int) -> None:
        """Restore the state of a run that is resumed.

        Args:
            metrics: File with the logged values of the run until the checkpoint.
            step: Number of steps after which the checkpoint was written.

        Raises:
            ConfigurationError: The file of the best weights is missing.
        """
        for line in metrics.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if self._measure in entry:
                self._count(entry[self._measure], entry["step"])
        # The file may be that of a later step, at which the run will write it again.
        stored = self._stored_step()
        if self.step is not None and (stored is None or self.step != stored <= step):
            raise ConfigurationError(
                [
                    f"resume (best weights = {self._path}): the weights of step {self.step} are missing."
                    " Start again with --overwrite."
                ]
            )

    def add(self, metrics: dict[str, float], step: int, model: torch.nn.Module) -> bool:
        """Keep the weights if the metrics are the best so far. Return whether the run should end.

        Args:
            metrics: Metrics of an evaluation.
            step: Number of steps that were trained.
            model: Model with the weights, which are not sharded.
        """
        if self._count(metrics[self._measure], step) and process_state().is_main_process:
            weights = {name: weight.detach() for name, weight in _trained(model)}
            partial = self._path.with_suffix(".partial")
            save_file(weights, partial, {"step": str(step)})
            partial.chmod(0o600)
            os.replace(partial, self._path)
        patience = self._settings.patience
        return patience is not None and self._without_improvement >= patience

    def restore(self, model: torch.nn.Module) -> None:
        """Load the best weights into a model, and remove the file. All processes take part."""
        if self.step is None:
            return
        state = process_state()
        state.wait_for_everyone()
        with safe_open(self._path, "pt") as stored, torch.no_grad():
            for name, weight in _trained(model):
                weight.copy_(stored.get_tensor(name))
        state.wait_for_everyone()
        if state.is_main_process:
            self._path.unlink()

    @property
    def _measure(self) -> str:
        return f"eval_{self._settings.best}"

    def _count(self, value: float, step: int) -> bool:
        """Return whether a value is the best so far."""
        value = -value if self._settings.best == "loss" else value
        if value > self._value:
            self._value, self.step, self._without_improvement = value, step, 0
            return True
        self._without_improvement += 1
        return False

    def _stored_step(self) -> int | None:
        if not self._path.is_file():
            return None
        with safe_open(self._path, "pt") as stored:
            return int(stored.metadata()["step"])


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, w) for name, w in model.named_parameters() if w.requires_grad)


def code_f1(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    notes: Sequence[CodedNote],
    system: CodeSystem,
    template: Template,
    context: int,
) -> float:
    """Return the micro-averaged F1 of the codes that a model assigns to notes in one pass.

    Args:
        model: Model in evaluation mode.
        tokenizer: Tokenizer of the model.
        notes: Notes with their codes.
        system: Code system whose codes the model assigns.
        template: Layout of the answers.
        context: Maximum number of tokens of a note's prompt with its answer.
    """
    from cclearn.coding.single_pass.coder import LLMCoder
    from cclearn.engines.local import LocalEngine

    engine = LocalEngine(model, tokenizer, batch_size=_BATCH, max_new_tokens=None, context=context)
    coder = LLMCoder(engine, system, template=template)
    right = predicted = gold = 0
    for note, coded in zip(notes, coder.code_many(note.note for note in notes), strict=True):
        expected = {code.code for code in note.codes}
        found = {code.code for code in coded.codes}
        right += len(expected & found)
        predicted += len(found)
        gold += len(expected)
    return 2 * right / (predicted + gold) if predicted + gold else 0.0


def mean_losses(trainer: Any, datasets: dict[str, Any]) -> dict[str, float]:
    """Return the mean loss of the supervised tokens of each dataset, by its name.

    Args:
        trainer: Trainer with the model. All processes take part.
        datasets: Datasets with labels, by the kind of their rows.
    """
    losses = {}
    for kind, dataset in datasets.items():
        sums = torch.zeros(2, device=trainer.accelerator.device)
        for batch in trainer.get_eval_dataloader(dataset):
            inputs = trainer._prepare_inputs(batch)
            tokens = (inputs["labels"][:, 1:] != -100).sum()
            with torch.no_grad(), trainer.compute_loss_context_manager():
                loss = trainer.compute_loss(trainer.model_wrapped, inputs)
            sums += torch.stack([loss.float() * tokens, tokens.float()]).to(sums.device)
        total, count = trainer.accelerator.reduce(sums).tolist()
        losses[kind] = total / max(count, 1)
    return losses


def weighted_loss(losses: dict[str, float], settings: Development) -> float:
    """Return the mean of losses by kind, weighted as in the settings."""
    given = {str(kind): weight for kind, weight in settings.weights.items()}
    weights = {kind: given.get(kind, 1.0) for kind in losses}
    return sum(losses[kind] * weights[kind] for kind in losses) / sum(weights.values())
