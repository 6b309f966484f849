"""The inputs of the commands that are killed while they write (`tests.kills`)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn


def prepare(inputs: Path, names: Sequence[str]) -> None:
    """Write the inputs of the commands of these names."""
    from cclearn.codes import CodeSystem
    from cclearn.notes import AssignedCode, CodedNote
    from cclearn.notes.jsonl import write_rows
    from data_builders.builder import configure, find_builder
    from data_builders.output import build
    from tests.bulk.corpora import SENTENCES, write_jsonl

    write_jsonl(inputs / "notes.jsonl", 100)
    write_jsonl(inputs / "short.jsonl", 3)
    (inputs / "note.txt").write_text(" ".join(SENTENCES))
    system = CodeSystem.load()
    spans, notes = find_builder("icd10cm"), find_builder("template_notes")
    made = inputs / "synthetic"
    pairs = build(spans, configure(spans, {"under": "I21"}), made / "pairs", system).data
    for split, count, seed in (("train", 10, 1), ("test", 12, 2)):
        settings = {"pairs": str(pairs), "notes": count, "seed": seed}
        built = build(notes, configure(notes, settings), made / split, system).data
    for name in ("gold", "one", "two"):
        shutil.copyfile(built, inputs / f"{name}.jsonl")
    text, right = "Seen with gastroenteritis, gout and acne.", [AssignedCode(code="K52.9")]
    write_rows(
        inputs / "calibration.jsonl",
        (CodedNote(id=f"n{n}", text=text, codes=right) for n in range(80)),
    )
    (inputs / "table.csv").write_text(
        "visit,text,codes\n" + "".join(f'{n},"{text}",K52.9;M10.9\n' for n in range(40))
    )
    bare = [AssignedCode(code="K52.9"), AssignedCode(code="M10.9")]
    write_rows(
        inputs / "bare.jsonl", (CodedNote(id=f"n{n}", text=text, codes=bare) for n in range(40))
    )
    more: dict[str, Callable[[Path], None]] = {
        "export": _coded,
        "review export": _reviewed,
        "code cached": _model,
        "merge": _adapter,
    }
    for name, make in more.items():
        if name in names:
            make(inputs)


def _coded(inputs: Path) -> None:
    from cclearn.bulk import BulkOptions, code_corpus
    from cclearn.coding.settings import CoderSettings

    code_corpus(inputs / "notes.jsonl", inputs / "coded", CoderSettings(), BulkOptions(20))


def _reviewed(inputs: Path) -> None:
    from cclearn.codes import CodeSystem
    from cclearn.notes.columns import NoteColumns
    from cclearn.review.actions import change_of
    from cclearn.review.folder import ReviewFolder
    from cclearn.review.run import make_session

    folder = ReviewFolder.start(
        inputs / "reviewed", {}, [inputs / "calibration.jsonl"], NoteColumns()
    )
    session, _ = make_session(folder, "anna", CodeSystem.load(), "random", _no_coder)
    for _ in range(20):
        position = session.next()
        assert position is not None
        state = session.open(position).state
        for key in state.entries:
            events = session.view(position).state.events
            state = session.act(position, events, change_of("accept", {"key": key})).state
        session.act(position, state.events, change_of("done", {}))
    session.log.close()


def _no_coder() -> NoReturn:
    raise AssertionError("the notes are coded")


def _model(inputs: Path) -> None:
    from tests.models import random_engine

    engine = random_engine()
    engine.model.save_pretrained(inputs / "model")
    engine.tokenizer.save_pretrained(inputs / "model")


def _adapter(inputs: Path) -> None:
    from cclearn.training.sft import run_sft
    from tests.training.runs import adapting, tiny_recipe

    data = inputs / "data"
    for name in ("pairs", "train"):
        target = data / ("notes" if name == "train" else name)
        shutil.copytree(inputs / "synthetic" / name, target)
    base = run_sft(tiny_recipe(data, inputs / "base"))
    run_sft(tiny_recipe(data, inputs / "adapter", *adapting(base, "lora")))
