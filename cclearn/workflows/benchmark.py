"""Coding a corpus with any number of models, and scoring them on the same notes."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.coding import Coder, Encounter
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.registry import EngineSettings, weights_of
from cclearn.errors import ConfigurationError, DataError
from cclearn.evaluation import Comparison, Settings, evaluate
from cclearn.evaluation.corpora import Corpus, CorpusOptions
from cclearn.evaluation.lm_eval.retention import read_retention
from cclearn.evaluation.report.cost import Cost
from cclearn.evaluation.report.pages import introduction, write_reports
from cclearn.evaluation.results import result_of, write_result
from cclearn.models import read_manifest
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.runtime.files import atomic_folder, read_text, sha256_of_text
from cclearn.runtime.memory import peak_gpu_mib, peak_mib
from cclearn.runtime.yaml_files import parse_yaml
from cclearn.workflows.score import model_names


@dataclass(frozen=True, slots=True)
class Run:
    """How a benchmark is run.

    Attributes:
        models: As `Coder.named` takes them.
        shots: How many notes of the training split each model is shown.
        limit: How many notes are coded; all of them where it is None.
        draws: Of the bootstrap.
        seed: Of the draws.
        prices: A YAML file: by model, the price of a million tokens read (`prompt`) and written
            (`answer`), and of an hour of the machine (`hour`).
        retention: What `cclearn retention` wrote, to be put into the report.
        engine: Settings of the models' engines.
        loop: Settings of `span_loop`; None for `single_pass`.
        calibration: A file that `cclearn calibrate` wrote, `off` for raw scores; where it is None, each
            model's own.
        encounter: The setting of the notes.
    """

    models: tuple[str, ...]
    shots: int = 0
    limit: int | None = None
    draws: int = 1_000
    seed: int = 0
    prices: Path | None = None
    retention: Path | None = None
    engine: EngineSettings = field(default_factory=EngineSettings)
    loop: LoopSettings | None = None
    calibration: str | None = None
    encounter: Encounter | None = None


def run_benchmark(
    corpus: Corpus,
    folder: Path,
    options: CorpusOptions,
    system: CodeSystem,
    run: Run,
    out: Path,
    overwrite: bool = False,
    progress: Callable[[Iterable[CodedNote], str, int], Iterable[CodedNote]] | None = None,
) -> Comparison:
    """Code a corpus with each model, score them, and write everything to a folder.

    The folder gets `predictions/MODEL.jsonl`, readable by their owner alone, `metrics.json`,
    `report.html` and `report.md`, none of which holds text of a note.

    Args:
        corpus: Reads the notes.
        folder: The corpus's.
        options: Which notes.
        system: The code system that the models code with.
        run: Models and settings.
        out: The folder; it appears when all is done.
        overwrite: Whether it may be replaced.
        progress: Passes coded notes on while it shows them under a title.

    Raises:
        DataError: The corpus cannot be read.
        ConfigurationError: A model cannot be loaded, or examples are asked for and there are none.
        CclearnError: The folder exists.
    """
    names = model_names(run.models)
    prices = _prices(run.prices, run.models)
    retained = read_retention(run.retention) if run.retention is not None else []
    _refuse_inputs(out, [folder, *map(Path, run.models)])
    with atomic_folder(out, overwrite, "benchmark") as partial:
        gold = partial / "gold.jsonl"
        notes = corpus.read(folder, options.split, options, system)
        count = write_rows(gold, islice(notes, run.limit))
        if not count:
            raise DataError(folder, f"split {options.split!r} holds no notes")
        scored = {sha256_of_text(note.text) for note in read_coded_notes(gold)}
        training, examples, warning = _training(corpus, folder, options, system, run.shots, scored)
        settings = Settings(draws=run.draws, seed=run.seed, training=training)
        files = {"gold": gold}
        costs, described = {}, {}
        for model, name in names.items():
            coder = Coder.named(
                model,
                system,
                examples=examples,
                settings=run.engine,
                loop=run.loop,
                calibration=run.calibration,
                encounter=run.encounter,
            )
            files[name] = partial / "predictions" / f"{name}.jsonl"
            coded: Iterable[CodedNote] = coder.code_many(n.note for n in read_coded_notes(gold))
            if progress:
                coded = progress(coded, f"coding with {name}", count)
            started = time.perf_counter()
            write_rows(files[name], coded)
            manifest = read_manifest(weights_of(model))
            described[name] = {
                "model": model,
                "manifest": manifest,
                "prompt_sha256": coder.prompt_sha256,
                "grounded": coder.grounded,
                "calibration": coder.calibration
                and coder.calibration.model_dump(mode="json", exclude={"curve"}),
            }
            costs[name] = _cost(
                coder, count, time.perf_counter() - started, prices.get(model), manifest
            )
        comparison = evaluate(
            read_coded_notes(gold, system),
            {name: read_coded_notes(files[name], system) for name in names.values()},
            system,
            settings,
            compare=True,
        )
        if warning:
            comparison = replace(comparison, warnings=(*comparison.warnings, warning))
        result = result_of(
            comparison,
            system,
            settings,
            files,
            benchmark={
                "name": corpus.name,
                "options": options.model_dump(mode="json"),
                "shots": run.shots,
                "limit": run.limit,
                "encounter": run.encounter,
            },
            engine=run.engine.model_dump(mode="json"),
            loop=run.loop.model_dump(mode="json") if run.loop else None,
            models=described,
            cost={name: asdict(cost) for name, cost in costs.items()},
            retention=[each.model_dump() for each in retained],
        )
        write_result(partial / "metrics.json", result)
        gold.unlink()  # The corpus is the user's; its hash is kept.
        write_reports(
            partial,
            f"{corpus.name}, {options.split}",
            comparison,
            introduction(result),
            costs=costs,
            retained=retained,
        )
    return comparison


def _refuse_inputs(out: Path, inputs: Sequence[Path]) -> None:
    """Refuse to write over, or above, what is read."""
    place = out.resolve()
    inside = [
        str(path) for path in inputs if path.exists() and path.resolve().is_relative_to(place)
    ]
    if inside:
        raise ConfigurationError(
            [f"output (out = {out}): {', '.join(inside)} is in it. Name another folder."]
        )


def _training(
    corpus: Corpus,
    folder: Path,
    options: CorpusOptions,
    system: CodeSystem,
    shots: int,
    scored: Collection[str],
) -> tuple[dict[str, int] | None, list[CodedNote], str | None]:
    """Return how many training notes hold each code, the shortest of them as examples, and what a reader
    must know where there are none to be had. Notes whose text is scored are no training notes."""
    if options.training is None:
        if shots:
            raise ConfigurationError(
                ["shots: the benchmark has no training split. Name one: training=train."]
            )
        return None, [], None
    counts: Counter[str] = Counter()
    examples: list[CodedNote] = []
    notes = shared = 0
    try:
        for note in corpus.read(folder, options.training, options, system):
            if sha256_of_text(note.text) in scored:
                shared += 1
                continue
            notes += 1
            counts.update(assigned.code for assigned in note.codes)
            if note.codes and all(assigned.evidence for assigned in note.codes):
                examples.append(note)
                examples.sort(key=lambda each: (len(each.text), each.id))
                del examples[shots:]
    except DataError as error:
        if shots:
            raise
        return None, [], f"Scores by training frequency are left out: {error}"
    if len(examples) < shots:
        raise ConfigurationError(
            [
                f"shots (shots = {shots}): {len(examples)} notes of the training split"
                f" ({options.training}) have evidence for every code and are not scored. Name fewer,"
                " or another split."
            ]
        )
    if not notes:
        why = f"the training split ({options.training}) holds none but the scored notes"
        return None, [], f"Scores by training frequency are left out: {why}"
    warning = f"{shared} of the training notes are scored, and left out of the training"
    return dict(counts), examples, warning if shared else None


def _prices(path: Path | None, models: Sequence[str]) -> dict[str, dict[str, float]]:
    if path is None:
        return {}
    table, _ = parse_yaml(read_text(path), path)
    try:
        prices = {
            str(model): {str(kind): _price(price) for kind, price in kinds.items()}
            for model, kinds in table.items()
        }
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise DataError(path, "not a table of prices: `MODEL: {prompt: 1, answer: 2}`") from None
    bad = [
        f"{model}: {kind}"
        for model, kinds in prices.items()
        for kind, price in kinds.items()
        if not 0 <= price < math.inf
    ]
    if bad:
        raise DataError(path, f"not a price: {', '.join(bad)}. Prices are 0 or more.")
    known = {"prompt", "answer", "hour"}
    wrong = sorted({kind for kinds in prices.values() for kind in kinds} - known)
    if wrong:
        raise DataError(
            path, f"unknown: {', '.join(wrong)}. There are: {', '.join(sorted(known))}."
        )
    missing = [model for model in models if model not in prices]
    if missing:
        raise DataError(path, f"no price of {', '.join(missing)}")
    return prices


def _price(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _cost(
    coder: Coder,
    notes: int,
    seconds: float,
    price: dict[str, float] | None,
    manifest: dict[str, Any] | None,
) -> Cost:
    paid = None
    if price is not None:
        read = price.get("prompt", 0) * coder.usage.prompt_tokens
        written = price.get("answer", 0) * coder.usage.answer_tokens
        paid = (read + written) / 1e6 / notes + price.get("hour", 0) * seconds / 3600 / notes
    return Cost(
        notes=notes,
        seconds=round(seconds / notes, 4),
        prompt_tokens=round(coder.usage.prompt_tokens / notes, 1),
        answer_tokens=round(coder.usage.answer_tokens / notes, 1),
        peak_mib=peak_mib(),
        gpu_seconds=round(coder.usage.gpu_seconds / notes, 4),
        peak_gpu_mib=peak_gpu_mib(),
        price=paid,
        training_tokens=(manifest or {}).get("tokens_seen"),
        training_seconds=(manifest or {}).get("seconds"),
        training_gpu_seconds=(manifest or {}).get("gpu_seconds"),
    )
