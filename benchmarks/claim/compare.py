"""Compare arms with the arms of documents only and of documents and their own spans, on the same notes,
by paired resampling.

python -m benchmarks.claim.compare --data FOLDER --work FOLDER [--setting gemma-50]

All finished arms of the work folder are compared that have a result in `benchmarks/results/claim`, each
with `documents`, `own-spans` and `mixed` of the same setting and seed. The differences are written
beside the results. Those of arms that are no longer in the work folder are kept, as long as their
results are the same. Without them, the differences of such an arm are missing, which is printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.claim.data import Split, read_split
from benchmarks.claim.identity import data_hashes
from benchmarks.claim.results import COMPARISONS, RESULTS, incomparable
from benchmarks.claim.scoring import DRAWS, code_groups, group_settings, predictions
from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.bootstrap import Difference
from cclearn.notes import CodedNote
from cclearn.runtime.files import sha256_of_file, write_json
from cclearn.runtime.parsing import read_json

COMPARED = ("micro_f1", "macro_f1", "evidence_span_f1")
"""Scores that are compared, besides the recall of groups of codes."""

REFERENCES = ("documents", "own-spans-1-4", "mixed-1-4")
"""Arms that the others are compared with, and each of them with those before it."""

ALL_SPANS = "span_loop_all_spans"
"""Mode `span_loop` with the strings of all spans, for the arms whose own strings are others."""


def compare(folder: Path, data: Path, work: Path, system: CodeSystem) -> list[dict[str, Any]]:
    """Return the differences of the arms of a setting to the references of the same seed.

    Args:
        folder: Folder with the results of the setting.
        data: Folder that contains `codiesp`.
        work: Work folder of the arms.
        system: Code system.

    Raises:
        ConfigurationError: A result was not made from the coded notes in the work folder or from the
            data, or two arms are not comparable.
    """
    earlier = earlier_differences(folder)
    results = {p.stem: read_json(p) for p in sorted(folder.glob("*.json")) if p.name != COMPARISONS}
    found = []
    pairs = [
        (label, result, f"{name}-seed{result['identity']['arm']['seed']}")
        for name in REFERENCES
        for label, result in results.items()
    ]
    for label, result, reference in pairs:
        if reference not in results or not _is_compared(label, reference):
            continue
        setting = result["setting"]
        hashes = {name: sha256_of_file(folder / f"{name}.json") for name in (label, reference)}
        arms = {name: work / "dev" / folder.name / name for name in (label, reference)}
        gone = [str(path) for path in arms.values() if not path.exists()]
        if gone:
            kept = [one for one in earlier if one.get("results_sha256") == hashes]
            found += kept
            if not kept:
                message = f"{folder.name}: {label} and {reference} are not compared"
                print(f"{message}, without {', '.join(gone)}.", file=sys.stderr, flush=True)
            continue
        split = read_split(data, "dev", setting["budget"], setting["held_out_codes"], system)
        refuse_incomparable({name: results[name] for name in arms}, arms, split)
        training = {a.code: 1 for note in split.documents for a in note.codes}
        settings = Settings(draws=DRAWS, training=training)
        for modes in paired_modes(results[label], results[reference]):
            coded = {
                name: _coded(arms[name], results[name], mode)
                for name, mode in zip(arms, modes, strict=True)
            }
            scores = score_differences(split, coded, system, settings)
            names = {"arm": label, "reference": reference, "modes": list(modes)}
            found.append({**names, "results_sha256": hashes, **scores})
            print(folder.name, label, *modes, file=sys.stderr, flush=True)
    return found


def _is_compared(label: str, reference: str) -> bool:
    """Return whether an arm is compared with a reference. Two references are compared once."""
    arm, name = (one.rpartition("-seed")[0] for one in (label, reference))
    return arm not in REFERENCES[: REFERENCES.index(name) + 1]


def paired_modes(arm: Mapping[str, Any], reference: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the modes in which an arm and a reference are compared: both as they are, and, if they have
    other strings, with the strings of all spans, so that only the models differ.

    Args:
        arm: Result of the arm.
        reference: Result of the reference.
    """
    modes, others = (result["points"][-1]["modes"] for result in (arm, reference))
    for mode in ("single_pass", "span_loop"):
        if mode in modes and mode in others:
            yield mode, mode
    if ALL_SPANS in others and "span_loop" in modes:
        yield (ALL_SPANS if ALL_SPANS in modes else "span_loop"), ALL_SPANS


def earlier_differences(folder: Path) -> list[dict[str, Any]]:
    """Return the differences that are beside the results of a setting."""
    path = folder / COMPARISONS
    return read_json(path) if path.exists() else []


def score_differences(
    split: Split,
    coded: Mapping[str, Sequence[CodedNote]],
    system: CodeSystem,
    settings: Settings,
) -> dict[str, Any]:
    """Return the differences of the scores of two systems, and of their recall of groups of codes.

    Args:
        split: Notes that were coded.
        coded: Coded notes of the two systems by name.
        system: Code system.
        settings: Settings of the evaluation.
    """

    def differences(of: Settings) -> Mapping[str, Difference]:
        compared = evaluate(split.evaluation, coded, system, of, compare=True)
        (found,) = compared.differences.values()
        return found

    found = differences(settings)
    scores = {name: asdict(found[name]) for name in COMPARED}
    for name, codes in code_groups(split, system).items():
        group = differences(group_settings(split, codes, settings))
        scores[f"{name}/micro_recall"] = asdict(group["unseen/micro_recall"])
    return scores


def refuse_incomparable(
    results: Mapping[str, Mapping[str, Any]], folders: Mapping[str, Path], split: Split
) -> None:
    """Raise ConfigurationError if results are not those of the work folders, or cannot be compared.

    Args:
        results: Results of two arms by their labels.
        folders: Folders of the arms by their labels.
        split: Notes of the arms.
    """
    problems = []
    for name, result in results.items():
        path = folders[name] / "identity.json"
        if not path.exists() or read_json(path) != result["identity"]:
            problems.append(
                f"work (folder = {folders[name]}): the result of {name} is not from it."
            )
        elif result["identity"]["data_sha256"] != data_hashes(split):
            problems.append(f"data ({name}): the result was made from other data.")
    problems += incomparable(results)
    if problems:
        raise ConfigurationError(problems)


def _coded(folder: Path, result: Mapping[str, Any], mode: str) -> list[CodedNote]:
    """Return the coded notes of the end of a run.

    Raises:
        ConfigurationError: They are missing.
    """
    out = folder / "coded" / f"{mode}-{result['points'][-1]['step']}"
    if not (out / "summary.json").exists():
        raise ConfigurationError([f"work (folder = {out}): it is not complete. Run the arm again."])
    return list(predictions(out))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--work", type=Path, required=True, help="work folder of the arms")
    parser.add_argument(
        "--setting", nargs="+", default=None, help="settings to compare, such as gemma-50"
    )
    arguments = parser.parse_args()
    data, work, system = arguments.data.resolve(), arguments.work.resolve(), CodeSystem.load()
    try:
        folders = sorted(path for path in RESULTS.iterdir() if path.is_dir())
        for folder in [f for f in folders if f.name in (arguments.setting or [f.name])]:
            write_json(folder / COMPARISONS, compare(folder, data, work, system))
    except CclearnError as error:
        sys.exit("\n".join(error.lines))


if __name__ == "__main__":
    main()
