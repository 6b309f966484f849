"""Supervised fine-tuning on span rows and document rows in one run, with TRL's SFTTrainer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, TrainerCallback
from trl import SFTConfig, SFTTrainer

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.prompts import Template
from cclearn.runtime.processes import sharding
from cclearn.training.arguments import common_arguments
from cclearn.training.batches import GroupCollator, RowSampler, make_dataset, row_sampler
from cclearn.training.choose import choose_rows
from cclearn.training.development import code_f1, mean_losses, weighted_loss
from cclearn.training.development_settings import Development
from cclearn.training.head_loss import IGNORED, has_plain_head, summed_loss
from cclearn.training.initial_model import (
    adapter_config,
    cast_trained_weights_to_float32,
    initial_model,
    initial_tokenizer,
)
from cclearn.training.optimizer import optimizer_factory
from cclearn.training.prepare import PreparedRows, development_notes, prepare_rows
from cclearn.training.recipe import Recipe, Training
from cclearn.training.resume import Notify
from cclearn.training.run import Job, run_recipe
from cclearn.training.trainer import CheckpointPublisher, Progress


def run_sft(
    recipe: Recipe,
    overwrite: bool = False,
    resume: str | None = None,
    progress: Progress | None = None,
    notify: Notify = lambda message: None,
) -> Path:
    """Fine-tune a model on rows. See `cclearn.training.run.run_recipe` for arguments and errors."""
    if recipe.grpo is not None:
        raise ConfigurationError(
            [f"grpo ({recipe.name}): the recipe is for the second stage. Launch recipes/grpo.py."]
        )
    if recipe.baseline is not None:
        raise ConfigurationError(
            [
                f"baseline ({recipe.name}): the recipe is for a discriminative coder. Launch"
                " recipes/plm.py."
            ]
        )
    return run_recipe(recipe, make_job, overwrite, resume, progress, notify)


def make_job(recipe: Recipe, system: CodeSystem) -> Job:
    """Read and encode the rows, and load the model. The function that makes the trainer is returned too.

    Args:
        recipe: Recipe of the run.
        system: Code system of the rows.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: Rows are too long or have nothing to learn, or the model cannot be loaded.
    """
    # The arguments must be created first: DeepSpeed shards the weights on loading only if they exist.
    arguments = _arguments(recipe)
    chosen = choose_rows(recipe, system)
    rows = [row for source in chosen for row in source.rows]
    tokenizer = initial_tokenizer(recipe, rows, system)
    prepared = prepare_rows(recipe, chosen, tokenizer)
    model = initial_model(recipe, tokenizer)
    dataset, sizes = make_dataset(prepared.phases, recipe.training)
    evaluation = _evaluation(recipe, prepared, development_notes(recipe, chosen), system)

    def make_trainer(folder: Path, callbacks: list[TrainerCallback]) -> CheckpointPublisher:
        arguments.output_dir = str(folder)
        return _Trainer(
            model=model,
            args=arguments,
            train_dataset=dataset,
            eval_dataset=evaluation.datasets if evaluation else None,
            processing_class=tokenizer,
            peft_config=adapter_config(recipe, model),
            optimizer_cls_and_kwargs=optimizer_factory(recipe.training),
            callbacks=callbacks,
            sampler=row_sampler(recipe, sizes),
            data_collator=_collator(recipe.training, tokenizer),
            evaluation=evaluation,
        )

    return Job(tokenizer, make_trainer, prepared)


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What is measured during a run.

    Attributes:
        settings: Settings of the development rows.
        datasets: Development rows of each kind.
        notes: Development notes that the model codes.
        system: Code system of the notes.
        template: Layout of the answers.
        context: Maximum number of tokens of a note's prompt with its answer.
    """

    settings: Development
    datasets: dict[str, Dataset]
    notes: list[CodedNote]
    system: CodeSystem
    template: Template
    context: int


