"""The settings of a training run, which are called a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cclearn.training.baseline_settings import Baseline
from cclearn.training.development_settings import Development
from cclearn.training.grpo_settings import Grpo
from cclearn.training.recipe_section import RecipeSection
from cclearn.training.row_settings import Rows


class Scratch(RecipeSection):
    """Shape of a model with random weights, whose BPE tokenizer is trained on the rows.

    It is a Qwen3 model, or a ModernBERT encoder for a discriminative coder.

    Attributes:
        hidden_size: Width of the hidden state.
        layers: Number of hidden layers.
        heads: Number of attention heads.
        intermediate_size: Width of the feed-forward blocks.
        vocabulary: Number of tokens.
        initializer_range: Standard deviation of the random weights.
        tokenizer: Folder of a tokenizer that is used in place of a new one. Only baselines may have one.
    """

    hidden_size: int = Field(default=160, gt=0)
    layers: int = Field(default=4, gt=0)
    heads: int = Field(default=4, gt=0)
    intermediate_size: int = Field(default=448, gt=0)
    vocabulary: int = Field(default=1500, ge=400)
    initializer_range: float = Field(default=0.05, gt=0)
    tokenizer: str | None = None

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size = {self.hidden_size} is not a multiple of 2 * heads = {2 * self.heads}"
            )
        return self


class Model(RecipeSection):
    """Model that the run starts from, which is either `path` or `scratch`.

    Attributes:
        path: Name of a model on the hub, or its folder.
        revision: Revision of a model on the hub.
        chat_template: Chat template for a model that has none: the path of a Jinja file, or `chatml`,
            `gemma` or `llama3` (`cclearn.prompts.template_choice`). It replaces a template that the
            model has, and is saved with the run.
        trim_vocabulary: Whether tokens that neither the rows nor the code system need are removed from
            the tokenizer and the model (`cclearn.training.trimming`). All weights must be trained.
        scratch: Shape of a model with random weights.
    """

    path: str | None = None
    revision: str | None = None
    chat_template: str | None = None
    trim_vocabulary: bool = False
    scratch: Scratch | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.path is None) == (self.scratch is None):
            raise ValueError("give either path or scratch")
        if self.scratch is not None and self.chat_template is not None:
            raise ValueError("chat_template: a model with random weights has its own; omit it")
        if self.scratch is not None and self.trim_vocabulary:
            raise ValueError(
                "trim_vocabulary: a model with random weights has no other tokens; omit it"
            )
        return self


class Quantisation(RecipeSection):
    """How `qlora` stores the weights of the base model (Dettmers et al. 2023, arXiv 2305.14314).

    Attributes:
        type: Data type of the 4-bit values.
        double: Whether the quantisation constants are quantised too.
        storage: Data type of the tensors that contain the 4-bit values. With FSDP it must be the type of
            the other weights, because a shard has a single type.
    """

    type: Literal["nf4", "fp4"] = "nf4"
    double: bool = True
    storage: Literal["uint8", "bfloat16"] = "uint8"


class Adapter(RecipeSection):
    """Settings of the adapter, which determine the weights that are trained.

    Attributes:
        kind: `none` trains all weights. `lora` (Hu et al. 2021, arXiv 2106.09685) and `dora` (Liu et al.
            2024, arXiv 2402.09353) train low-rank matrices. `qlora` is LoRA over a 4-bit base model.
        rank: Rank of the matrices.
        alpha: Scale of the matrices. Their product is multiplied by `alpha / rank`.
        dropout: Dropout probability of the adapter.
        targets: Names of the layers that are adapted. `all-linear` is all of them but the output layer.
        quantisation: How `qlora` stores the base model.
    """

    kind: Literal["none", "lora", "qlora", "dora"] = "none"
    rank: int = Field(default=16, gt=0)
    alpha: int = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    quantisation: Quantisation = Quantisation()


class System(RecipeSection):
    """Code system of the rows.

    Attributes:
        name: Name of a code system, or the path of a user's table.
        release: Path of its official files.
    """

    name: str = "icd10cm"
    release: Path | None = None


class Training(RecipeSection):
    """Settings of the training.

    Attributes:
        max_length: Largest number of tokens of an example, or of a pack of examples.
        steps: Number of steps. Either `steps` or `epochs` is given.
        epochs: Number of epochs, which need not be whole.
        batch_tokens: Largest number of tokens per device and batch, including padding, with `batching:
            packed` or `grouped`. None is `max_length`.
        batch_size: Number of rows per device and batch, with `batching: padded`. None is 1.
        accumulation: Number of batches whose gradients are accumulated for one step.
        optimizer: `adamw`, `adamw_8bit`, which keeps the state of AdamW in 8 bits (bitsandbytes), or
            `muon` for models that are trained from scratch: Muon for the matrices of the hidden layers
            and AdamW for the other weights.
        learning_rate: Largest learning rate.
        scheduler: Schedule of the learning rate.
        warmup: Share of the steps during which the learning rate rises.
        weight_decay: Decoupled weight decay.
        max_grad_norm: Norm to which gradients are clipped.
        batching: `packed` fills batches with examples that are isolated from each other, `grouped` pads
            examples of similar lengths, `padded` pads examples of any length.
        attention: Implementation of attention. `auto` is FlashAttention 2 if its package and a GPU are
            available, else PyTorch's (`sdpa`).
        precision: Precision of the computation. `auto` is bf16 on a GPU that supports it, else fp32.
        gradient_checkpointing: Whether activations are computed twice to save memory.
        liger: Whether the kernels of Liger are used (extra `liger`).
        save_every: Number of steps between checkpoints, 0 for none.
        keep: Number of checkpoints that are kept during the run.
        log_every: Number of steps between log entries in `metrics.jsonl`.
        report_to: Tracker that receives the log entries besides `metrics.jsonl`.
    """

    max_length: int = Field(default=512, gt=0)
    steps: int | None = Field(default=None, gt=0)
    epochs: float | None = Field(default=None, gt=0)
    batch_tokens: int | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, gt=0)
    accumulation: int = Field(default=1, gt=0)
    optimizer: Literal["adamw", "adamw_8bit", "muon"] = "adamw"
    learning_rate: float = Field(gt=0)
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    batching: Literal["packed", "grouped", "padded"] = "packed"
    attention: Literal["auto", "sdpa", "flash_attention_2", "flex_attention", "eager"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    gradient_checkpointing: bool = False
    liger: bool = False
    save_every: int = Field(default=0, ge=0)
    keep: int = Field(default=2, gt=0)
    log_every: int = Field(default=20, gt=0)
    report_to: Literal["none", "tensorboard", "trackio"] = "none"

    @model_validator(mode="after")
    def _steps_or_epochs(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self

    @model_validator(mode="after")
    def _batches_are_measured_once(self) -> Self:
        if self.batching == "padded" and self.batch_tokens is not None:
            raise ValueError(
                "batch_tokens: batches of padded rows have a number of rows; set batch_size"
            )
        if self.batching != "padded" and self.batch_size is not None:
            raise ValueError(
                f"batch_size: {self.batching} batches have a number of tokens; set batch_tokens"
            )
        return self

    @property
    def device_rows(self) -> int:
        """Number of rows of the dataset per device and batch. A pack or a group is one row of it."""
        return self.batch_size or 1

    @property
    def device_tokens(self) -> int:
        """Largest number of tokens per device and batch."""
        if self.batching == "padded":
            return self.device_rows * self.max_length
        return self.batch_tokens or self.max_length

    def effective_batch(self, processes: int) -> tuple[int, str]:
        """Return the largest size of the batches of a step, and its unit, `tokens` or `rows`.

        Args:
            processes: Number of processes of the run.
        """
        batches = self.accumulation * processes
        if self.batching == "padded":
            return self.device_rows * batches, "rows"
        return self.device_tokens * batches, "tokens"


class RecipeMetadata(RecipeSection):
    """Description of a recipe for its readers. It has no influence on the run.

    Attributes:
        description: Purpose of the recipe, in one sentence. `cclearn recipes ls` shows it.
        hardware: Hardware that the recipe is meant for. `cclearn recipes ls` shows it.
        memory: Memory that the run needs, and whether it is estimated or measured.
        time: Time that the run takes, and whether it is measured.
        data: Files that the run reads, and how they are built.
        reference: Published figures that the run can be compared with.
        prerequisite: Command that must have been run before, if any.
        command: Command that starts the run.
        ablations: Overrides for runs to compare with, by name, as they follow `command`.
    """

    description: str | None = None
    hardware: str | None = None
    memory: str | None = None
    time: str | None = None
    data: str | None = None
    reference: str | None = None
    prerequisite: str | None = None
    command: str | None = None
    ablations: dict[str, str] = Field(default_factory=dict)


class Recipe(RecipeMetadata):
    """A training run.

    Attributes:
        name: Name of the recipe.
        seed: Seed of the initial weights and of the order of the rows.
        output: Folder of the model.
        licence: Licence of the model, for its model card.
        code_system: Code system of the rows.
        model: Model that the run starts from.
        adapter: Adapter that is trained, if any.
        rows: Rows that the model is trained on.
        training: Settings of the training.
        development: Rows that are not trained on. None trains on all rows.
        grpo: Settings of the second stage. A recipe without them is for supervised fine-tuning.
        baseline: Settings of a discriminative coder. A recipe without them is for a language model.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    seed: int = 0
    output: Path
    licence: str | None = None
    code_system: System = System()
    model: Model
    adapter: Adapter = Adapter()
    rows: Rows
    training: Training
    development: Development | None = None
    grpo: Grpo | None = None
    baseline: Baseline | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of all files of rows that the run reads."""
        own = self.development.path if self.development is not None else None
        return (*self.rows.files, *([own] if own is not None else []))

    def settings(self) -> dict[str, Any]:
        """Return the settings of the run as JSON values, without the metadata of the recipe."""
        return self.model_dump(mode="json", exclude=set(RecipeMetadata.model_fields))

    @model_validator(mode="after")
    def _settings_are_compatible(self) -> Self:
        if self.adapter.kind != "none" and self.model.scratch is not None:
            raise ValueError("adapter: a model with random weights cannot be adapted; set none")
        if self.adapter.kind != "none" and self.training.optimizer == "muon":
            raise ValueError("training.optimizer: muon cannot train an adapter; set adamw")
        if self.adapter.kind != "none" and self.model.trim_vocabulary:
            raise ValueError(
                "model.trim_vocabulary: an adapter is stored without its model, which would be lost; set"
                " adapter.kind to none"
            )
        epochs = self.training.epochs
        if self.rows.order == "span_then_document" and (epochs is None or epochs % 1):
            raise ValueError(
                "training.epochs: with rows.order = span_then_document a run must not end within an"
                " epoch; give a whole number of epochs"
            )
        if self.grpo is not None:
            self._check_grpo(self.grpo)
        if self.baseline is None:
            self._check_language_model()
        else:
            self._check_baseline(self.baseline)
        return self

    def _check_language_model(self) -> None:
        problems = []
        if self.rows.overflow == "cut":
            problems.append(
                "rows.overflow: an answer needs the whole note; set raise, drop or window"
            )
        if self.development is not None and self.development.best == "map":
            problems.append("development.best: a language model has no eval_map; set code_f1")
        if self.model.scratch is not None and self.model.scratch.tokenizer is not None:
            problems.append("model.scratch.tokenizer: its instructions would be no tokens; omit it")
        if problems:
            raise ValueError("; ".join(problems))

    def _check_baseline(self, baseline: Baseline) -> None:
        model, training, problems = self.model, self.training, []
        if self.grpo is not None:
            problems.append("grpo: a discriminative coder writes no answers; set null")
        if self.adapter.kind != "none":
            problems.append("adapter.kind: a discriminative coder trains all weights; set none")
        if model.chat_template is not None or model.trim_vocabulary:
            problems.append("model: chat_template and trim_vocabulary are for language models")
        if self.rows.spans_per_row != 1:
            problems.append("rows.spans_per_row: spans share no instruction here; set 1")
        if self.rows.overflow == "window":
            problems.append(
                "rows.overflow: labels are those of a whole note; set raise, drop or cut"
            )
        if training.batching == "packed":
            problems.append("training.batching: each row has its own labels; set grouped or padded")
        if training.liger:
            problems.append("training.liger: its kernels are for language models; set false")
        if baseline.head_learning_rate is not None and training.optimizer != "adamw":
            problems.append(
                f"baseline.head_learning_rate: {training.optimizer} has one learning rate; set"
                " training.optimizer to adamw, or omit it"
            )
        if problems:
            raise ValueError("; ".join(problems))

    def _check_grpo(self, grpo: Grpo) -> None:
        rows = self.training.device_rows * self.training.accumulation
        problems = []
        if self.model.scratch is not None:
            problems.append("model.scratch: grpo needs a fine-tuned model; set model.path")
        if self.model.trim_vocabulary:
            problems.append("model.trim_vocabulary: grpo trains on notes alone; set false")
        if self.rows.order != "document_only":
            problems.append("rows.order: grpo trains on notes; set document_only")
        if self.training.optimizer == "muon":
            problems.append("training.optimizer: grpo requires adamw or adamw_8bit")
        if self.training.batching != "padded":
            problems.append("training.batching: grpo needs batches of rows; set padded")
        if self.development is not None:
            problems.append("development: grpo does not evaluate it; set null")
        if self.rows.overflow == "window":
            problems.append("rows.overflow: grpo needs whole notes; set raise or drop")
        if grpo.answer_length >= self.training.max_length:
            problems.append(
                "grpo.answer_length: it leaves no room for a note in training.max_length"
            )
        if rows % grpo.generations:
            problems.append(
                f"training.batch_size * accumulation = {rows}: it must be a multiple of"
                f" grpo.generations = {grpo.generations}"
            )
        if problems:
            raise ValueError("; ".join(problems))
