"""The rare-code experiment (arXiv 2511.14112): what synthetic notes and spans add for rare codes.

    python -m recipes.rare_codes.experiment CONFIG

CONFIG is a YAML file (`recipes.rare_codes.settings.Experiment`), such as
`recipes/rare_codes/codiesp.yaml`. The steps are:

1. some of the training notes are set apart, by which the thresholds and the best weights are chosen;
2. notes are allocated to the rare codes of the other notes and built (`rare_code_notes`);
3. each baseline is trained on the original notes, and on extended data, with the same number of steps
   and the same tokenizer;
4. the test notes are coded, and scored by the number of training notes of each code.

The same command continues an experiment that was stopped. `OUTPUT/results.json` and `OUTPUT/results.md`
contain the scores with intervals, and the paired differences to the original notes.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cclearn.bulk import BulkOptions, code_corpus
from cclearn.bulk.folder import read_coded
from cclearn.codes import CodeSystem
from cclearn.coding.identity import difference
from cclearn.coding.labels.settings import LabelSettings
from cclearn.coding.settings import CoderSettings
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.evaluation import Comparison, Settings, evaluate
from cclearn.model_manifest import read_manifest
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs, write_rows
from cclearn.rows import in_share
from cclearn.runtime.display import print_message
from cclearn.runtime.files import atomic_file, atomic_folder, sha256_of_file, write_json
from cclearn.runtime.parsing import read_json
from cclearn.runtime.progress import quiet_libraries, step_bar
from cclearn.training.plm import run_plm
from cclearn.training.plm_model import codes_in
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe
from cclearn.training.scratch import END, PAD, train_tokenizer
from data_builders.builder import configure, find_builder
from data_builders.output import build
from recipes.rare_codes.settings import Arm, BaselineArm, Experiment, load_experiment
from recipes.rare_codes.tables import ORIGINAL, describe, markdown

_ANY_NUMBER = 1_000_000.0
"""Repetitions of rows that limit nothing."""


def run_experiment(experiment: Experiment) -> dict[str, Any]:
    """Run an experiment, or continue it. Return its results.

    Args:
        experiment: Settings of the experiment.

    Raises:
        CclearnError: A file cannot be read, or the folder belongs to an experiment with other data or
            settings.
    """
    system = CodeSystem.load(experiment.code_system, experiment.release)
    experiment.output.mkdir(mode=0o700, parents=True, exist_ok=True)
    bind(experiment, system)
    files = prepare(experiment, system)
    counts = Counter(
        assigned.code for note in read_coded_notes(files.train, system) for assigned in note.codes
    )
    results: dict[str, Any] = {}
    for name, baseline in experiment.baselines.items():
        for seed in experiment.seeds:
            coded = {
                arm: code_test(experiment, train_arm(experiment, name, baseline, arm, seed, files))
                for arm in experiment.arms
            }
            comparison = score(experiment, coded, counts, system)
            results.setdefault(name, {})[str(seed)] = describe(comparison)
    return {
        "experiment": experiment.model_dump(mode="json", exclude={"output"}),
        "identity": read_json(experiment.output / "identity.json"),
        "codes": dict(Counter(stratum_of(counts[code]) for code in _lines(files.labels))),
        "results": results,
    }


def bind(experiment: Experiment, system: CodeSystem) -> None:
    """Record the data and the settings in the output folder, or check that they are the recorded ones.

    Raises:
        ConfigurationError: The folder belongs to another experiment. The error lists every difference.
    """
    given = {"train": experiment.train, "test": experiment.test}
    given |= {f"pairs {number}": path for number, path in enumerate(experiment.pairs, start=1)}
    given |= {"labels": experiment.labels} if isinstance(experiment.labels, Path) else {}
    # Further arms, seeds and baselines may be added. The models are compared by their own settings.
    free = {"output", "arms", "seeds", "baselines", "draws"}
    identity = {
        "settings": experiment.model_dump(mode="json", exclude=free),
        "sha256": {role: sha256_of_file(path) for role, path in given.items()},
        "release": system.release,
    }
    path = experiment.output / "identity.json"
    if not path.is_file():
        write_json(path, identity)
    problems = [
        f"experiment (folder = {experiment.output}): {entry.key} was {entry.theirs} and is {entry.ours}."
        " Set it back, or name another output."
        for entry in difference(read_json(path), identity)
    ]
    if problems:
        raise ConfigurationError(problems)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of an experiment.

    Attributes:
        train: Original notes that are trained on.
        development: Original notes that are not trained on, by which the thresholds and the best weights
            are chosen in all arms.
        labels: Codes that are scored.
        notes: Synthetic notes.
        pairs: Span pairs of the codes that are scored.
        tokenizer: Folder of the tokenizer of encoders with random weights, the same in all arms.
    """

    train: Path
    development: Path
    labels: Path
    notes: Path
    pairs: Path
    tokenizer: Path


