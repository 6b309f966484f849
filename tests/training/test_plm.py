from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import RobertaConfig

from cclearn import Coder, evaluate
from cclearn.baselines.load import load_plm
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.training.checkpoints import checkpoint_folder
from cclearn.training.dry_run import dry_run
from cclearn.training.plm import make_job, run_plm
from cclearn.training.plm_model import label_space, plm_config
from cclearn.training.recipe_file import load_recipe
from cclearn.training.scratch import END, PAD, train_tokenizer
from cclearn.training.sft import run_sft
from data_builders.builder import configure, find_builder
from data_builders.output import build
from tests.training.runs import ENCODER, plm_recipe


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def losses(folder: Path) -> list[float]:
    entries = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [entry["loss"] for entry in entries if "loss" in entry]


@pytest.fixture(scope="module")
def fifty(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """A file of 50 notes."""
    folder = tmp_path_factory.mktemp("fifty")
    gold, notes = find_builder("icd10cm"), find_builder("template_notes")
    pairs = build(gold, configure(gold, {"under": "I20-I25"}), folder / "pairs", system).data
    config = configure(notes, {"pairs": str(pairs), "notes": 50})
    return build(notes, config, folder / "notes", system).data


@pytest.mark.slow
@pytest.mark.parametrize("head", ["plm_icd", "plm_ca"])
def test_a_model_learns_fifty_notes_by_heart(head: str, fifty: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        "tiny/plm_ca",
        [
            f"output={json.dumps(str(tmp_path / 'run'))}",
            f"rows.sources=[{{kind: document, path: {json.dumps(str(fifty))}}}]",
            *(f"model.scratch.{key}={value}" for key, value in ENCODER.items()),
            f"baseline={{head: {head}, chunk: 64}}",
            "development=null",
            "training.batching=padded",
            "training.batch_tokens=null",
            "training.batch_size=8",
            "training.epochs=40",
            "training.optimizer=muon",
            "training.learning_rate=1e-2",
        ],
    )
    folder = run_plm(recipe)
    notes = list(read_coded_notes(fifty))
    coded = Coder.load(folder).code_many(note.note for note in notes)
    scores = evaluate(notes, {"plm": list(coded)}).evaluations["plm"].scores
    assert scores["micro_f1"].value > 0.95
    assert scores["invalid_rate"].value == 0


def test_a_run_is_reproducible_and_its_folder_is_complete(data: Path, tmp_path: Path) -> None:
    folders = [run_plm(plm_recipe(data, tmp_path / name)) for name in ("one", "two")]
    one, two = map(weights, folders)
    assert all(torch.equal(one[name], two[name]) for name in one)
    manifest = json.loads((folders[0] / "manifest.json").read_text())
    assert manifest["recipe"]["baseline"]["head"] == "plm_ca"
    assert manifest["steps"] == 6
    assert manifest["tokens_seen"] > 0
    card = (folders[0] / "README.md").read_text()
    assert "head `plm_ca`" in card
    files = {path.name for path in folders[0].iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "metrics.jsonl"} <= files
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in files)


GKI = (
    "baseline.guidelines=true",
    "baseline.similarity=1",
    "baseline.head=gki_icd",
    "training.batch_tokens=1024",
)


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["consistency=2", "sampled_labels=20", "head_learning_rate=1e-2"])
def test_an_interrupted_run_is_resumed_with_the_same_result(
    extra: str, data: Path, tmp_path: Path
) -> None:
    more = (*GKI, f"baseline.{extra}", "training.save_every=2", "training.steps=8")
    whole = run_plm(plm_recipe(data, tmp_path / "whole", *more))

    def stop(step: int, total: int, loss: float | None) -> None:
        if step == 5:
            raise KeyboardInterrupt

    recipe = plm_recipe(data, tmp_path / "part", *more)
    with pytest.raises(KeyboardInterrupt):
        run_plm(recipe, progress=stop)
    assert checkpoint_folder(recipe.output).is_dir()
    part = run_plm(recipe, resume="auto")
    one, two = weights(whole), weights(part)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert losses(whole) == losses(part)
    counts = [json.loads((f / "manifest.json").read_text())["tokens_seen"] for f in (whole, part)]
    assert counts[0] == counts[1]


