"""Engines with random weights, and notes for them to code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from cclearn import CodedNote, Note
from cclearn.codes import CodeSystem
from cclearn.engines.local import LocalEngine
from cclearn.evaluation.corpora import find_corpus
from cclearn.notes.jsonl import read_coded_notes
from cclearn.prompts import Template
from cclearn.rows import document_row
from cclearn.training.recipe import Scratch
from cclearn.training.scratch import make_model, make_tokenizer
from data_builders.builder import configure, find_builder
from data_builders.output import build

TINY = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128, vocabulary=1_500)
SMALL = Scratch(hidden_size=384, layers=9, heads=6, intermediate_size=1_152, vocabulary=8_000)


def corpus_notes(name: str, folder: Path, system: CodeSystem, split: str) -> Iterator[CodedNote]:
    """Yield the notes of a split of a published corpus."""
    corpus = find_corpus(name)
    options = corpus.options_type()
    return corpus.read(folder / name.replace("-", "_"), split, options, system)


def built_notes(count: int, folder: Path, system: CodeSystem) -> list[Note]:
    """Return template notes, which are built in a folder."""
    spans, writer = find_builder("icd10cm"), find_builder("template_notes")
    pairs = build(spans, configure(spans, {"under": "9"}), folder / "pairs", system).data
    config = configure(writer, {"pairs": str(pairs), "notes": count})
    data = build(writer, config, folder / "notes", system).data
    return [note.note for note in read_coded_notes(data.with_suffix(".jsonl"))]


def small_engine(
    shape: Scratch, notes: list[Note], template: Template, **settings: Any
) -> LocalEngine:
    """Return an engine with random weights and a tokenizer that is trained on the notes."""
    rows = [
        document_row(CodedNote(id=note.id, text=note.text), "icd10cm", template)
        for note in notes[:400]
    ]
    torch.manual_seed(0)
    tokenizer = make_tokenizer(rows, shape.vocabulary, template=template)
    model = make_model(shape, tokenizer, max_length=2_048).eval()
    return LocalEngine(model, tokenizer, **settings)


def prevent_short_answers(engine: LocalEngine) -> None:
    """Make an engine generate up to its token limit, and never `none`, with random weights."""
    vocabulary = engine.tokenizer.get_vocab()
    suppressed = [
        engine._end,
        *(vocabulary[word] for word in ("n", "no", "non", "none") if word in vocabulary),
    ]

    def suppress(model: Any, arguments: Any, output: Any) -> None:
        output.logits[..., suppressed] -= 50.0

    engine.model.register_forward_hook(suppress)


def timed(action: Callable[[], object]) -> float:
    """Return the duration of an action in seconds."""
    started = time.perf_counter()
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started
