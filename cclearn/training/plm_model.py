"""The labels, the tokenizer and the model that a run of a discriminative coder starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import ModernBertConfig, PreTrainedTokenizerBase, set_seed

from cclearn.baselines.evidence import Method
from cclearn.baselines.label_texts import label_texts
from cclearn.baselines.model import PlmConfig, PlmModel, without_pooler
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.models import load_config, load_encoder, load_tokenizer
from cclearn.rows import TrainingRow
from cclearn.rows.labelled import codes_of, cut_tokens, encode_plain, text_of
from cclearn.runtime.files import read_text
from cclearn.runtime.processes import process_state, sharding
from cclearn.training.baseline_settings import Baseline
from cclearn.training.choose import ChosenRows
from cclearn.training.initial_model import attention_implementation, refuse_unavailable
from cclearn.training.prepare import PreparedRows, prepare_rows
from cclearn.training.recipe import Recipe, Scratch
from cclearn.training.scratch import END, PAD, train_tokenizer

_DROPOUT = 0.1
"""Dropout of an encoder with random weights."""

_DESCRIPTION_TOKENS = 32
"""Number of tokens of a description that are encoded, as in GKI-ICD."""

_BATCH = 256

_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer", "mpnet")
"""Types of encoders whose positions begin after the number of the padding token."""


def label_space(recipe: Recipe, chosen: Sequence[ChosenRows], system: CodeSystem) -> list[str]:
    """Return the codes that the model of a recipe scores, in ascending order.

    Args:
        recipe: Recipe of the run.
        chosen: Chosen rows of each source.
        system: Code system of the rows.

    Raises:
        DataError: The file of codes cannot be read.
        ConfigurationError: A code of the file cannot be assigned, or there are no codes.
    """
    labels = baseline_of(recipe).labels
    if labels == "billable":
        return sorted(system.billable_codes())
    if isinstance(labels, Path):
        codes = codes_in(labels, system)
    else:
        rows = (row for source in chosen for row in source.rows)
        codes = {code for row in rows for code in codes_of(row)}
    if not codes:
        raise ConfigurationError(
            [f"baseline.labels ({labels}): there are no codes to score. Name other rows or labels."]
        )
    return sorted(codes)


def plm_rows(
    recipe: Recipe, chosen: list[ChosenRows], system: CodeSystem
) -> tuple[list[str], PreTrainedTokenizerBase, PreparedRows]:
    """Return the labels, the tokenizer and the encoded rows of a recipe.

    Args:
        recipe: Recipe of the run.
        chosen: Chosen rows of each source.
        system: Code system of the rows.

    Raises:
        DataError: The file of codes cannot be read.
        ConfigurationError: Rows are too long, there are no labels, or the tokenizer cannot be loaded.
    """
    labels = label_space(recipe, chosen, system)
    tokenizer = plm_tokenizer(recipe, [row for source in chosen for row in source.rows])
    return labels, tokenizer, prepare_rows(recipe, chosen, tokenizer, set(labels))


def codes_in(path: Path, system: CodeSystem) -> set[str]:
    """Return the codes of a file with one code in each line.

    Raises:
        DataError: The file cannot be read.
        ConfigurationError: Some codes are not billable.
    """
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    wrong = sum(not system.is_billable(code) for code in lines)
    if wrong:
        raise ConfigurationError(
            [
                f"baseline.labels (path = {path}): {wrong:,} of its {len(lines):,} codes are not"
                f" billable in {system.name} {system.release}. Remove them."
            ]
        )
    return {system.canonical(code) for code in lines}


def plm_tokenizer(recipe: Recipe, rows: Sequence[TrainingRow]) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the encoder. An encoder with random weights gets a new one.

    Args:
        recipe: Recipe of the run.
        rows: Rows that a new tokenizer is trained on.

    Raises:
        ConfigurationError: The tokenizer cannot be loaded.
    """
    scratch = recipe.model.scratch
    if scratch is not None and scratch.tokenizer is not None:
        return load_tokenizer(scratch.tokenizer)
    if scratch is not None:
        texts = map(text_of, rows)
        return train_tokenizer(texts, scratch.vocabulary, [PAD, END])
    return load_tokenizer(str(recipe.model.path), recipe.model.revision)