@pytest.mark.slow
def test_the_head_is_trained_with_its_own_learning_rate(data: Path, tmp_path: Path) -> None:
    def trained(name: str, *more: str) -> dict[str, torch.Tensor]:
        settings = ("training.optimizer=adamw", "training.learning_rate=1e-3", *more)
        return weights(run_plm(plm_recipe(data, tmp_path / name, *settings)))

    same, plain = trained("same", "baseline.head_learning_rate=1e-3"), trained("plain")
    for name, tensor in plain.items():
        torch.testing.assert_close(same[name], tensor, rtol=1e-4, atol=1e-6)
    still = trained("still", "baseline.head_learning_rate=1e-12")
    moved = (still["head.query"] - plain["head.query"]).abs().max()
    assert moved > 1e-4


@pytest.mark.slow
def test_guidelines_count_as_tokens(data: Path, tmp_path: Path) -> None:
    folders = [
        run_plm(plm_recipe(data, tmp_path / name, f"baseline.guidelines={name}"))
        for name in ("true", "false")
    ]
    more, less = (json.loads((f / "manifest.json").read_text())["tokens_seen"] for f in folders)
    assert more > 1.1 * less


def test_thresholds_are_tuned_on_development_notes(data: Path, tmp_path: Path) -> None:
    development = "development={share: 0.4, every: 3, notes: 10, best: map}"
    folder = run_plm(plm_recipe(data, tmp_path / "run", development))
    config = json.loads((folder / "config.json").read_text())
    assert config["threshold"] != 0.5
    thresholds = config["evidence_thresholds"]
    assert thresholds.keys() == {"attingrad", "attention"}
    # The notes have fewer than 200 words, and no threshold is below the share of an average word.
    assert all(0.005 < threshold != 0.05 for threshold in thresholds.values())
    entries = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    measured = [entry for entry in entries if "eval_map" in entry]
    assert [entry["step"] for entry in measured] == [3, 6]
    for entry in measured:
        assert {"eval_span_loss", "eval_document_loss", "eval_code_f1", "eval_map"} <= entry.keys()
    best = max(measured, key=lambda entry: entry["eval_map"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["best_step"] == best["step"]


@pytest.mark.parametrize("head", ["gki_icd", "descriptions"])
def test_queries_begin_as_encoded_descriptions(
    head: str, data: Path, tmp_path: Path, system: CodeSystem
) -> None:
    recipe = plm_recipe(
        data, tmp_path / "run", f"baseline.head={head}", "training.learning_rate=1e-9"
    )
    model = load_plm(str(run_plm(recipe)))
    vectors = model.head.query if head == "gki_icd" else model.head.descriptions
    assert isinstance(vectors, torch.Tensor)
    assert vectors.std() > 0.1  # Random vectors have a deviation of 0.03.
    assert len({tuple(row.tolist()) for row in vectors}) > 0.9 * len(vectors)


def test_all_billable_codes_can_be_labels(data: Path, tmp_path: Path, system: CodeSystem) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("I21.4\nI10\nI21.01\n")
    job = make_job(plm_recipe(data, tmp_path / "run", f"baseline.labels={labels}"), system)
    assert {code for row in job.rows for code in row.codes or ()} <= {"I21.4", "I10", "I21.01"}
    labels.write_text("I21\nI10\n")
    with pytest.raises(ConfigurationError, match="1 of its 2 codes are not billable"):
        make_job(plm_recipe(data, tmp_path / "run", f"baseline.labels={labels}"), system)
    labels.write_text("S02.0XXA\n")
    with pytest.raises(ConfigurationError, match="the model scores none of its codes"):
        make_job(plm_recipe(data, tmp_path / "run", f"baseline.labels={labels}"), system)


def test_a_checkpoint_of_other_labels_or_development_notes_is_not_resumed(
    data: Path, tmp_path: Path
) -> None:
    labels, notes = tmp_path / "labels.txt", tmp_path / "notes.jsonl"
    others = [
        note.model_copy(update={"id": f"dev-{note.id}", "text": f"{note.text} Stable."})
        for note in read_coded_notes(data / "notes" / "notes.jsonl")
    ][:3]
    write_rows(notes, others)
    codes = {assigned.code for note in others for assigned in note.codes}
    labels.write_text("\n".join(sorted(codes)))
    recipe = plm_recipe(
        data,
        tmp_path / "run",
        f"baseline.labels={labels}",
        f"development={{path: {notes}, every: 4, notes: 2}}",
        "training.save_every=2",
        "training.steps=6",
    )

    def stop(step: int, total: int, loss: float | None) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plm(recipe, progress=stop)
    labels.write_text("\n".join(sorted({*codes, "I10"})))
    with pytest.raises(ConfigurationError, match="labels_sha256"):
        run_plm(recipe, resume="auto")
    labels.write_text("\n".join(sorted(codes)))
    write_rows(notes, others[:2])
    with pytest.raises(ConfigurationError, match="development_sha256"):
        run_plm(recipe, resume="auto")


def test_two_passes_need_an_encoder_with_dropout(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    RobertaConfig(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ).save_pretrained(folder)
    recipe = plm_recipe(
        data, tmp_path / "run", f"model={{path: {folder}}}", "baseline.consistency=1.0"
    )
    tokenizer = train_tokenizer(["chest pain"], 300, [PAD, END])
    with pytest.raises(ConfigurationError, match=r"baseline\.consistency .* has no dropout"):
        plm_config(recipe, tokenizer, ["I10"])


def test_problems_of_a_recipe_are_reported_together(data: Path, tmp_path: Path) -> None:
    wrong = ["training.batching=packed", "rows.spans_per_row=4", "rows.overflow=window"]
    with pytest.raises(ConfigurationError) as caught:
        plm_recipe(data, tmp_path / "run", "rows.template=paired", "rows.uncited=raise", *wrong)
    problem = str(caught.value)
    assert all(key.partition("=")[0] in problem for key in wrong)
    with pytest.raises(ConfigurationError, match="set guidelines"):
        plm_recipe(data, tmp_path / "run", "baseline.similarity=1")
    muon = ["training.optimizer=muon", "baseline.head_learning_rate=1e-2"]
    with pytest.raises(ConfigurationError, match="head_learning_rate: muon has one learning rate"):
        plm_recipe(data, tmp_path / "run", *muon)
    with pytest.raises(ConfigurationError, match="needs the whole note"):
        plm_recipe(data, tmp_path / "run", "baseline=null")


def test_another_script_refuses_the_recipe(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Launch recipes/plm\.py"):
        run_sft(plm_recipe(data, tmp_path / "run"))
    recipe = plm_recipe(data, tmp_path / "run", "baseline=null", "rows.overflow=raise")
    with pytest.raises(ConfigurationError, match=r"Launch recipes/sft\.py"):
        run_plm(recipe)


def test_a_chunk_must_fit_into_the_context_of_the_encoder(data: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "encoder"
    RobertaConfig(max_position_embeddings=34, pad_token_id=1).save_pretrained(encoder)
    tokenizer = train_tokenizer(["pain"], 400, [PAD, END])
    path = f"model.path={json.dumps(str(encoder))}"
    for chunk, fits in ((32, True), (33, False)):
        recipe = plm_recipe(
            data, tmp_path / "run", "model.scratch=null", path, f"baseline.chunk={chunk}"
        )
        if fits:
            assert plm_config(recipe, tokenizer, ["I10"]).chunk == chunk
        else:
            with pytest.raises(ConfigurationError, match="positions for 32 tokens only"):
                plm_config(recipe, tokenizer, ["I10"])


def test_two_spellings_of_a_label_are_one(data: Path, tmp_path: Path, system: CodeSystem) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("I21.4\nI214\nI21.01\n")
    recipe = plm_recipe(data, tmp_path / "run", f"baseline.labels={labels}")
    assert label_space(recipe, [], system) == ["I21.01", "I21.4"]


def test_a_file_of_development_notes_replaces_a_share(data: Path, tmp_path: Path) -> None:
    notes = data / "notes" / "notes.jsonl"
    lines = notes.read_text().splitlines(keepends=True)
    apart = tmp_path / "development.jsonl"
    apart.write_text("".join(lines[:5]))
    development = f"development={{path: {json.dumps(str(apart))}, every: 6, notes: 9, best: map}}"
    folder = run_plm(plm_recipe(data, tmp_path / "run", development))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["development_rows"] == 5
    assert str(apart) in manifest["sources_sha256"]
    rows = {row["kind"]: row["rows"] for row in manifest["rows"]}
    assert rows["document"] == len(lines) - 5  # The same notes are not trained on.
    assert len(manifest["contaminated"][str(notes)]) == 5
    with pytest.raises(ConfigurationError, match="no source of the run has notes"):
        run_plm(plm_recipe(data, tmp_path / "two", development, "rows.order=span_only"))


def test_a_dry_run_counts_what_the_run_does(data: Path, tmp_path: Path) -> None:
    recipe = plm_recipe(data, tmp_path / "run", "training.max_length=40")
    estimate = dry_run(recipe)
    assert estimate.cut > 0
    assert estimate.steps == 6
    folder = run_plm(recipe)
    assert estimate.shape.parameters == sum(w.numel() for w in weights(folder).values())
    assert all(memory.activations for memory in estimate.memory)


def test_a_dry_run_counts_groups_of_rows_as_the_run_does(data: Path, tmp_path: Path) -> None:
    whole = ["training.steps=null", "training.epochs=1", "training.max_length=40"]
    recipe = plm_recipe(data, tmp_path / "run", *whole, "baseline.batch_rows=8")
    estimate = dry_run(recipe)
    assert estimate.steps > dry_run(plm_recipe(data, tmp_path / "run", *whole)).steps
    manifest = json.loads((run_plm(recipe) / "manifest.json").read_text())
    assert manifest["steps"] == estimate.steps


def test_a_dry_run_counts_the_second_pass_and_the_guidelines(data: Path, tmp_path: Path) -> None:
    def operations(*settings: str) -> float:
        recipe = plm_recipe(data, tmp_path / "run", "training.steps=null", *settings)
        return dry_run(recipe).operations

    once = operations("training.epochs=4")
    guided = operations("training.epochs=4", "baseline.guidelines=true")
    assert guided > 1.8 * once  # The vocabulary is larger, too.
    # The first of the four epochs has one pass.
    settings = ("baseline.guidelines=true", "baseline.consistency=5")
    assert operations("training.epochs=4", *settings) == pytest.approx(1.75 * guided)


def launch(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_two_processes_train_one_model(data: Path, tmp_path: Path) -> None:
    import sys

    root = Path(__file__).parents[2]
    development = "development={share: 0.4, every: 2, notes: 10, best: code_f1}"
    recipe = plm_recipe(data, tmp_path / "run", "training.batch_tokens=512", development)
    settings: dict[str, Any] = recipe.settings()
    config = tmp_path / "recipe.yaml"
    config.write_text(json.dumps(settings))
    words: Sequence[str] = (
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        str(root / "recipes" / "accelerate" / "cpu_processes.yaml"),
        str(root / "recipes" / "plm.py"),
        "--config",
        str(config),
        "--processes",
        "2",
    )
    run = launch(*words)
    assert run.returncode == 0, run.stderr[-2000:]
    manifest = json.loads((recipe.output / "manifest.json").read_text())
    assert manifest["processes"] == 2
    assert manifest["best_step"] in (2, 4, 6)
