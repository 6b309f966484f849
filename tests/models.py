"""Tiny random-initialised models, made on the spot."""

from __future__ import annotations

import torch

from cclearn.engines.local import LocalEngine
from cclearn.notes import SpanPair
from cclearn.rows import TrainingRow, span_row
from cclearn.training.recipe import Scratch
from cclearn.training.scratch import make_model, make_tokenizer

SHAPE = Scratch(hidden_size=32, layers=2, heads=2, intermediate_size=64, vocabulary=500)

WORDS = (
    "Acute myocardial infarction of anterior wall",
    "Type 2 diabetes mellitus without complications",
    "Essential (primary) hypertension",
    "Chief complaint: shortness of breath. History of present illness: admitted with pneumonia.",
    "No evidence of heart failure. Family history: Father with stroke. Plan: follow-up, 20 mg.",
)


def rows() -> list[TrainingRow]:
    """Return rows to train a tokenizer on."""
    return [
        span_row(
            SpanPair(
                id=str(number), text=text, code="I21.4", release="x", grade="gold", source="test"
            )
        )
        for number, text in enumerate(WORDS)
    ]


def random_engine(seed: int = 0, batch_size: int = 4, max_new_tokens: int = 96) -> LocalEngine:
    """Return an engine over random weights."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(rows(), SHAPE.vocabulary)
    model = make_model(SHAPE, tokenizer, max_length=512).eval()
    return LocalEngine(
        model, tokenizer, batch_size=batch_size, max_new_tokens=max_new_tokens, name="random"
    )