def plm_config(
    recipe: Recipe, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]
) -> PlmConfig:
    """Return the configuration of the model. Only the configuration of the encoder is loaded.

    Args:
        recipe: Recipe of the run.
        tokenizer: Tokenizer of the encoder.
        labels: Codes that the model scores.

    Raises:
        ConfigurationError: The encoder's configuration cannot be loaded, a chunk is longer than its
            context, or the encoder has no dropout that two passes could differ in.
    """
    settings = baseline_of(recipe)
    if recipe.model.scratch is not None:
        encoder: Any = _scratch_config(recipe.model.scratch, tokenizer, settings.chunk)
    else:
        encoder = load_config(str(recipe.model.path), recipe.model.revision)
    longest = _positions(encoder) or settings.chunk
    if settings.chunk > longest:
        raise ConfigurationError(
            [
                f"baseline.chunk ({settings.chunk}): the encoder has positions for {longest} tokens"
                " only. Decrease it."
            ]
        )
    if settings.consistency and not _has_dropout(encoder):
        raise ConfigurationError(
            [
                f"baseline.consistency ({settings.consistency}): the encoder has no dropout, so that two"
                " passes are equal. Omit it, or use another encoder."
            ]
        )
    return PlmConfig(
        encoder=encoder.to_dict(),
        head=settings.head,
        codes=labels,
        chunk=settings.chunk,
        document_tokens=recipe.training.max_length,
        label_chunk=settings.label_chunk,
        threshold=settings.threshold,
        evidence_thresholds=dict.fromkeys(get_args(Method), settings.evidence_threshold),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def plm_model(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerBase,
    labels: Sequence[str],
    system: CodeSystem,
) -> PlmModel:
    """Return the model of a recipe. Random weights depend on the seed of the recipe.

    Args:
        recipe: Recipe of the run.
        tokenizer: Tokenizer of the encoder.
        labels: Codes that the model scores.
        system: Code system that provides the descriptions of the labels.

    Raises:
        ConfigurationError: The encoder cannot be loaded, or the weights are to be sharded.
    """
    if sharding() != "none":
        raise ConfigurationError(
            [
                f"launcher ({sharding()}): the model of a baseline is small, and its weights are not"
                " sharded. Use recipes/accelerate/ddp.yaml."
            ]
        )
    refuse_unavailable(recipe)
    config = plm_config(recipe, tokenizer, labels)
    set_seed(recipe.seed)
    model = PlmModel(config)
    if recipe.model.scratch is None:
        path, revision = str(recipe.model.path), recipe.model.revision
        model.encoder = load_encoder(path, revision, dtype=torch.float32)
        without_pooler(model.encoder)
    if model.head.uses_descriptions:
        model.head.start_from(_encoded(model, tokenizer, label_texts(labels, system)))
    model.encoder.set_attn_implementation(attention_implementation(recipe.training))
    return model


def _encoded(
    model: PlmModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
) -> torch.Tensor:
    """Return the encodings of descriptions in 32 bits, of shape (texts, width)."""
    device = process_state().device
    model.to(device).eval()
    model.encoder.set_attn_implementation("sdpa")  # FlashAttention refuses 32 bits.
    found = []
    for first in range(0, len(texts), _BATCH):
        tokens = [
            torch.tensor(cut_tokens(tokenizer, row, _DESCRIPTION_TOKENS), device=device)
            for row in encode_plain(tokenizer, texts[first : first + _BATCH])
        ]
        mask = pad_sequence([torch.ones_like(row) for row in tokens], batch_first=True)
        found.append(model.encoded_texts(pad_sequence(tokens, batch_first=True), mask))
    model.cpu().train()
    return torch.cat(found).cpu()


def _scratch_config(
    scratch: Scratch, tokenizer: PreTrainedTokenizerBase, chunk: int
) -> ModernBertConfig:
    return ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=scratch.hidden_size,
        intermediate_size=scratch.intermediate_size,
        num_hidden_layers=scratch.layers,
        num_attention_heads=scratch.heads,
        max_position_embeddings=chunk,
        global_attn_every_n_layers=1,
        initializer_range=scratch.initializer_range,
        embedding_dropout=_DROPOUT,
        mlp_dropout=_DROPOUT,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        cls_token_id=None,
        sep_token_id=None,
    )


def _positions(encoder: Any) -> int | None:
    """Return the number of tokens that an encoder has positions for, None if it is not limited."""
    positions: int | None = getattr(encoder, "max_position_embeddings", None)
    if positions is None or positions <= 0:  # XLNet has -1.
        return None
    if encoder.model_type in _OFFSET_POSITIONS:
        return positions - int(encoder.pad_token_id) - 1
    return positions


def baseline_of(recipe: Recipe) -> Baseline:
    """Return the section of a recipe for a discriminative coder.

    Raises:
        ConfigurationError: The recipe has no such section.
    """
    if recipe.baseline is None:
        raise ConfigurationError(
            [f"baseline ({recipe.name}): the recipe has no such section. Launch recipes/sft.py."]
        )
    return recipe.baseline


def _has_dropout(encoder: Any) -> bool:
    """Return whether the configuration of an encoder has a probability of dropout above 0."""
    values = [value for name, value in encoder.to_dict().items() if "dropout" in name]
    return any(isinstance(value, float) and value > 0 for value in values)
