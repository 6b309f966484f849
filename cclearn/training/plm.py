"""Training of discriminative coders on notes and spans in one run, with transformers' Trainer."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainingArguments

from cclearn.baselines.batches import padded
from cclearn.baselines.label_texts import guideline
from cclearn.baselines.losses import (
    consistency_loss,
    label_loss,
    sample_labels,
    similarity_loss,
)
from cclearn.codes import CodeSystem
from cclearn.rows import EncodedRow
from cclearn.rows.labelled import cut_tokens, encode_plain
from cclearn.runtime.files import sha256_of_text
from cclearn.runtime.processes import process_state
from cclearn.training.arguments import common_arguments
from cclearn.training.baseline_settings import Baseline
from cclearn.training.batches import RowSampler, make_dataset, row_sampler
from cclearn.training.choose import choose_rows
from cclearn.training.optimizer import optimizer_factory
from cclearn.training.plm_development import LabelDevelopment
from cclearn.training.plm_model import baseline_of, plm_model, plm_rows
from cclearn.training.prepare import development_notes
from cclearn.training.recipe import Recipe
from cclearn.training.resume import Notify
from cclearn.training.run import Job, run_recipe
from cclearn.training.trainer import CheckpointPublisher, Progress


def run_plm(
    recipe: Recipe,
    overwrite: bool = False,
    resume: str | None = None,
    progress: Progress | None = None,
    notify: Notify = lambda message: None,
) -> Path:
    """Train a discriminative coder. See `cclearn.training.run.run_recipe` for arguments and errors."""
    return run_recipe(recipe, make_job, overwrite, resume, progress, notify)


def make_job(recipe: Recipe, system: CodeSystem) -> Job:
    """Read and encode the rows, and load the model. The function that makes the trainer is returned too.

    Args:
        recipe: Recipe of the run, with the section `baseline`.
        system: Code system of the rows.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: Rows are too long, there are no labels, or the encoder cannot be loaded.
    """
    settings = baseline_of(recipe)
    chosen = choose_rows(recipe, system)
    labels, tokenizer, prepared = plm_rows(recipe, chosen, system)
    index = {code: number for number, code in enumerate(labels)}
    model = plm_model(recipe, tokenizer, labels, system)

    def label(row: EncodedRow) -> list[int]:
        return sorted(index[code] for code in row.codes or ())

    training = recipe.training
    dataset, sizes = make_dataset(prepared.phases, training, label, settings.batch_rows)
    step_rows = training.device_rows * training.accumulation * process_state().num_processes
    development = None
    if recipe.development is not None:
        notes = development_notes(recipe, chosen)
        development = LabelDevelopment(
            recipe.development, prepared.development, notes, tokenizer, index
        )
    arguments = _arguments(recipe)
    guidelines = None
    if settings.guidelines:
        guidelines = Guidelines(labels, system, tokenizer, recipe.training.max_length)

    def make_trainer(folder: Path, callbacks: list[TrainerCallback]) -> CheckpointPublisher:
        arguments.output_dir = str(folder)
        return _Trainer(
            model=model,
            args=arguments,
            train_dataset=dataset,
            eval_dataset=[] if development else None,
            processing_class=tokenizer,
            optimizer_cls_and_kwargs=optimizer_factory(
                recipe.training, settings.head_learning_rate
            ),
            callbacks=callbacks,
            data_collator=LabelCollator(len(labels), _pad(tokenizer)),
            sampler=row_sampler(recipe, sizes),
            settings=settings,
            development=development,
            guidelines=guidelines,
            seed=recipe.seed,
            epoch_steps=math.ceil(sum(sizes) / step_rows),
        )

    identity = {"labels_sha256": sha256_of_text("\n".join(labels))}
    return Job(tokenizer, make_trainer, prepared, identity)


@dataclass(frozen=True, slots=True)
class LabelCollator:
    """Makes a batch of rows, or of all rows of groups of rows.

    Attributes:
        labels: Number of labels of the model.
        pad: Token that fills up shorter rows.
    """

    labels: int
    pad: int

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Return `input_ids` and `attention_mask` of shape (rows, tokens), and `labels` of shape (rows,
        labels) with 1 for the gold labels."""
        rows: list[tuple[list[int], list[int]]] = []
        for example in examples:
            ids, labels = example["input_ids"], example["labels"]
            is_group = bool(ids) and isinstance(ids[0], list)
            rows += zip(ids, labels, strict=True) if is_group else [(ids, labels)]
        tokens, mask = padded([ids for ids, _ in rows], self.pad)
        gold = torch.zeros(len(rows), self.labels)
        for number, (_, labels) in enumerate(rows):
            gold[number, labels] = 1.0
        return {
            "input_ids": tokens,
            "attention_mask": mask,
            "labels": gold,
        }