def _evaluation(
    recipe: Recipe, prepared: PreparedRows, notes: list[CodedNote], system: CodeSystem
) -> _Evaluation | None:
    settings, training = recipe.development, recipe.training
    if settings is None:
        return None
    if settings.best is not None and sharding() != "none":
        raise ConfigurationError(
            [
                f"development.best ({settings.best}): a run with sharded weights keeps only the last"
                " ones. Set development.best=null."
            ]
        )
    datasets = {}
    for kind in ("span", "document"):
        rows = [row for row in prepared.development if row.kind == kind]
        if rows:
            datasets[kind], _ = make_dataset([rows], training)
    template = recipe.rows.template
    return _Evaluation(settings, datasets, notes, system, template, training.max_length)


def _collator(training: Training, tokenizer: PreTrainedTokenizerBase) -> GroupCollator | None:
    """Return the collator of groups, or None for the one of TRL."""
    if training.batching != "grouped":
        return None
    pad = tokenizer.pad_token_id
    return GroupCollator(tokenizer.eos_token_id if pad is None else pad)


def _arguments(recipe: Recipe) -> SFTConfig:
    training = recipe.training
    return SFTConfig(
        **common_arguments(recipe),
        per_device_eval_batch_size=training.device_rows,
        max_length=training.device_tokens,
        packing=training.batching == "packed",
        # Padding is not counted. Packs have none, and their end-of-turn tokens, with which TRL may pad,
        # must be counted.
        include_num_input_tokens_seen="all" if training.batching == "packed" else "non_padding",
        packing_strategy="bfd",  # Isolates the examples of a pack from each other.
        # The dataset has its labels and packs already (`make_dataset`).
        dataset_kwargs={"skip_prepare_dataset": True},
    )


class _Trainer(CheckpointPublisher, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, which collates batches and computes the loss (`cclearn.training.batches`).

    Its sampler gives the same order when a run is resumed. On a CPU, the loss of the output layer is
    that of `cclearn.training.head_loss`. It is normalised by the number of supervised tokens in all
    batches of a step.
    """

    def __init__(
        self, *, sampler: RowSampler, evaluation: _Evaluation | None = None, **settings: Any
    ) -> None:
        self._sampler = sampler
        self._evaluation = evaluation
        super().__init__(**settings)
        cast_trained_weights_to_float32(self.model)
        self._sums_loss_itself = (
            self.accelerator.device.type == "cpu"
            and not self.aux_loss_enabled
            and has_plain_head(self.model)
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> RowSampler:
        return self._sampler

    def measure_development(self, model: Any) -> dict[str, float]:
        """Return `eval_loss`, the loss of each kind of rows, and `eval_code_f1` if notes are coded."""
        evaluation = self._evaluation
        if evaluation is None:
            return {}
        losses = mean_losses(self, evaluation.datasets)
        metrics = {f"eval_{kind}_loss": loss for kind, loss in losses.items()}
        metrics["eval_loss"] = weighted_loss(losses, evaluation.settings)
        if evaluation.notes:
            metrics["eval_code_f1"] = self._code_f1(model, evaluation)
        return metrics

    def _code_f1(self, model: Any, evaluation: _Evaluation) -> float:
        """Return the F1 of the codes of the development notes, which the main process codes."""
        found = [0.0]
        if self.accelerator.is_main_process:
            with torch.no_grad(), self.compute_loss_context_manager():
                found[0] = code_f1(
                    model,
                    self.processing_class,
                    evaluation.notes,
                    evaluation.system,
                    evaluation.template,
                    evaluation.context,
                )
        return float(broadcast_object_list(found)[0])

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the mean loss of the supervised tokens of a batch.

        Args:
            model: Model, as the launcher has wrapped it.
            inputs: Batch of the collator.
            return_outputs: Whether to return the outputs of the model too.
            num_items_in_batch: Number of supervised tokens in all batches of a step, in all processes.
                The sum of the losses is divided by it. None divides by the number of this batch.
        """
        if return_outputs or not self._sums_loss_itself:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"]
        others = {key: value for key, value in inputs.items() if key != "labels"}
        with summed_loss(self.accelerator.unwrap_model(model), labels):
            summed = model(**others, use_cache=False).logits
        count = num_items_in_batch
        if count is None:
            count = (labels[:, 1:] != IGNORED).sum()
        loss = summed / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            # Gradients are averaged over the processes, but the number of tokens is that of all
            # processes.
            loss = loss * self.accelerator.num_processes
        return loss
