"""Reinforcement learning on notes after fine-tuning, with TRL's GRPOTrainer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.aggregate import aggregate
from cclearn.coding.single_pass.answers import Part, read_parts
from cclearn.engines import Answer
from cclearn.errors import ConfigurationError, shown_id
from cclearn.evaluation.reward import reward
from cclearn.notes import CodedNote
from cclearn.prompts import Template
from cclearn.prompts.encoding import end_of_turn
from cclearn.rows import EncodedRow, TrainingRow
from cclearn.runtime.processes import process_state
from cclearn.training.arguments import common_arguments
from cclearn.training.choose import choose_rows
from cclearn.training.grpo_settings import Grpo
from cclearn.training.initial_model import (
    adapter_config,
    cast_trained_weights_to_float32,
    initial_model,
    initial_tokenizer,
)
from cclearn.training.prepare import prepare_rows
from cclearn.training.recipe import Recipe
from cclearn.training.resume import Notify
from cclearn.training.run import Job, run_recipe
from cclearn.training.trainer import CheckpointPublisher, Progress


def run_grpo(
    recipe: Recipe,
    overwrite: bool = False,
    resume: str | None = None,
    progress: Progress | None = None,
    notify: Notify = lambda message: None,
) -> Path:
    """Train a model on rewards. See `cclearn.training.run.run_recipe` for arguments and errors."""
    if recipe.grpo is None:
        raise ConfigurationError(
            [f"grpo ({recipe.name}): the recipe has no such section. Launch recipes/sft.py."]
        )
    return run_recipe(recipe, make_job, overwrite, resume, progress, notify)


def make_job(recipe: Recipe, system: CodeSystem) -> Job:
    """Read the notes and load the model.

    Args:
        recipe: Recipe of the run.
        system: Code system of the notes.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: A note is too long, or the model cannot be loaded.
    """
    settings = recipe.grpo or Grpo()
    arguments = _arguments(recipe, settings)
    chosen = choose_rows(recipe, system)
    tokenizer = initial_tokenizer(recipe, [], system)
    prepared = prepare_rows(recipe, chosen, tokenizer)
    rows = [row for phase in prepared.phases for row in phase]
    _refuse_few(rows, recipe, settings)
    model = initial_model(recipe, tokenizer)
    known = _by_id(row for c in chosen for row in c.rows)
    gold = [note for row in rows if (note := known[row.id].note) is not None]
    dataset = Dataset.from_list(
        [
            {"prompt": [dict(turn) for turn in known[row.id].prompt], "note_index": index}
            for index, row in enumerate(rows)
        ]
    )

    def make_trainer(folder: Path, callbacks: list[TrainerCallback]) -> CheckpointPublisher:
        arguments.output_dir = str(folder)
        return _Trainer(
            model=model,
            reward_funcs=_Reward(gold, system, settings, tokenizer, recipe.rows.template),
            args=arguments,
            train_dataset=dataset,
            processing_class=tokenizer,
            peft_config=adapter_config(recipe, model),
            callbacks=callbacks,
        )

    return Job(tokenizer, make_trainer, prepared)


class _Reward:
    """Callable that the trainer calls to reward answers."""

    __name__ = "reward"

    def __init__(
        self,
        gold: list[CodedNote],
        system: CodeSystem,
        settings: Grpo,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
    ) -> None:
        self._gold = gold
        self._template: Template = template
        self._system = system
        self._settings = settings
        self._end = end_of_turn(tokenizer)

    def __call__(
        self,
        completions: list[list[dict[str, str]]],
        completion_ids: list[list[int]],
        note_index: list[int],
        **_: Any,
    ) -> list[float]:
        settings = self._settings
        rewards = []
        for turns, tokens, position in zip(completions, completion_ids, note_index, strict=True):
            gold = self._gold[position]
            answer = Answer(gold.id, turns[-1]["content"], complete=self._end in tokens)
            whole = Part(0, len(gold.text), answer)
            found = read_parts(gold.note, [whole], self._system, template=self._template)
            predicted = aggregate(found, self._system)
            rewards.append(
                reward(gold, predicted, self._system, settings.ungrounded, settings.invalid)
            )
        return rewards


def _by_id(rows: Iterable[TrainingRow]) -> dict[str, TrainingRow]:
    """Return the rows by their ids.

    Raises:
        ConfigurationError: Two notes share an id, so that an answer could be compared with the codes of
            the other note.
    """
    known: dict[str, TrainingRow] = {}
    repeated = [row.id for row in rows if known.setdefault(row.id, row) is not row]
    if repeated:
        some = ", ".join(map(shown_id, repeated[:5]))
        raise ConfigurationError(
            [f"rows.sources (ids = {some}): several notes share an id. Give each note its own."]
        )
    return known


def _refuse_few(rows: list[EncodedRow], recipe: Recipe, settings: Grpo) -> None:
    """Raise ConfigurationError if there are fewer notes than a step needs."""
    answers = recipe.training.device_rows * recipe.training.accumulation
    notes = answers * process_state().num_processes // settings.generations
    if len(rows) < notes:
        raise ConfigurationError(
            [
                f"rows.sources: they contain {len(rows)} notes, but a step needs {notes}. Add notes, or"
                " lower training.batch_size or training.accumulation."
            ]
        )


def _arguments(recipe: Recipe, settings: Grpo) -> GRPOConfig:
    return GRPOConfig(
        **common_arguments(recipe),
        num_generations=settings.generations,
        max_completion_length=settings.answer_length,
        temperature=settings.temperature,
        beta=settings.beta,
        log_completions=False,
    )


class _Trainer(CheckpointPublisher, GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer with a sampler whose order does not change when a run is resumed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        cast_trained_weights_to_float32(self.model)

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)
        seed = self.args.seed
        # The order depends only on the number of the epoch, as in `cclearn.training.batches.RowSampler`.
        sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(seed + epoch)
        return sampler
