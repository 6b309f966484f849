"""What span rows add: arms of the same size and steps, and the lexicon, on the same notes.

python benchmarks/span_centric.py [--chapter 9] [--seed 0] [--steps N] [--arms mixed document span]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from measure import save

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.progress import quiet_libraries
from cclearn.quickstart import build_data, eligible_codes, test, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chapter", default="9")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--arms", nargs="+", default=["mixed", "document"])
    parser.add_argument("--name", default="span_centric")
    arguments = parser.parse_args()
    quiet_libraries()
    system = CodeSystem.load()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        eligible = eligible_codes(arguments.chapter, system)
        data = build_data(folder, eligible, arguments.seed, system)
        overrides = [f"seed={arguments.seed}"]
        overrides += [f"training.steps={arguments.steps}"] if arguments.steps else []
        for arm in arguments.arms:
            run = train(f"tiny/{arm}", data, folder / arm, overrides)
            manifest = json.loads((run / "manifest.json").read_text())
            scores, _ = test(Coder.load(run, system), data)
            kept = ("parameters", "tokens_seen", "seconds", "tokens_per_second")
            figures[arm] = {**scores.as_dict(), **{key: manifest[key] for key in kept}}
        figures["lexicon"] = test(Coder.lexicon(system), data)[0].as_dict()
    save(arguments.name, {"chapter": arguments.chapter, "seed": arguments.seed, "arms": figures})


if __name__ == "__main__":
    main()
