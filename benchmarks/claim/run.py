"""Run one arm: train its model, code the evaluation notes at points of the run, and write the scores.

python -m benchmarks.claim.run ARM --data FOLDER --work FOLDER [--model small] [--budget 50]
    [--ratio 1] [--tokens 1000000] [--seed 0] [--evaluate dev] [--held-out-codes]

ARM is `documents`, `own-spans`, `mixed`, `mixed-plain`, `span-then-document` or `spans`. FOLDER of
`--data` contains `codiesp`. The folder of `--work` keeps data, models and coded notes, and must not be
moved. The same command continues an arm that was stopped. `--model` is `small`, a model with random
weights, or the folder of Gemma 3 270M, which `cclearn models assemble` wrote.

All points are coded in `single_pass` and in `span_loop`, with the strings of the spans that the arm was
given. Only `documents`, which never saw the question for the code of a span, is coded in `span_loop` at
the end alone. `documents` and `own-spans` are coded in `span_loop` a second time, with the strings of
all spans.

The result is written to `benchmarks/results/claim`. With `--evaluate tuning`, the notes to code are a
part of the training notes, by which settings are chosen, and the result stays in the work folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from benchmarks.claim.arms import Arm, ArmName, arm_recipe, source_counts
from benchmarks.claim.base_models import RECIPES, make_base
from benchmarks.claim.data import BUDGETS, ArmFiles, read_split, write_split
from benchmarks.claim.identity import arm_identity, bind, commit
from benchmarks.claim.points import PARTS, POINTS, Point, PointKeeper, finished_points
from benchmarks.claim.results import RESULTS
from benchmarks.claim.scoring import (
    ASSERTION,
    DRAWS,
    code_groups,
    code_notes,
    predictions,
    score,
)
from cclearn.codes import CodeSystem
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.notes import CodedNote
from cclearn.runtime.files import write_json
from cclearn.runtime.parsing import read_json
from cclearn.runtime.processes import on_gpu
from cclearn.runtime.progress import quiet_libraries, step_bar
from cclearn.training.dry_run import dry_run
from cclearn.training.initial_model import saved_dtype
from cclearn.training.manifest import package_versions
from cclearn.training.sft import run_sft

LOOP = LoopSettings(recogniser="lexicon", candidates=30)
"""Settings of `span_loop`. The lexicon recognises the strings of span pairs, and the candidates are
codes of similar strings."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of an arm, which several arms share.

    Attributes:
        model: `small` or `gemma`.
        budget: Number of documents.
        held_out_codes: Whether a tenth of the codes occurs in spans only.
        evaluate: `dev` or `tuning`.
    """

    model: str
    budget: int
    held_out_codes: bool
    evaluate: str

    @property
    def name(self) -> str:
        """Name of the setting in paths."""
        parts = [self.model, str(self.budget)]
        parts += ["codes"] if self.held_out_codes else []
        return "-".join(parts)


def run_arm(
    arm: Arm, setting: Setting, source: Path | None, data: Path, work: Path, system: CodeSystem
) -> dict[str, Any]:
    """Run an arm, or continue it. Return its result.

    Args:
        arm: The arm.
        setting: Setting of the arm.
        source: Folder of Gemma 3 270M; None for the model with random weights.
        data: Folder that contains `codiesp`.
        work: Work folder.
        system: Code system.

    Raises:
        CclearnError: The data cannot be read, or the folder of the arm belongs to other data, code or
            settings.
    """
    split = read_split(data, setting.evaluate, setting.budget, setting.held_out_codes, system)
    folder = work / setting.evaluate / setting.name / arm.label
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity = arm_identity(arm, split, source)
    bind(folder, identity)
    files = write_split(split, folder / "data", system)
    make_base(setting.model, source, arm.seed, split, folder / "base", system)
    points = train(arm, setting.model, folder / "base", files, folder)
    results = []
    for point in points:
        last = point is points[-1]
        looped = last or arm.name != "documents"
        modes = loop_pairs(arm, files) if looped else {}
        coded = {
            mode: code_point(
                point, modes.get(mode), folder / "coded" / f"{mode}-{point.step}", files
            )
            for mode in ("single_pass", *modes)
        }
        scored = {
            mode: {"seconds": seconds, "scores": score(split, notes, system, DRAWS if last else 0)}
            for mode, (seconds, notes) in coded.items()
        }
        results.append({**_counts(point), "modes": scored})
    return {
        "setting": asdict(setting),
        "identity": identity,
        "commit": commit(),
        "sources": source_counts(arm, read_json(folder / "model" / "manifest.json")),
        "codes": {name: len(codes) for name, codes in code_groups(split, system).items()},
        "points": results,
        "versions": package_versions(),
    }


def train(arm: Arm, model: str, base: Path, files: ArmFiles, folder: Path) -> list[Point]:
    """Train the model of an arm, or continue its training. Return the points of the run."""
    output, points = folder / "model", folder / "points"
    if not output.exists():
        recipe = arm_recipe(arm, base, RECIPES[model], files, output)
        every = max(1, dry_run(recipe).steps // PARTS)
        settings = recipe.training.model_copy(update={"save_every": every})
        recipe = recipe.model_copy(update={"training": settings})
        # The first points of this order have read no document.
        parts = () if arm.name == "span-then-document" else POINTS[model]
        keeper = PointKeeper(output, points, [part * every for part in parts], saved_dtype(recipe))
        with step_bar(f"training {arm.label}") as show:

            def progress(step: int, total: int, loss: float | None) -> None:
                keeper(step, total, loss)
                show(step, total, loss)

            run_sft(recipe, resume="auto", progress=progress)
    return list(finished_points(points, output))


def loop_pairs(arm: Arm, files: ArmFiles) -> dict[str, Path]:
    """Return the span pairs of each way in which an arm is coded in `span_loop`, by its name."""
    if arm.name in ("documents", "own-spans"):
        return {"span_loop": files.document_pairs, "span_loop_all_spans": files.all_pairs}
    return {"span_loop": files.spans if arm.name == "spans" else files.all_pairs}


def code_point(
    point: Point, pairs: Path | None, out: Path, files: ArmFiles
) -> tuple[float, list[CodedNote]]:
    """Code the evaluation notes with the model of a point. Return the seconds and the coded notes.

    Args:
        point: The point.
        pairs: Span pairs of `span_loop`. None codes in `single_pass`.
        out: Output folder.
        files: Data of the arm.
    """
    loop = None if pairs is None else LOOP
    settings = CoderSettings(model=str(point.folder), loop=loop, pairs=pairs, assertion=ASSERTION)
    seconds = code_notes(files.notes, out, settings)
    print(f"{out}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return seconds, list(predictions(out))


def _counts(point: Point) -> dict[str, Any]:
    return {"step": point.step, "tokens": point.tokens, "seconds": point.seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("arm", choices=get_args(ArmName))
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for models and coded notes"
    )
    parser.add_argument("--model", default="small", help="small, or the folder of Gemma 3 270M")
    parser.add_argument("--budget", type=int, choices=BUDGETS, default=BUDGETS[0])
    parser.add_argument(
        "--ratio", type=int, default=1, help="tokens of spans per token of documents"
    )
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", choices=("dev", "tuning"), default="dev")
    parser.add_argument("--held-out-codes", action="store_true")
    parser.add_argument("--gpu", action="store_true", help="refuse to run without a GPU")
    arguments = parser.parse_args()
    quiet_libraries()
    arm = Arm(arguments.arm, arguments.ratio, arguments.tokens, arguments.seed)
    source = None if arguments.model == "small" else Path(arguments.model).resolve()
    data, work = arguments.data.resolve(), arguments.work.resolve()
    model = "small" if source is None else "gemma"
    setting = Setting(model, arguments.budget, arguments.held_out_codes, arguments.evaluate)
    try:
        if arguments.gpu and not on_gpu():
            raise ConfigurationError(
                ["device (gpu = true): there is no GPU. Omit --gpu to run the arm on the CPU."]
            )
        result = run_arm(arm, setting, source, data, work, CodeSystem.load())
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    folder = RESULTS if setting.evaluate == "dev" else work / "results"
    path = folder / setting.name / f"{arm.label}.json"
    write_json(path, result)
    final = result["points"][-1]["modes"]
    print(path)
    print(
        json.dumps({m: {k: v["value"] for k, v in s["scores"].items()} for m, s in final.items()})
    )


if __name__ == "__main__":
    main()
