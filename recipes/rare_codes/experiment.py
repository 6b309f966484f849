"""The rare-code experiment (arXiv 2511.14112): what synthetic notes and spans add for rare codes.

    python -m recipes.rare_codes.experiment CONFIG

CONFIG is a YAML file (`recipes.rare_codes.settings.Experiment`), such as
`recipes/rare_codes/codiesp.yaml`. The steps are:

1. notes are allocated to the rare codes of the training notes and built (`rare_code_notes`);
2. each baseline is trained on the original notes, and on extended data, with the same number of steps;
3. the test notes are coded, and scored by the number of training notes of each code.

The same command continues an experiment that was stopped. `OUTPUT/results.json` and `OUTPUT/results.md`
contain the scores with intervals, and the paired differences to the original notes.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cclearn.bulk import BulkOptions, code_corpus
from cclearn.bulk.folder import read_coded
from cclearn.codes import CodeSystem
from cclearn.coding.labels.settings import LabelSettings
from cclearn.coding.settings import CoderSettings
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.evaluation import Comparison, Settings, evaluate
from cclearn.model_manifest import read_manifest
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs, write_rows
from cclearn.runtime.display import print_message
from cclearn.runtime.files import atomic_file, sha256_of_file, write_json
from cclearn.runtime.progress import quiet_libraries, step_bar
from cclearn.training.plm import run_plm
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe
from data_builders.builder import configure, find_builder
from data_builders.output import build
from recipes.rare_codes.settings import Arm, BaselineArm, Experiment, load_experiment
from recipes.rare_codes.tables import ORIGINAL, describe, markdown


def run_experiment(experiment: Experiment) -> dict[str, Any]:
    """Run an experiment, or continue it. Return its results.

    Args:
        experiment: Settings of the experiment.

    Raises:
        CclearnError: A file cannot be read, or a finished part belongs to other settings.
    """
    system = CodeSystem.load(experiment.code_system, experiment.release)
    experiment.output.mkdir(mode=0o700, parents=True, exist_ok=True)
    counts = Counter(
        assigned.code
        for note in read_coded_notes(experiment.train, system)
        for assigned in note.codes
    )
    labels = write_labels(experiment, counts, system)
    notes = build_notes(experiment, labels, system)
    pairs = write_pairs(experiment, labels, system)
    results: dict[str, Any] = {}
    for name, baseline in experiment.baselines.items():
        for seed in experiment.seeds:
            coded = {
                arm: code_test(
                    experiment,
                    train_arm(experiment, name, baseline, arm, seed, (labels, notes, pairs)),
                )
                for arm in experiment.arms
            }
            comparison = score(experiment, coded, counts, system)
            results.setdefault(name, {})[str(seed)] = describe(comparison)
    return {
        "experiment": experiment.model_dump(mode="json", exclude={"output"}),
        "sha256": {
            str(path): sha256_of_file(path)
            for path in (experiment.train, experiment.test, labels, notes, *experiment.pairs)
            if path.is_file()
        },
        "codes": dict(Counter(stratum_of(counts[code]) for code in _lines(labels))),
        "results": results,
    }


def stratum_of(count: int) -> str:
    """Return the stratum of a code with a number of training notes, as the evaluation names it."""
    from cclearn.evaluation.metrics.codes import STRATA

    return next(name for name, least in STRATA if count >= least)


def write_labels(experiment: Experiment, counts: Mapping[str, int], system: CodeSystem) -> Path:
    """Write the codes that the models score. Return the file."""
    path = experiment.output / "labels.txt"
    if isinstance(experiment.labels, Path):
        codes = {system.canonical(code) for code in _lines(experiment.labels)}
    else:
        codes = set(counts)
    if experiment.labels == "corpus":
        test = read_coded_notes(experiment.test, system)
        codes |= {assigned.code for note in test for assigned in note.codes}
    billable = sorted(code for code in codes if system.is_billable(code))
    _write_once(path, "".join(f"{code}\n" for code in billable))
    return path


def build_notes(experiment: Experiment, labels: Path, system: CodeSystem) -> Path:
    """Build the synthetic notes of rare codes, unless they exist. Return the file."""
    folder = experiment.output / "rare_notes"
    path = folder / "notes.jsonl"
    if path.is_file() or not {"notes", "both"} & set(experiment.arms):
        return path
    builder = find_builder("rare_code_notes")
    settings = {"notes": [str(experiment.train)], "labels": str(labels), **experiment.notes}
    if experiment.pairs:
        settings.setdefault("pairs", [str(file) for file in experiment.pairs])
    print_message(f"Building notes for rare codes: {folder}")
    return build(builder, configure(builder, settings), folder, system).data


def write_pairs(experiment: Experiment, labels: Path, system: CodeSystem) -> Path:
    """Write the span pairs of the codes that are scored. Return the file."""
    path = experiment.output / "pairs.jsonl"
    if not path.is_file() and experiment.pairs:
        codes = set(_lines(labels))

        def kept() -> Iterator[SpanPair]:
            for file in experiment.pairs:
                yield from (p for p in read_span_pairs(file, system) if p.code in codes)

        write_rows(path, kept())
    return path


def train_arm(
    experiment: Experiment,
    name: str,
    baseline: BaselineArm,
    arm: Arm,
    seed: int,
    files: tuple[Path, Path, Path],
) -> Path:
    """Train a baseline on the data of an arm, or continue its training. Return the model's folder.

    Args:
        experiment: Settings of the experiment.
        name: Name of the baseline.
        baseline: The baseline.
        arm: Name of the arm.
        seed: Seed of the training.
        files: Files of the labels, of the synthetic notes and of the span pairs.

    Raises:
        ConfigurationError: The folder contains a model of other settings.
    """
    folder = experiment.output / "models" / f"{name}-{arm}-seed{seed}"
    recipe = arm_recipe(experiment, baseline, arm, seed, files, folder)
    manifest = read_manifest(folder)
    if manifest is not None:
        if manifest["recipe"] != recipe.settings():
            raise ConfigurationError(
                [
                    f"experiment (folder = {folder}): it contains a model that was trained with other"
                    " settings. Name another output, or remove it to train again."
                ]
            )
        return folder
    with step_bar(f"training {folder.name}") as progress:
        return run_plm(recipe, resume="auto", progress=progress, notify=print_message)


def arm_recipe(
    experiment: Experiment,
    baseline: BaselineArm,
    arm: Arm,
    seed: int,
    files: tuple[Path, Path, Path],
    output: Path,
) -> Recipe:
    """Return the recipe of a baseline with the data of an arm.

    Args:
        experiment: Settings of the experiment.
        baseline: The baseline.
        arm: Name of the arm.
        seed: Seed of the training.
        files: Files of the labels, of the synthetic notes and of the span pairs.
        output: Folder of the model.
    """
    labels, notes, pairs = files
    parts = 2 if arm == "both" else 1
    shares: list[tuple[str, Path, float]] = []
    if arm in ("notes", "both"):
        shares.append(("document", notes, experiment.notes_share / parts))
    if arm in ("spans", "both"):
        shares.append(("span", pairs, experiment.spans_share / parts))
    own = 1 - sum(share for _, _, share in shares)
    sources: list[dict[str, Any]] = [
        {"kind": "document", "path": str(experiment.train), "share": own if shares else None}
    ]
    sources += [
        {"kind": kind, "path": str(path), "share": share, "development": False}
        for kind, path, share in shares
    ]
    plain = load_recipe(baseline.recipe, baseline.overrides)
    settings = plain.model_dump(mode="json")
    settings |= {"output": str(output), "seed": seed}
    settings["code_system"] = {"name": experiment.code_system, "release": experiment.release}
    settings["rows"] |= {"sources": sources, "invalid": "drop"}
    settings["baseline"] |= {"labels": str(labels)}
    return Recipe.model_validate(settings)


def code_test(experiment: Experiment, model: Path) -> Path:
    """Code the test notes with a model, or continue. Return the folder of coded notes."""
    out = experiment.output / "coded" / model.name
    settings = CoderSettings(
        model=str(model),
        system=experiment.code_system,
        release=experiment.release,
        labels=LabelSettings(evidence="none"),
    )
    code_corpus(experiment.test, out, settings, BulkOptions())
    return out


def score(
    experiment: Experiment,
    coded: Mapping[Arm, Path],
    counts: Mapping[str, int],
    system: CodeSystem,
) -> Comparison:
    """Return the scores of the arms, and their differences."""
    # A difference is that of an earlier system less a later one.
    order = sorted(coded, key=lambda arm: arm == ORIGINAL)
    predicted: dict[str, Iterable[CodedNote]] = {}
    for arm in order:
        predicted[arm] = read_coded(coded[arm], system)
    return evaluate(
        read_coded_notes(experiment.test, system),
        predicted,
        system,
        Settings(draws=experiment.draws, training=dict(counts)),
        compare=len(coded) > 1 and experiment.draws > 0,
    )


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _write_once(path: Path, content: str) -> None:
    """Write a file, or check that it has the content already."""
    if path.is_file():
        if path.read_text(encoding="utf-8") != content:
            raise ConfigurationError(
                [
                    f"experiment (file = {path}): the training notes, the test notes or the labels have"
                    " changed since the experiment began. Name another output."
                ]
            )
        return
    with atomic_file(path) as stream:
        stream.write(content.encode())


def main() -> int:
    """Run the experiment of the command line. Return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path, help="YAML file of the experiment")
    arguments = parser.parse_args()
    quiet_libraries()
    try:
        experiment = load_experiment(arguments.config)
        results = run_experiment(experiment)
    except CclearnError as error:
        sys.stderr.write("\n".join(error.lines) + "\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. The same command continues the experiment.\n")
        return 130
    write_json(experiment.output / "results.json", results, overwrite=True)
    table = markdown(results)
    with atomic_file(experiment.output / "results.md", True) as stream:
        stream.write(table.encode())
    sys.stdout.write(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
