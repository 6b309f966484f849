from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.evaluation import evaluate
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.rows import encode_rows, read_source
from cclearn.training.batches import RowSampler, make_dataset
from cclearn.training.scratch import make_model, make_tokenizer
from cclearn.training.sft import run_sft
from data_builders.builder import configure, find_builder
from data_builders.output import build
from tests.models import SHAPE
from tests.training.runs import ROOT, script, tiny_recipe


def test_a_run_writes_a_model_and_its_manifest(run: Path, system: CodeSystem, data: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"model.safetensors", "tokenizer.json", "config.json", "manifest.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["code_system"]["release"] == system.release
    assert manifest["recipe"]["training"]["steps"] == 6
    assert len(manifest["prompt_sha256"]) == len(manifest["rows_sha256"]) == 64
    assert len(manifest["sources_sha256"]) == 2
    span, document = manifest["rows"]
    assert (span["kind"], span["grade"], document["kind"], document["grade"]) == (
        "span",
        "gold",
        "document",
        None,
    )
    assert span["rows"] > document["rows"] == 20
    assert (span["origins"], document["origins"]) == (["public"], ["synthetic"])
    batch = manifest["effective_batch"], manifest["batch_unit"]
    assert (manifest["processes"], *batch) == (1, 512, "tokens")
    card = (run / "README.md").read_text()
    assert f"release {system.release}" in card
    assert "| span | gold | public |" in card
    assert manifest["tokens_seen"] > 0
    losses = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1]["step"] == 6


def test_a_users_code_system_can_be_trained_and_coded(tmp_path: Path) -> None:
    table = tmp_path / "operations.csv"
    rows = [f"{n}.{k},Repair {k} of organ {n},mending {k} {n}" for n in "abc" for k in "xyz"]
    table.write_text("\n".join(["code,description,synonyms", *rows, ""]), encoding="utf-8")
    system = CodeSystem.load(str(table))
    spans = find_builder("user_table")
    pairs = build(spans, configure(spans, {}), tmp_path / "pairs", system).data
    notes = find_builder("template_notes")
    config = configure(notes, {"pairs": str(pairs), "notes": 12})
    build(notes, config, tmp_path / "notes", system)
    trained = run_sft(
        tiny_recipe(tmp_path, tmp_path / "run", f"code_system.name={table}", "training.steps=2")
    )
    manifest = json.loads((trained / "manifest.json").read_text())
    assert manifest["code_system"]["name"] == "operations"
    (row, *_) = read_source(pairs, "span", system)
    assert "operations code" in row.prompt[0]["content"]
    gold = list(read_coded_notes(tmp_path / "notes" / "notes.jsonl", system))
    coded = list(Coder.load(trained, system).code_many(note.note for note in gold[:3]))
    assert all(system.is_billable(a.code) for note in coded for a in note.codes)
    scores = evaluate(gold[:3], {"it": coded}, system).evaluations["it"]
    assert scores.value("invalid_rate") == 0


def test_a_trained_model_codes(run: Path, data: Path, system: CodeSystem) -> None:
    gold = list(read_coded_notes(data / "notes" / "notes.jsonl"))[:4]
    coder = Coder.load(run, system, engine=EngineSettings(batch_size=2, max_new_tokens=64))
    coded = list(coder.code_many(note.note for note in gold))
    assert [note.id for note in coded] == [note.id for note in gold]
    assert all(not note.invalid and not note.ungrounded for note in coded)


def test_a_model_of_codes_alone_is_trained_and_codes_without_evidence(
    data: Path, tmp_path: Path, system: CodeSystem
) -> None:
    gold = list(read_coded_notes(data / "notes" / "notes.jsonl"))
    bare = [
        note.model_copy(
            update={"codes": [a.model_copy(update={"evidence": []}) for a in note.codes]}
        )
        for note in gold
    ]
    write_rows(tmp_path / "notes.jsonl", bare)
    settings = ["rows.template=codes", "rows.uncited=answer_only", "training.steps=60"]
    path = json.dumps(str(tmp_path / "notes.jsonl"))
    run = run_sft(tiny_recipe(data, tmp_path / "run", *settings, f"rows.sources.1.path={path}"))
    coder = Coder.load(run, system, engine=EngineSettings(batch_size=2, max_new_tokens=64))
    coded = list(coder.code_many(note.note for note in gold[:4]))
    found = [assigned for note in coded for assigned in note.codes]
    assert found
    assert all(not a.evidence and a.score is not None and a.status == "valid" for a in found)
    assert all(not note.ungrounded and not note.repeated for note in coded)
    scores = evaluate(gold[:4], {"it": coded}, system).evaluations["it"]
    assert scores.value("evidence_empty") == 1
    loop = LoopSettings(recogniser=str(run))
    with pytest.raises(ConfigurationError, match="it has learnt codes without evidence"):
        Coder.load(run, system, loop=loop)


def test_the_same_recipe_gives_the_same_weights(run: Path, data: Path, tmp_path: Path) -> None:
    again = run_sft(tiny_recipe(data, tmp_path / "again"))
    name = "model.safetensors"
    assert (again / name).read_bytes() == (run / name).read_bytes()
    assert (again / "tokenizer.json").read_bytes() == (run / "tokenizer.json").read_bytes()
    other = run_sft(tiny_recipe(data, tmp_path / "other", "seed=1"))
    assert (other / name).read_bytes() != (run / name).read_bytes()


