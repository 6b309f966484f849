"""Compare arms with the arm of documents only, on the same notes, by paired resampling.

python -m benchmarks.claim.compare --data FOLDER --work FOLDER

All finished arms of the work folder are compared that have a result in `benchmarks/results/claim`, each
with `documents` of the same setting and seed. The differences are written beside the results.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.claim.data import read_split
from benchmarks.claim.identity import data_hashes
from benchmarks.claim.results import COMPARISONS, RESULTS
from benchmarks.claim.scoring import DRAWS, predictions
from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.evaluation import Settings, evaluate
from cclearn.runtime.files import write_json
from cclearn.runtime.parsing import read_json

COMPARED = ("micro_f1", "macro_f1", "evidence_span_f1", "unseen/micro_recall")
"""Scores that are compared."""


def compare(folder: Path, data: Path, work: Path, system: CodeSystem) -> list[dict[str, Any]]:
    """Return the differences of the arms of a setting to `documents` of the same seed.

    Args:
        folder: Folder with the results of the setting.
        data: Folder that contains `codiesp`.
        work: Work folder of the arms.
        system: Code system.

    Raises:
        ConfigurationError: The data of a result is not the data in the folder.
    """
    results = {p.stem: read_json(p) for p in sorted(folder.glob("*.json")) if p.name != COMPARISONS}
    found = []
    for label, result in results.items():
        reference = f"documents-seed{result['identity']['arm']['seed']}"
        if label == reference or reference not in results:
            continue
        setting = result["setting"]
        split = read_split(data, "dev", setting["budget"], setting["held_out_codes"], system)
        for name in (label, reference):
            if results[name]["identity"]["data_sha256"] != data_hashes(split):
                raise ConfigurationError(
                    [f"data (data = {data}): {folder / name}.json was made from other data."]
                )
        for mode in result["points"][-1]["modes"]:
            coded = {
                name: list(predictions(_coded(work, folder.name, name, results[name], mode)))
                for name in (label, reference)
            }
            training = {a.code: 1 for note in split.documents for a in note.codes}
            settings = Settings(draws=DRAWS, training=training)
            compared = evaluate(split.evaluation, coded, system, settings, compare=True)
            (differences,) = compared.differences.values()
            scores = {name: asdict(differences[name]) for name in COMPARED}
            found.append({"arm": label, "reference": reference, "mode": mode, "scores": scores})
            print(folder.name, label, mode, file=sys.stderr, flush=True)
    return found


def _coded(work: Path, setting: str, label: str, result: dict[str, Any], mode: str) -> Path:
    step = result["points"][-1]["step"]
    return work / "dev" / setting / label / "coded" / f"{mode}-{step}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--work", type=Path, required=True, help="work folder of the arms")
    arguments = parser.parse_args()
    system = CodeSystem.load()
    try:
        for folder in sorted(path for path in RESULTS.iterdir() if path.is_dir()):
            write_json(
                folder / COMPARISONS, compare(folder, arguments.data, arguments.work, system)
            )
    except CclearnError as error:
        sys.exit("\n".join(error.lines))


if __name__ == "__main__":
    main()
