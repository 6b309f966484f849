"""Lengths of gold answers: how much room an answer needs beside its prompt.

python benchmarks/answers.py --data FOLDER --tokenizer FOLDER [--windows 0 1024 4096]

FOLDER contains `codiesp`, whose Spanish notes have evidence. The tokenizer needs a chat template.
Notes are split into windows as in training, so that a prompt and its answer have at most so many
tokens; 0 stands for whole notes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import save

from cclearn import CodedNote
from cclearn.codes import CodeSystem
from cclearn.engines.read_ahead import answer_budget
from cclearn.evaluation.corpora import find_corpus
from cclearn.models import load_tokenizer
from cclearn.notes.windows import TooLongError
from cclearn.prompts import document_answer, document_prompt
from cclearn.prompts.encoding import encode_completion, encode_prompt
from cclearn.rows.windows import note_windows

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)


def notes(folder: Path, system: CodeSystem) -> Iterator[CodedNote]:
    """Yield the notes of CodiEsp in Spanish, whose codes have evidence."""
    corpus = find_corpus("codiesp")
    options = corpus.options_type(language="es")
    for split in ("train", "dev"):
        for note in corpus.read(folder / "codiesp", split, options, system):
            if note.codes:
                yield note


def lengths(tokenizer: Any, note: CodedNote) -> tuple[int, int]:
    """Return the tokens of a note's prompt and of its answer with the end-of-turn token."""
    prompt = document_prompt(note.text)
    return len(encode_prompt(tokenizer, prompt)), len(
        encode_completion(tokenizer, prompt, document_answer(note))
    )


def fits(tokenizer: Any, most: int, note: CodedNote) -> bool:
    """Return whether a note's prompt and its answer have at most so many tokens."""
    return sum(lengths(tokenizer, note)) <= most


def figures(pairs: list[tuple[int, int]]) -> dict[str, Any]:
    """Return the quantiles of the ratios of answers to prompts, and how many answers the budget cuts."""
    prompt, answer = np.array(pairs).T
    budget = np.array([answer_budget(tokens) for tokens in prompt])

    def quantiles(values: Any) -> dict[str, float]:
        return {str(q): round(float(np.quantile(values, q)), 3) for q in QUANTILES}

    return {
        "answers": len(pairs),
        "answer_tokens": quantiles(answer),
        "answer_by_prompt": quantiles(answer / prompt),
        "answer_by_both": quantiles(answer / (prompt + answer)),
        "share_up_to_a_quarter": round(float((answer * 4 <= prompt + answer).mean()), 4),
        "longer_than_1024": int((answer > 1024).sum()),
        "cut_by_the_budget": int((answer > budget).sum()),
        "largest_share_of_the_budget": round(float((answer / budget).max()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--windows", type=int, nargs="+", default=[0, 512, 1024, 4096])
    arguments = parser.parse_args()
    system = CodeSystem.load()
    tokenizer = load_tokenizer(arguments.tokenizer)
    found = list(notes(arguments.data, system))
    result: dict[str, Any] = {}
    for window in arguments.windows:
        rows = []
        left_out = 0
        for note in found:
            parts: list[CodedNote] = [note]
            if window:
                try:
                    parts = list(note_windows(note, partial(fits, tokenizer, window)))
                except TooLongError:  # A piece of evidence is longer than the window.
                    left_out += 1
                    continue
            rows += [lengths(tokenizer, part) for part in parts]
        name = f"windows of {window} tokens" if window else "whole notes"
        result[name] = {**figures(rows), "notes_left_out": left_out}
    save("answers", result)


if __name__ == "__main__":
    main()