def test_the_loss_falls(data: Path, tmp_path: Path) -> None:
    folder = run_sft(tiny_recipe(data, tmp_path / "long", "training.steps=60"))
    losses = [
        entry["loss"]
        for line in (folder / "metrics.jsonl").read_text().splitlines()
        if "loss" in (entry := json.loads(line))
    ]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("batching", ["packed", "grouped", "padded"])
def test_the_loss_is_that_of_separate_examples(
    data: Path, tmp_path: Path, system: CodeSystem, batching: str
) -> None:
    from cclearn.training import sft

    rows = list(read_source(data / "pairs" / "pairs.jsonl", "span", system))[:5]
    rows += list(read_source(data / "notes" / "notes.jsonl", "document"))[:2]
    torch.manual_seed(0)
    tokenizer = make_tokenizer(rows, 500)
    model = make_model(SHAPE, tokenizer, 1024).eval()
    encoded, _ = encode_rows(rows, tokenizer, 1024)
    total, supervised = 0.0, 0
    for row in encoded:
        ids = torch.tensor([row.input_ids])
        with torch.no_grad():
            logs = model(input_ids=ids, use_cache=False).logits[0, :-1].log_softmax(-1)
        on = torch.tensor(row.completion_mask[1:], dtype=torch.bool)
        total -= float(logs.gather(-1, ids[0, 1:, None])[:, 0][on].sum())
        supervised += int(on.sum())
    settings = [f"training.batching={batching}", "training.max_length=4096"]
    if batching == "padded":
        settings += ["training.batch_tokens=null", f"training.batch_size={len(encoded)}"]
    recipe = tiny_recipe(data, tmp_path / "x", *settings)
    dataset, sizes = make_dataset([encoded], recipe.training)
    trainer = sft._Trainer(
        model=model,
        args=sft._arguments(recipe),
        train_dataset=dataset,
        processing_class=tokenizer,
        sampler=RowSampler(sizes, 0),
        data_collator=sft._collator(recipe.training, tokenizer),
    )
    trainer.model.eval()
    (batch,) = trainer.get_train_dataloader()
    with torch.no_grad():
        loss = float(trainer.compute_loss(trainer.model, batch))
    assert loss == pytest.approx(total / supervised, rel=1e-4)


def split(row: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """Return the tokens and labels of each example in a pack or a group."""
    if "seq_lengths" not in row:
        return list(zip(row["input_ids"], row["labels"], strict=True))
    ends = list(accumulate(row["seq_lengths"], initial=0))
    assert ends[-1] == len(row["input_ids"])
    return [
        (row["input_ids"][start:end], row["labels"][start:end]) for start, end in pairwise(ends)
    ]


@pytest.mark.parametrize("batching", ["packed", "grouped"])
def test_only_completions_are_supervised(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batching: str
) -> None:
    from cclearn.training import sft

    seen = []

    class Spy(sft._Trainer):  # type: ignore[misc]
        def train(self, *args: object, **kwargs: object) -> object:
            seen.append((self.train_dataset, self.processing_class))
            return super().train(*args, **kwargs)

    monkeypatch.setattr(sft, "_Trainer", Spy)
    settings = [f"training.batching={batching}", "training.steps=1"]
    folder = run_sft(tiny_recipe(data, tmp_path / "spied", *settings))
    ((dataset, tokenizer),) = seen
    examples = [example for row in dataset for example in split(row)]
    for ids, labels in examples:
        learnt = [token for token, label in zip(ids, labels, strict=True) if label != -100]
        assert learnt[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(learnt[:-1])
        assert text == "none" or all(line.startswith("- ") for line in text.split("\n"))
        assert tokenizer.convert_tokens_to_ids("<|assistant|>") not in learnt
    assert len(examples) == json.loads((folder / "manifest.json").read_text())["epoch_rows"]


def test_bad_rows_are_refused_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"longer than max_length = 20"):
        run_sft(tiny_recipe(data, tmp_path / "a", "training.max_length=20"))
    with pytest.raises(DataError, match="no such file"):
        run_sft(tiny_recipe(data, tmp_path / "b", "rows.sources.0.path=gone.jsonl"))
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(ConfigurationError, match="no row of it is left"):
        run_sft(tiny_recipe(data, tmp_path / "c", f"rows.sources.0.path={json.dumps(str(empty))}"))
    with pytest.raises(ConfigurationError, match=r"model \(model = .*nowhere"):
        run_sft(
            tiny_recipe(data, tmp_path / "d", "model={path: ./nowhere}", "training.optimizer=adamw")
        )
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(CclearnError, match="--overwrite"):
        run_sft(tiny_recipe(data, tmp_path / "taken"))
    assert {path.name for path in tmp_path.iterdir()} == {"empty.jsonl", "taken"}


@pytest.mark.slow
def test_accelerate_launches_the_script(data: Path, tmp_path: Path, run: Path) -> None:
    done = subprocess.run(
        script(data, tmp_path / "run"), capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Next: cclearn code" in done.stdout
    name = "model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes()
    wrong = subprocess.run(
        script(data, tmp_path / "wrong", "trainin.steps=1"),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert wrong.returncode != 0
    assert "trainin: unknown key. Did you mean 'training'?" in wrong.stderr


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_output(data: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "recipes" / "sft.py"),
            *script(data, tmp_path / "run", "training.steps=100000")[6:],
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Shells start jobs in the background with it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(tmp_path.glob(".run.partial*/metrics.jsonl")):
        time.sleep(0.2)
    assert process.poll() is None, "the run ended before it could be stopped"
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not (tmp_path / "run").exists()
    assert list(tmp_path.iterdir()) == []