class Guidelines:
    """Draws a guideline for each document of a batch (`cclearn.baselines.label_texts.guideline`).

    Args:
        labels: Codes of the model.
        system: Code system of the codes.
        tokenizer: Tokenizer of the model.
        max_length: Largest number of tokens of a guideline.
    """

    def __init__(
        self,
        labels: Sequence[str],
        system: CodeSystem,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
    ) -> None:
        self._labels = labels
        self._system = system
        self._tokenizer = tokenizer
        self._max_length = max_length

    def draw(self, gold: torch.Tensor, rng: random.Random) -> list[torch.Tensor]:
        """Return the tokens of a guideline for each row of gold labels, of shape (rows, labels)."""
        texts = [
            guideline(
                [self._labels[i] for i in row.nonzero().flatten().tolist()], self._system, rng
            )
            for row in gold
        ]
        rows = encode_plain(self._tokenizer, texts)
        cut = [cut_tokens(self._tokenizer, row, self._max_length) for row in rows]
        return [torch.tensor(row, dtype=torch.long, device=gold.device) for row in cut]


class _Trainer(CheckpointPublisher):
    """Trainer of a discriminative coder. Its loss is that of the recipe's section `baseline`.

    Random choices depend on the seed, the step, the batch and the process, so that a resumed run makes
    the same.
    """

    def __init__(
        self,
        *,
        sampler: RowSampler,
        settings: Baseline,
        development: LabelDevelopment | None,
        guidelines: Guidelines | None,
        seed: int,
        epoch_steps: int,
        **others: Any,
    ) -> None:
        self._sampler = sampler
        self._settings = settings
        self._development = development
        self._guidelines = guidelines
        self._seed = seed
        self._epoch_steps = epoch_steps
        self._batch = (-1, 0)  # The step, and the number of the batch in it.
        super().__init__(**others)

    def _get_train_sampler(self, train_dataset: Any = None) -> RowSampler:
        return self._sampler

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the loss of a batch, the mean over its documents.

        Args:
            model: Model, as the launcher has wrapped it.
            inputs: Batch of `LabelCollator`.
            return_outputs: Whether to return the outputs of the model too.
            num_items_in_batch: Not used.
        """
        settings, rng = self._settings, self._rng()
        ids, mask, gold = inputs["input_ids"], inputs["attention_mask"], inputs["labels"]
        documents = len(ids)
        if self._guidelines is not None:
            drawn = self._guidelines.draw(gold, rng)
            self._count_tokens(sum(map(len, drawn)))
            ids, mask = _stacked(ids, mask, drawn)
        texts = len(ids)
        passes = 2 if settings.consistency and self.state.global_step >= self._epoch_steps else 1
        ids, mask = ids.repeat(passes, 1), mask.repeat(passes, 1)
        chosen, weights = None, None
        if settings.sampled_labels is not None:
            generator = torch.Generator().manual_seed(rng.getrandbits(60))
            chosen, weights = sample_labels(gold, settings.sampled_labels, generator)
        featured = gold.any(dim=0).nonzero().squeeze(1) if settings.similarity else None
        outputs = model(input_ids=ids, attention_mask=mask, chosen=chosen, featured=featured)
        logits = outputs.logits
        wanted = gold if chosen is None else gold[:, chosen]
        loss = label_loss(logits, wanted.repeat(len(ids) // documents, 1), weights)
        if featured is not None:
            of_text = outputs.features[:texts]
            loss = loss + settings.similarity * similarity_loss(
                of_text[:documents], of_text[documents:], gold[:, featured]
            )
        if passes == 2:
            second = logits[texts : texts + documents]
            loss = loss + settings.consistency * consistency_loss(logits[:documents], second)
        return (loss, outputs) if return_outputs else loss

    def _rng(self) -> random.Random:
        step = self.state.global_step
        self._batch = (step, self._batch[1] + 1 if self._batch[0] == step else 0)
        process = process_state().process_index
        return random.Random(f"{self._seed} {step} {self._batch[1]} {process}")  # noqa: S311

    def _count_tokens(self, number: int) -> None:
        """Count tokens that are not in the inputs, in all processes."""
        counted = torch.tensor(number, device=self.accelerator.device)
        self.state.num_input_tokens_seen += int(self.accelerator.reduce(counted))

    def measure_development(self, model: Any) -> dict[str, float]:
        """Return the metrics of the development rows."""
        if self._development is None or not self.accelerator.is_main_process:
            return {}
        with self.compute_loss_context_manager():
            return self._development.metrics(model)

    def before_saving(self, model: Any) -> None:
        """Tune the thresholds of the final weights, and store them in the configuration.

        Scores have 32 bits, as those of the coder.
        """
        if self._development is not None and self.accelerator.is_main_process:
            model.eval()
            model.encoder.set_attn_implementation("sdpa")  # FlashAttention refuses 32 bits.
            self._development.tune(model)


def _stacked(
    ids: torch.Tensor, mask: torch.Tensor, others: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the tokens and the mask of the documents, followed by those of other texts."""
    longest = max(ids.shape[1], *map(len, others))
    tokens = [pad(ids, (0, longest - ids.shape[1]))]
    masks = [pad(mask, (0, longest - mask.shape[1]))]
    for other in others:
        tokens.append(pad(other, (0, longest - len(other)))[None])
        masks.append(pad(torch.ones_like(other), (0, longest - len(other)))[None])
    return torch.cat(tokens), torch.cat(masks)


def _pad(tokenizer: Any) -> int:
    """Return the token that fills up shorter rows. It has no influence on the result."""
    return int(tokenizer.pad_token_id or 0)


def _arguments(recipe: Recipe) -> TrainingArguments:
    return TrainingArguments(
        **common_arguments(recipe),
        include_num_input_tokens_seen="non_padding",
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
    )
