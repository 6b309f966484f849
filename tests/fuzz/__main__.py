"""`python -m tests.fuzz --inputs 10000 --seed 0 --out table.json`"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path


def main() -> int:
    """Run the inputs, print the table, and return 1 if there is a defect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000, help="number of inputs")
    parser.add_argument("--seed", type=int, default=0, help="seed of the inputs")
    parser.add_argument("--out", type=Path, help="JSON file of the table and defects")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="number of child processes"
    )
    parser.add_argument("--only", default="", help="targets whose names contain this")
    parser.add_argument("--number", type=int, action="append", help="run only these inputs")
    parser.add_argument("--begin", type=int, default=0, help="number of the first input")
    parser.add_argument("--keep", type=Path, help="folder for the seeds and the defects")
    parser.add_argument(
        "--seconds", type=float, default=1e9, help="time after which no input is started"
    )
    parser.add_argument("--light", action="store_true", help="run only targets that need no model")
    parser.add_argument("--valid", action="store_true", help="run the seeds without mutations")
    arguments = parser.parse_args()
    # Set before the libraries are imported, because a process with threads cannot be forked safely.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.update(
        TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", COLUMNS="200"
    )
    with tempfile.TemporaryDirectory(prefix="cclearn-fuzz-") as temporary:
        folder = arguments.keep or Path(temporary)
        os.environ.setdefault("CCLEARN_CACHE", str(folder / "cache"))
        return _run(arguments, folder)


def _run(arguments: argparse.Namespace, folder: Path) -> int:
    from cclearn.codes import CodeSystem
    from tests.fuzz.run import choose, run, table, warm_up, warm_up_model
    from tests.fuzz.seeds import make_model_seeds, make_seeds
    from tests.fuzz.targets import targets

    warm_up(models=not arguments.light)
    if not (folder / "seeds").exists():
        system = CodeSystem.load()
        make_seeds(folder / "seeds", system)
        if not arguments.light:
            make_model_seeds(folder / "seeds", system)
    if not arguments.light:
        warm_up_model(folder / "seeds" / "model")
    known = [
        target
        for target in targets()
        if arguments.only in target.name and not (arguments.light and target.model)
    ]
    chosen = list(choose(known, arguments.inputs, arguments.seed))[arguments.begin :]
    if arguments.valid:
        chosen = list(enumerate(known))
    if arguments.number:
        chosen = [entry for entry in chosen if entry[0] in arguments.number]
    began = time.monotonic()

    def report_progress(number: int, defect: object) -> None:
        if number % 100 == 0:
            sys.stderr.write(f"{number} of {arguments.inputs}, {time.monotonic() - began:.0f} s\n")

    scratch = Path(tempfile.mkdtemp(prefix="defects-", dir=folder))
    outcome = run(
        chosen,
        folder / "seeds",
        scratch,
        arguments.seed,
        arguments.jobs,
        arguments.valid,
        report_progress,
        lambda: time.monotonic() - began > arguments.seconds,
    )
    sys.stdout.write(table(outcome) + "\n")
    seconds = time.monotonic() - began
    sys.stdout.write(f"{seconds:.0f} s, {len(outcome.defects)} inputs with a defect\n")
    if arguments.out:
        written = {
            "inputs": arguments.inputs,
            "begin": arguments.begin,
            "seed": arguments.seed,
            "seconds": round(seconds),
            "total": asdict(outcome.total),
            "targets": {name: asdict(tally) for name, tally in sorted(outcome.tallies.items())},
            "defects": [asdict(defect) for defect in outcome.defects],
        }
        arguments.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return 1 if outcome.defects else 0


if __name__ == "__main__":
    sys.exit(main())