def prepare(experiment: Experiment, system: CodeSystem) -> Files:
    """Write the files of an experiment, unless they exist."""
    output = experiment.output
    files = Files(
        output / "train.jsonl",
        output / "development.jsonl",
        output / "labels.txt",
        output / "rare_notes" / "notes.jsonl",
        output / "pairs.jsonl",
        output / "tokenizer",
    )
    notes = list(read_coded_notes(experiment.train, system))
    left_out = {note.id for note in notes if in_share(note.id, experiment.development)}
    if not files.train.is_file():
        write_rows(files.development, (note for note in notes if note.id in left_out))
        write_rows(files.train, (note for note in notes if note.id not in left_out))
    codes = _labels(experiment, notes, system)
    if not files.labels.is_file():
        with atomic_file(files.labels) as stream:
            stream.write("".join(f"{code}\n" for code in codes).encode())
    if not files.notes.is_file() and {"notes", "both"} & set(experiment.arms):
        builder = find_builder("rare_code_notes")
        settings = {"notes": [str(files.train)], "labels": str(files.labels), **experiment.notes}
        if experiment.pairs:
            settings.setdefault("pairs", [str(file) for file in experiment.pairs])
        print_message(f"Building notes for rare codes: {files.notes.parent}")
        build(builder, configure(builder, settings), files.notes.parent, system)
    if not files.pairs.is_file() and experiment.pairs:
        write_rows(files.pairs, _pairs(experiment, set(codes), system))
    if not files.tokenizer.is_dir():
        texts = [note.text for note in notes if note.id not in left_out]
        with atomic_folder(files.tokenizer, False, "tokenizer") as partial:
            train_tokenizer(texts, experiment.vocabulary, [PAD, END]).save_pretrained(partial)
    return files


def _labels(experiment: Experiment, notes: Iterable[CodedNote], system: CodeSystem) -> list[str]:
    """Return the codes that the models score, in ascending order."""
    if isinstance(experiment.labels, Path):
        return sorted(codes_in(experiment.labels, system))
    codes = {assigned.code for note in notes for assigned in note.codes}
    if experiment.labels == "corpus":
        test = read_coded_notes(experiment.test, system)
        codes |= {assigned.code for note in test for assigned in note.codes}
    return sorted(code for code in codes if system.is_billable(code))


def _pairs(experiment: Experiment, codes: set[str], system: CodeSystem) -> Iterator[SpanPair]:
    for file in experiment.pairs:
        yield from (pair for pair in read_span_pairs(file, system) if pair.code in codes)


def stratum_of(count: int) -> str:
    """Return the stratum of a code with a number of training notes, as the evaluation names it."""
    from cclearn.evaluation.metrics.codes import STRATA

    return next(name for name, least in STRATA if count >= least)


def train_arm(
    experiment: Experiment,
    name: str,
    baseline: BaselineArm,
    arm: Arm,
    seed: int,
    files: Files,
) -> Path:
    """Train a baseline on the data of an arm, or continue its training. Return the model's folder.

    Args:
        experiment: Settings of the experiment.
        name: Name of the baseline.
        baseline: The baseline.
        arm: Name of the arm.
        seed: Seed of the training.
        files: Files of the experiment.

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
    files: Files,
    output: Path,
) -> Recipe:
    """Return the recipe of a baseline with the data of an arm.

    Args:
        experiment: Settings of the experiment.
        baseline: The baseline.
        arm: Name of the arm.
        seed: Seed of the training.
        files: Files of the experiment.
        output: Folder of the model.
    """
    parts = 2 if arm == "both" else 1
    added: list[tuple[str, Path, float]] = []
    if arm in ("notes", "both"):
        added.append(("document", files.notes, experiment.notes_share / parts))
    if arm in ("spans", "both"):
        added.append(("span", files.pairs, experiment.spans_share / parts))
    own: dict[str, Any] = {"kind": "document", "path": str(files.train)}
    if added:
        # The original notes are repeated as often as their share needs.
        share = 1 - sum(share for _, _, share in added)
        own |= {"share": share, "repeats": _ANY_NUMBER}
    sources = [
        own,
        *(
            {"kind": kind, "path": str(path), "share": share, "repeats": _ANY_NUMBER}
            for kind, path, share in added
        ),
    ]
    settings = load_recipe(baseline.recipe, baseline.overrides).model_dump(mode="json")
    settings |= {"output": str(output), "seed": seed}
    settings["code_system"] = {"name": experiment.code_system, "release": experiment.release}
    test = {"kind": "document", "path": str(experiment.test)}
    settings["rows"] |= {"sources": sources, "invalid": "drop", "evaluation": [test]}
    settings["baseline"] |= {"labels": str(files.labels)}
    settings["development"] |= {"path": str(files.development)}
    if settings["model"]["scratch"] is not None:
        settings["model"]["scratch"] |= {"tokenizer": str(files.tokenizer)}
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise ConfigurationError(
            [
                f"baselines ({baseline.recipe}): {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)
            ]
        ) from None


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
