"""Reinforcement on notes after fine-tuning, on TRL's GRPOTrainer with a reward from the evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.aggregate import conclude
from cclearn.coding.single_pass.answers import Part, read_parts
from cclearn.engines import Answer
from cclearn.errors import ConfigurationError, shown_id
from cclearn.evaluation.reward import reward
from cclearn.notes import CodedNote
from cclearn.prompts.encoding import end_of_turn
from cclearn.rows import EncodedRow, TrainingRow
from cclearn.runtime.processes import process_state
from cclearn.training.arguments import common_arguments
from cclearn.training.choose import choose_rows
from cclearn.training.prepare import prepare
from cclearn.training.recipe import Grpo, Recipe
from cclearn.training.resume import Notify
from cclearn.training.run import Job, run_recipe
from cclearn.training.start import adapter_of, hold_in_32_bits, start_model, start_tokenizer
from cclearn.training.trainer import CheckpointPublisher, Progress


def run_grpo(
    recipe: Recipe,
    overwrite: bool = False,
    resume: str | None = None,
    progress: Progress | None = None,
    notify: Notify = lambda message: None,
) -> Path:
    """Train a model on rewards; arguments, result and errors as of `cclearn.training.run.run_recipe`."""
    if recipe.grpo is None:
        raise ConfigurationError(
            [f"grpo ({recipe.name}): the recipe has no such section. Launch recipes/sft.py."]
        )
    return run_recipe(recipe, make_job, overwrite, resume, progress, notify)


def make_job(recipe: Recipe, system: CodeSystem) -> Job:
    """Read the notes and load the model.

    Raises:
        DataError: A row file cannot be read.
        ConfigurationError: A note is too long, or the model cannot be loaded.
    """
    settings = recipe.grpo or Grpo()
    arguments = _arguments(recipe, settings)
    chosen = choose_rows(recipe, system)
    tokenizer = start_tokenizer(recipe, [], system)
    prepared = prepare(recipe, chosen, tokenizer)
    rows = [row for phase in prepared.phases for row in phase]
    _refuse_few(rows, recipe, settings)
    model = start_model(recipe, tokenizer)
    # Generation may end where the chat template ends a turn, whatever the hub's settings say.
    model.generation_config.eos_token_id = [end_of_turn(tokenizer)]
    known = _by_id(row for c in chosen for row in c.rows)
    gold = [note for row in rows if (note := known[row.id].note) is not None]
    dataset = Dataset.from_list(
        [
            {"prompt": [dict(turn) for turn in known[row.id].prompt], "place": place}
            for place, row in enumerate(rows)
        ]
    )

    def make_trainer(folder: Path, callbacks: list[TrainerCallback]) -> CheckpointPublisher:
        arguments.output_dir = str(folder)
        return _Trainer(
            model=model,
            reward_funcs=_Reward(gold, system, settings, tokenizer),
            args=arguments,
            train_dataset=dataset,
            processing_class=tokenizer,
            peft_config=adapter_of(recipe),
            callbacks=callbacks,
        )

    return Job(tokenizer, make_trainer, prepared)


class _Reward:
    """The reward of answers, as the trainer asks for it."""

    __name__ = "reward"

    def __init__(
        self,
        gold: list[CodedNote],
        system: CodeSystem,
        settings: Grpo,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        self._gold = gold
        self._system = system
        self._settings = settings
        self._end = end_of_turn(tokenizer)

    def __call__(
        self,
        completions: list[list[dict[str, str]]],
        completion_ids: list[list[int]],
        place: list[int],
        **_: Any,
    ) -> list[float]:
        settings = self._settings
        rewards = []
        for turns, tokens, number in zip(completions, completion_ids, place, strict=True):
            gold = self._gold[number]
            answer = Answer(gold.id, turns[-1]["content"], complete=self._end in tokens)
            whole = Part(0, len(gold.text), answer)
            predicted = conclude(read_parts(gold.note, [whole], self._system), self._system)
            rewards.append(
                reward(gold, predicted, self._system, settings.ungrounded, settings.invalid)
            )
        return rewards


def _by_id(rows: Iterable[TrainingRow]) -> dict[str, TrainingRow]:
    """Return rows by their ids. Raises ConfigurationError where two notes share one: an answer would be
    held against the other's codes."""
    known: dict[str, TrainingRow] = {}
    twice = [row.id for row in rows if known.setdefault(row.id, row) is not row]
    if twice:
        some = ", ".join(map(shown_id, twice[:5]))
        raise ConfigurationError(
            [f"rows.sources (ids = {some}): notes of two sources share them. Give each its own."]
        )
    return known


def _refuse_few(rows: list[EncodedRow], recipe: Recipe, settings: Grpo) -> None:
    """Refuse fewer notes than a step asks: the trainer would end at once, with nothing learnt."""
    answers = recipe.training.batch_size * recipe.training.accumulation
    notes = answers * process_state().num_processes // settings.generations
    if len(rows) < notes:
        raise ConfigurationError(
            [
                f"rows.sources: they hold {len(rows)} notes, and a step takes {notes}. Name more, or"
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
        chat_template_kwargs={"enable_thinking": False},
        log_completions=False,
    )


class _Trainer(CheckpointPublisher, GRPOTrainer):  # type: ignore[misc]
    """TRL's, with an order of notes that any stop leaves as it was."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        hold_in_32_bits(self.model)

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)
        seed = self.args.seed
        # Each epoch's order follows from its number, as in `cclearn.training.batches.RowSampler`.
        sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(seed + epoch)
        return sampler
