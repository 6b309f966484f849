"""A recipe: everything about a training run, said in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cclearn.notes.contract import Grade
from cclearn.notes.sections import Unit
from cclearn.prompts.layout import Template
from cclearn.prompts.templates import RowKind
from cclearn.rows.encode import Overflow
from cclearn.rows.mixture import Mixing

Order = Literal["mixed", "span_then_document", "document_only", "span_only"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scratch(_Settings):
    """A Qwen3-architecture model with random weights and a BPE tokenizer trained on the rows."""

    hidden_size: int = Field(default=160, gt=0)
    layers: int = Field(default=4, gt=0)
    heads: int = Field(default=4, gt=0)
    intermediate_size: int = Field(default=448, gt=0)
    vocabulary: int = Field(default=1500, ge=400)
    initializer_range: float = Field(default=0.05, gt=0)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size = {self.hidden_size} is not a multiple of 2 * heads = {2 * self.heads}"
            )
        return self


class Model(_Settings):
    """What the run starts from: a hub name or folder (`path`), or random weights (`scratch`)."""

    path: str | None = None
    revision: str | None = None
    scratch: Scratch | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.path is None) == (self.scratch is None):
            raise ValueError("give either path or scratch")
        return self


class Quantisation(_Settings):
    """How `qlora` stores the weights of the base model (Dettmers et al. 2023, arXiv 2305.14314).

    `storage` is the type that holds the 4-bit numbers: FSDP shards it like the other weights, so it must
    be theirs.
    """

    type: Literal["nf4", "fp4"] = "nf4"
    double: bool = True
    storage: Literal["uint8", "bfloat16"] = "uint8"


class Adapter(_Settings):
    """What is trained: all weights (`none`), or low-rank matrices beside them.

    `lora` (Hu et al. 2021, arXiv 2106.09685), `dora` (Liu et al. 2024, arXiv 2402.09353), or `qlora`:
    LoRA over a base model in four bits. `targets` are the layers that get them; `all-linear` leaves the
    output layer out. The matrices' product is scaled by `alpha / rank`.
    """

    kind: Literal["none", "lora", "qlora", "dora"] = "none"
    rank: int = Field(default=16, gt=0)
    alpha: int = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    quantisation: Quantisation = Quantisation()


class System(_Settings):
    """The code system of the rows: its name or a user's table, and its official files.

    As `CodeSystem.load` takes them.
    """

    name: str = "icd10cm"
    release: Path | None = None


class RowSourceSettings(_Settings):
    """A file of rows.

    `share` is its part of the mix, of the rows. `grades` says how often a pair of each grade stands in
    it: 0.5 keeps half of them, 2 has each twice, 0 none; what is not named counts 1. `most_per_code`
    keeps so many span rows of a code, `most` so many rows in all. What is kept follows from the rows'
    ids and the seed.

    `segments` makes a document row of each sentence or section of a note instead of the whole; of those
    without evidence the share `empty` is kept, and their answer is that there is none. With `negatives`
    the file of a source of span rows holds coded notes: each evidence is a row, and up to so many spans
    of a note that are no evidence are rows whose answer is that they have no code
    (`cclearn.rows.negatives`).
    """

    kind: RowKind
    path: Path
    share: float | None = Field(default=None, gt=0, le=1)
    grades: dict[Grade, Annotated[float, Field(ge=0)]] = {}
    most: int | None = Field(default=None, gt=0)
    most_per_code: int | None = Field(default=None, gt=0)
    segments: Unit | None = None
    empty: float = Field(default=1.0, ge=0, le=1)
    negatives: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _settings_fit_the_kind(self) -> Self:
        problems = []
        if self.kind == "document" and (self.grades or self.most_per_code):
            problems.append("grades and most_per_code are for span rows: a note has no grade")
        if self.kind == "document" and self.negatives is not None:
            problems.append(
                "negatives are span rows: give them to a source of kind span whose path holds the notes"
            )
        if self.kind == "span" and self.segments:
            problems.append("segments are of notes: a source of kind span has none")
        if self.negatives is not None and self.grades:
            problems.append("grades are of span pairs: with negatives the path holds notes")
        if self.empty != 1 and not self.segments:
            problems.append("empty is a share of segments: set segments to sentence or section")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def holds(self) -> RowKind:
        """Return what the file holds: notes (`document`) or span pairs (`span`)."""
        return self.kind if self.negatives is None else "document"


class EvaluationSettings(_Settings):
    """A file that the model will be evaluated on: nothing of it is trained on."""

    kind: RowKind
    path: Path


class Rows(_Settings):
    """What is trained on.

    `order`: both kinds of rows in one shuffle (`mixed`), all span rows before all document rows, or one
    kind alone; sources of the other kind are then left out. `mixing` says how much of each source is in
    an epoch (`cclearn.rows.mixture`). `describe` lets a span row's answer go on with the code's
    description; `overflow` says what happens to a row longer than the context. What `evaluation` holds
    is left out (`cclearn.rows.selection.Contamination`). The share `development` of the rows is not
    trained on either: notes by their ids, spans by their strings; the loss on it is told every
    `training.evaluate_every` steps. `template` is the layout of the answers (`cclearn.prompts.layout`).
    """

    sources: tuple[RowSourceSettings, ...] = Field(min_length=1)
    template: Template = "paired"
    order: Order = "mixed"
    mixing: Mixing | None = None
    temperature: float = Field(default=1.0, ge=1)
    overflow: Overflow = "raise"
    describe: bool = True
    evaluation: tuple[EvaluationSettings, ...] = ()
    development: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _shares_fit_the_mixing(self) -> Self:
        sources = self.used
        if not sources:
            raise ValueError(f"order: {self.order} leaves no source")
        given = [source.share is not None for source in sources]
        if any(given) and not all(given):
            raise ValueError("sources: give every source a share, or none")
        if self.mixing == "fixed_ratio" and not any(given):
            raise ValueError("mixing: fixed_ratio needs a share of every source")
        if self.mixing not in (None, "fixed_ratio") and any(given):
            raise ValueError(f"mixing: {self.mixing} takes no shares")
        if self.order == "span_then_document" and len({source.kind for source in sources}) < 2:
            raise ValueError("order: span_then_document needs sources of both kinds")
        if self.temperature != 1 and self.mixing != "proportional":
            raise ValueError("temperature: it is for mixing: proportional")
        return self

    @property
    def used(self) -> tuple[RowSourceSettings, ...]:
        """Return the sources that the order has rows of."""
        kind = {"document_only": "document", "span_only": "span"}.get(self.order)
        return tuple(source for source in self.sources if kind in (None, source.kind))

    @property
    def files(self) -> tuple[Path, ...]:
        """Return every file that the run reads rows of."""
        return tuple([*(s.path for s in self.used), *(e.path for e in self.evaluation)])


class Training(_Settings):
    """How it is trained.

    It takes so many `steps`, or so many `epochs`. `optimizer: muon` is for models trained from scratch:
    Muon on the matrices of the hidden layers, AdamW on the rest; `adamw_8bit` keeps AdamW's state in
    eight bits (bitsandbytes).

    `max_length` is in tokens, `batch_size` in rows: with `batching: packed` a row is a pack of
    examples, isolated from each other, of `max_length` tokens together; with `grouped` it is one
    example, padded to the longest of a batch of like lengths; with `padded` to the longest of any.

    `attention: auto` is FlashAttention 2 where its package and a GPU are there, else PyTorch's own
    (`sdpa`). `precision: auto` is bf16 on a GPU that has it, else fp32. `gradient_checkpointing`
    computes activations twice to keep fewer; `liger` takes Liger's kernels (an extra). A checkpoint is
    written every `save_every` steps and the last `keep` are kept while the run lasts; 0 writes none.
    The loss is logged every `log_every` steps; `report_to` sends it to TensorBoard's files or to trackio
    besides `metrics.jsonl`.
    """

    max_length: int = Field(default=512, gt=0)
    steps: int | None = Field(default=None, gt=0)
    epochs: int | None = Field(default=None, gt=0)
    batch_size: int = Field(default=1, gt=0)
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
    evaluate_every: int = Field(default=0, ge=0)
    report_to: Literal["none", "tensorboard", "trackio"] = "none"

    @model_validator(mode="after")
    def _steps_or_epochs(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self


class Grpo(_Settings):
    """A second stage: reinforcement on the document rows (GRPO, Shao et al. 2024, arXiv 2402.03300).

    Of every note `generations` answers of at most `answer_length` tokens are drawn at this `temperature`
    and rewarded (`cclearn.evaluation.reward`); `beta` weighs the distance from the model that it began
    with. `ungrounded` and `invalid` are what an answer loses for citing words that the note does not
    hold and for codes that may not be assigned, as a share of what it cites.
    """

    generations: int = Field(default=8, ge=2)
    answer_length: int = Field(default=512, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    beta: float = Field(default=0.0, ge=0)
    ungrounded: float = Field(default=0.5, ge=0)
    invalid: float = Field(default=0.5, ge=0)


class RecipeMetadata(_Settings):
    """What a recipe says about itself to its reader. It has no influence on the run.

    Attributes:
        description: Purpose of the recipe, in one sentence. `cclearn recipes ls` shows it.
        hardware: Hardware that the recipe is meant for. `cclearn recipes ls` shows it.
        memory: Memory that the run needs, and whether it is estimated or measured.
        time: Time that the run takes, and whether it is measured.
        data: Files that the run reads, and how they are built.
        prerequisite: Command that must have been run before, if any.
        command: Command that starts the run.
        ablations: Overrides for runs to compare with, by name, as they follow `command`.
    """

    description: str | None = None
    hardware: str | None = None
    memory: str | None = None
    time: str | None = None
    data: str | None = None
    prerequisite: str | None = None
    command: str | None = None
    ablations: dict[str, str] = {}


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
        grpo: Settings of the second stage. A recipe without them is for supervised fine-tuning.
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
    grpo: Grpo | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings of the run as JSON values, without the metadata of the recipe."""
        return self.model_dump(mode="json", exclude=set(RecipeMetadata.model_fields))

    @model_validator(mode="after")
    def _the_parts_fit(self) -> Self:
        if self.adapter.kind != "none" and self.model.scratch is not None:
            raise ValueError(
                "adapter: a model with random weights has nothing to be adapted; set none"
            )
        if self.adapter.kind != "none" and self.training.optimizer == "muon":
            raise ValueError(
                "training.optimizer: muon is for whole matrices; an adapter needs adamw"
            )
        if self.rows.order == "span_then_document" and self.training.epochs is None:
            raise ValueError(
                "training.steps: with rows.order = span_then_document they may end before the"
                " documents; give training.epochs"
            )
        if (self.rows.development > 0) != (self.training.evaluate_every > 0):
            raise ValueError(
                "rows.development: it goes with training.evaluate_every; give both or none"
            )
        if self.grpo is not None:
            self._fit_for_grpo(self.grpo)
        return self

    def _fit_for_grpo(self, grpo: Grpo) -> None:
        rows = self.training.batch_size * self.training.accumulation
        problems = []
        if self.model.scratch is not None:
            problems.append("model.scratch: random weights answer nothing that could be rewarded")
        if self.rows.order != "document_only":
            problems.append("rows.order: grpo is on notes; set document_only")
        if self.training.optimizer == "muon":
            problems.append("training.optimizer: grpo takes adamw or adamw_8bit")
        if self.training.batching == "packed":
            problems.append("training.batching: grpo takes rows, not packs; set padded")
        if self.rows.development:
            problems.append("rows.development: grpo has no loss to tell on it; set 0")
        if self.rows.overflow == "window":
            problems.append("rows.overflow: grpo takes whole notes; set raise or drop")
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
