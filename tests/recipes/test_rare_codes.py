from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from recipes.rare_codes.experiment import run_experiment, stratum_of
from recipes.rare_codes.settings import Experiment, load_experiment
from recipes.rare_codes.tables import markdown
from tests.training.runs import ENCODER, build_data

FEW = [
    "training.steps=4",
    "training.epochs=null",
    "training.batch_tokens=1024",
    "baseline.chunk=32",
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """The file of an experiment with 12 training notes and 8 test notes."""
    folder = tmp_path_factory.mktemp("rare")
    data = build_data(folder / "data", system)
    lines = (data / "notes" / "notes.jsonl").read_text().splitlines(keepends=True)
    for name, some in (("train", lines[:12]), ("test", lines[12:])):
        (folder / f"{name}.jsonl").write_text("".join(some))
    overrides = [*FEW, *(f"model.scratch.{key}={value}" for key, value in ENCODER.items())]
    overrides.append("development={every: 4, notes: 10, best: map}")
    settings = {
        "output": str(folder / "out"),
        "train": str(folder / "train.jsonl"),
        "test": str(folder / "test.jsonl"),
        "pairs": [str(data / "pairs" / "pairs.jsonl")],
        "notes": {"most": 2, "alpha": 1.0},
        "baselines": {"ca": {"recipe": "tiny/plm_ca", "overrides": overrides}},
        "arms": ["original", "notes", "spans", "both"],
        "draws": 20,
        "development": 0.3,
        "vocabulary": 600,
    }
    path = folder / "experiment.yaml"
    path.write_text(json.dumps(settings))
    return path


@pytest.mark.slow
def test_an_experiment_trains_all_arms_and_compares_them(config: Path, system: CodeSystem) -> None:
    experiment = load_experiment(config)
    results = run_experiment(experiment)
    found = results["results"]["ca"]["0"]
    assert set(found["scores"]) == {"original", "notes", "spans", "both"}
    assert set(found["differences"]) == {"notes", "spans", "both"}
    for arm, differences in found["differences"].items():
        for name, difference in differences.items():
            ours, original = (found["scores"][a][name]["value"] for a in (arm, "original"))
            if ours is None:  # There is no code of the stratum.
                assert difference["value"] is None
            else:
                assert difference["value"] == pytest.approx(ours - original)
    apart = [n.id for n in read_coded_notes(experiment.output / "development.jsonl")]
    kept = [n.id for n in read_coded_notes(experiment.output / "train.jsonl")]
    assert sorted([*apart, *kept]) == sorted(n.id for n in read_coded_notes(experiment.train))
    assert apart
    labels = (experiment.output / "labels.txt").read_text().split()
    gold = [
        {assigned.code for assigned in note.codes}
        for path in (experiment.train, experiment.test)
        for note in read_coded_notes(path)
    ]
    assert set(labels) == set.union(*gold)
    assert sum(results["codes"].values()) == len(labels)
    pairs = read_span_pairs(experiment.output / "pairs.jsonl")
    assert {pair.code for pair in pairs} <= set(labels)
    notes = list(read_coded_notes(experiment.output / "rare_notes" / "notes.jsonl"))
    assert notes
    models = {path.name: path for path in (experiment.output / "models").iterdir()}
    assert set(models) == {f"ca-{arm}-seed0" for arm in experiment.arms}
    for name, path in models.items():
        manifest = json.loads((path / "manifest.json").read_text())
        assert manifest["steps"] == 4
        kinds = {(row["source"].rpartition("/")[2], row["kind"]) for row in manifest["rows"]}
        assert ("train.jsonl", "document") in kinds
        assert (("notes.jsonl", "document") in kinds) == (name.split("-")[1] in ("notes", "both"))
        assert (("pairs.jsonl", "span") in kinds) == (name.split("-")[1] in ("spans", "both"))
    table = markdown(results)
    assert table.startswith("## ca, seed 0")
    assert "| score | original |" in table
    again = run_experiment(experiment)  # Everything exists already.
    assert again == results


def test_a_finished_part_of_other_settings_is_refused(config: Path) -> None:
    experiment = load_experiment(config)
    (experiment.output / "models").mkdir(parents=True, exist_ok=True)
    run_experiment(experiment.model_copy(update={"arms": ("original",)}))
    baseline = experiment.baselines["ca"]
    longer = baseline.model_copy(update={"overrides": (*baseline.overrides, "training.steps=5")})
    changed = experiment.model_copy(update={"baselines": {"ca": longer}})
    with pytest.raises(ConfigurationError, match="trained with other settings"):
        run_experiment(changed)
    labels = config.with_name("labels.txt")
    labels.write_text("I21.4\n")
    fewer = experiment.model_copy(update={"labels": labels})
    with pytest.raises(ConfigurationError, match=r"settings\.labels was corpus"):
        run_experiment(fewer)
    other = experiment.model_copy(update={"notes": {"most": 3}})
    with pytest.raises(ConfigurationError, match=r"settings\.notes\.most was 2 and is 3"):
        run_experiment(other)
    text = experiment.train.read_text()
    experiment.train.write_text(text + text.splitlines()[0].replace('"id":"', '"id":"x') + "\n")
    with pytest.raises(ConfigurationError, match=r"sha256\.train was"):
        run_experiment(experiment)
    experiment.train.write_text(text)


def test_problems_of_the_settings_are_listed(config: Path, tmp_path: Path) -> None:
    settings = json.loads(config.read_text())
    path = tmp_path / "experiment.yaml"
    path.write_text(
        json.dumps({**settings, "train": "no.jsonl", "test": "none.jsonl", "pairs": []})
    )
    with pytest.raises(ConfigurationError) as caught:
        load_experiment(path)
    assert len(caught.value.problems) == 3
    assert "needs span pairs" in str(caught.value)
    path.write_text(json.dumps({**settings, "armz": [], "draws": -1}))
    with pytest.raises(ConfigurationError) as caught:
        load_experiment(path)
    assert len(caught.value.problems) == 2
    baselines = {
        "llm": {"recipe": "tiny/sft_scratch"},
        "epochs": {"recipe": "plm_icd/codiesp", "overrides": ["rows.order=document_only"]},
    }
    path.write_text(json.dumps({**settings, "baselines": baselines, "labels": "corpse"}))
    with pytest.raises(ConfigurationError) as caught:
        load_experiment(path)
    problems = str(caught.value)
    assert "corpse): no such file" in problems
    assert "is no recipe for a baseline" in problems
    assert "training.steps must be given" in problems
    assert "patience would end arms early" in problems
    assert "rows.order (document_only) would leave out rows" in problems


def test_strata_are_those_of_the_evaluation() -> None:
    counts = (250, 100, 99, 10, 9, 2, 1, 0)
    names = "head head medium medium tail tail ultra_tail unseen".split()
    assert [stratum_of(count) for count in counts] == names
    assert Experiment.model_fields["draws"].default == 1_000
