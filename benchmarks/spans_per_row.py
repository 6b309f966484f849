"""What a model learns from spans that share an instruction, at equal numbers of tokens.

python benchmarks/spans_per_row.py MODEL --data FOLDER [--steps 100] [--documents 50]

MODEL is the folder of Gemma 3 270M, which `cclearn models assemble` wrote, and FOLDER contains
`codiesp`. The model is trained on documents of CodiEsp's Spanish training notes and on the spans of the
other training notes, each kind with half of the tokens. The arms have 1, 4 and 8 spans in a row
(`rows.spans_per_row`) and the same number of steps, whose batches have at most 2,048 tokens.

All arms are measured on the same development rows, which have one span each: the mean loss of the
supervised tokens of spans and of documents, and the share of spans whose code is generated without
restrictions. Development rows are the notes of CodiEsp's development split. The recipes of Gemma 3 270M
have the number of spans that was best on them, so that these notes are no independent test of it.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from claim.data import read_notes
from measure import save

from cclearn.codes import CodeSystem
from cclearn.engines.base import Request
from cclearn.engines.local import LocalEngine
from cclearn.models import load_model, load_tokenizer
from cclearn.notes.jsonl import write_rows
from cclearn.prompts.parser import parse_answer
from cclearn.rows import EncodedRow, encode_rows, limit_rows
from cclearn.runtime.progress import quiet_libraries
from cclearn.training.batches import GroupCollator, make_dataset
from cclearn.training.choose import choose_rows
from cclearn.training.head_loss import IGNORED, summed_loss
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe
from cclearn.training.sft import run_sft

ARMS = (1, 4, 8)
DEVELOPMENT = {"span": 300, "document": 100}
ANSWER = 64


def recipe_of(model: Path, files: dict[str, Path], output: Path, settings: Sequence[str]) -> Recipe:
    """Return the recipe of a run. The spans are those of coded notes."""
    sources = [
        {"kind": "span", "path": str(files["span"]), "negatives": 0, "share": 0.5},
        {"kind": "document", "path": str(files["document"]), "share": 0.5, "repeats": 100},
    ]
    return load_recipe(
        "gemma-3-270m/sft_full",
        [
            f"model.path={json.dumps(str(model.resolve()))}",
            f"output={json.dumps(str(output))}",
            f"rows.sources={json.dumps(sources)}",
            *(
                "rows.invalid=drop",
                "rows.evaluation=[]",
                "training.epochs=null",
                "training.accumulation=1",
            ),
            *("model.trim_vocabulary=true", "training.save_every=0", *settings),
        ],
    )


def losses(folder: Path, recipe: Recipe, system: CodeSystem) -> tuple[dict[str, float], list[Any]]:
    """Return the mean loss of the development rows of each kind, and the span rows.

    Args:
        folder: Folder of the trained model.
        recipe: Recipe with the development notes as its rows, one span in each span row.
        system: Code system of the rows.
    """
    tokenizer, model = load_tokenizer(str(folder)), load_model(str(folder)).eval()
    found: dict[str, float] = {}
    spans: list[Any] = []
    for chosen in choose_rows(recipe, system):
        kind = chosen.source.kind
        rows = limit_rows(chosen.rows, DEVELOPMENT[kind], None, recipe.seed)
        spans += rows if kind == "span" else []
        encoded, _ = encode_rows(rows, tokenizer, recipe.training.max_length, "window")
        found[kind] = round(mean_loss(model, encoded, recipe, tokenizer.pad_token_id), 4)
    return found, spans


def mean_loss(model: Any, rows: list[EncodedRow], recipe: Recipe, pad: int) -> float:
    """Return the mean loss of the supervised tokens of encoded rows."""
    dataset, _ = make_dataset([rows], recipe.training)
    collate = GroupCollator(pad)
    total = tokens = 0.0
    for group in dataset:
        batch = collate([group])
        labels = batch.pop("labels")
        with torch.no_grad(), summed_loss(model, labels):
            total += float(model(**batch, use_cache=False).logits)
        tokens += int((labels[:, 1:] != IGNORED).sum())
    return total / tokens


def share_right(folder: Path, spans: Sequence[Any]) -> float:
    """Return the share of spans for which the model generates their code, without a grammar."""
    engine = LocalEngine.load(str(folder), batch_size=32, max_new_tokens=ANSWER)
    answers = engine.generate(Request(row.id, row.prompt) for row in spans)
    right = 0
    for row, answer in zip(spans, answers, strict=True):
        lines = parse_answer(answer.text, answer.complete).lines
        right += bool(lines) and lines[0].code == row.code
    return round(right / len(spans), 4)


def measure(work: Path, model: Path, data: Path, steps: int, documents: int) -> dict[str, Any]:
    """Train and measure all arms."""
    system = CodeSystem.load()
    training, development = (read_notes(data, split, system) for split in ("train", "dev"))
    files = {"document": work / "document.jsonl", "span": work / "span.jsonl"}
    write_rows(files["document"], training[:documents])
    write_rows(files["span"], training[documents:])
    held_out = work / "development.jsonl"
    write_rows(held_out, development)
    evaluation = recipe_of(
        model, {"span": held_out, "document": held_out}, work / "none", ["training.steps=1"]
    )
    arms: dict[str, Any] = {}
    for number in ARMS:
        settings = [f"training.steps={steps}", f"rows.spans_per_row={number}"]
        folder = run_sft(recipe_of(model, files, work / str(number), settings))
        manifest = json.loads((folder / "manifest.json").read_text())
        gc.collect()
        found, spans = losses(folder, evaluation, system)
        arms[str(number)] = {
            "tokens": manifest["tokens_seen"],
            "seconds": manifest["seconds"],
            "development_loss": found,
            "development_spans_right": share_right(folder, spans),
        }
        print(number, arms[str(number)], flush=True)
    return {"model": model.name, "steps": steps, "documents": documents, "spans_per_row": arms}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of Gemma 3 270M")
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--documents", type=int, default=50)
    arguments = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory(prefix="cclearn-spans-") as name:
        figures = measure(
            Path(name), arguments.model, arguments.data, arguments.steps, arguments.documents
        )
    save("spans_per_row", figures)


if __name__ == "__main__":
    main()
