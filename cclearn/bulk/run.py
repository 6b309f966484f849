"""Coding a corpus: in this process, in those of `accelerate launch`, or on a cluster; always the same
rows, the same bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from cclearn.bulk.corpus import Corpus, Shard, Survey, open_corpus
from cclearn.bulk.folder import CodedFolder, refuse_foreign
from cclearn.bulk.launched import Place, from_the_first, leave, place_among_processes
from cclearn.bulk.shard import CodedShard, code_shard
from cclearn.bulk.summary import Pace, Summary
from cclearn.codes import CodeSystem
from cclearn.coding.identity import coder_manifest
from cclearn.coding.load import load_coder_quietly
from cclearn.coding.settings import CoderSettings
from cclearn.engines.registry import ModelSpec
from cclearn.errors import ConfigurationError
from cclearn.runtime.files import writing_alone
from cclearn.runtime.progress import corpus_progress

_LOOK = 0.2
"""Seconds between two looks at what is finished, by this process and the others."""


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How a corpus is gone through.

    Attributes:
        shard_size: Rows a shard: what is coded in one go, and what a stop costs at the most.
        overwrite: Whether a run that is in the folder is begun anew.
        retry: Whether shards are coded again in which a note got no answer.
        ray: The address of a Ray cluster; None for the processes of this machine.
        workers: Of the cluster; None for one a GPU where a model needs one, else one a core.
    """

    shard_size: int = 1_000
    overwrite: bool = False
    retry: bool = False
    ray: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the first process tells the others.

    Attributes:
        run: The run's hash.
        shards: Of the corpus.
        waiting: Those that are not finished.
    """

    run: str
    shards: tuple[Shard, ...]
    waiting: tuple[Shard, ...]


def code_corpus(
    source: Path,
    out: Path,
    settings: CoderSettings,
    options: BulkOptions | None = None,
    begun: Callable[[Survey, CodeSystem], None] | None = None,
) -> Summary | None:
    """Code a corpus into a folder, or go on where an earlier run of the same settings was stopped.

    Under `accelerate launch` each process codes its share, and the first waits for the others.

    Args:
        source: A `.jsonl` file, a `.parquet` file or a folder of `.txt` files.
        out: The folder (`cclearn.bulk.folder`).
        settings: Of the coder.
        options: How.
        begun: Called in the first process when the corpus has been surveyed and before it is coded.

    Returns:
        What the folder's `summary.json` holds; None in all processes but the first.

    Raises:
        CclearnError: The corpus or the coder cannot be loaded, the folder is another run's or in use,
            the engine answers no more, or the cluster cannot be reached.
    """
    options = options or BulkOptions()
    place = place_among_processes()
    started = time.perf_counter()
    with ExitStack() as stack:
        stack.callback(leave, place)

        def begin() -> _Plan:
            _check(settings, options, place)
            corpus = open_corpus(source)
            refuse_foreign(out)
            let_others_write = stack.enter_context(writing_alone(out))
            plan = _begin(corpus, out, settings, options, begun)
            if place.processes > 1:
                let_others_write()
            return plan

        plan = from_the_first(place, begin)
        if not place.first:
            stack.enter_context(writing_alone(out, along=True))
        folder = CodedFolder(out, plan.run)
        if not plan.waiting and (summary := folder.summary()) is not None:
            nothing = summary.model_copy(update={"pace": Pace.of(0, 0.0)})
            return nothing if place.first else None
        if place.first:
            folder.reopen()
        rows = {shard.number: shard.rows for shard in plan.shards}
        with corpus_progress(sum(rows.values()), shown=place.first) as show:
            looked = 0.0

            def look(within: int = 0) -> None:
                nonlocal looked
                if not within or time.monotonic() - looked >= _LOOK:
                    show(sum(rows[number] for number in folder.finished(rows)) + within)
                    looked = time.monotonic()

            look()
            # Closed at once where writing fails: a cluster ends with it.
            with closing(_coded(source, settings, options, plan, place, look)) as shards:
                for coded in shards:
                    folder.write(coded)
                    look()
            while place.first and len(folder.finished(rows)) < len(rows):
                time.sleep(_LOOK)
                look()
        if not place.first:
            return None
        coded_rows = sum(shard.rows for shard in plan.waiting)
        pace = Pace.of(coded_rows, time.perf_counter() - started)
        return folder.finish(rows, settings.engine, pace)


def _check(settings: CoderSettings, options: BulkOptions, place: Place) -> None:
    """Raise ConfigurationError for all that can be seen to be wrong before anything is read."""
    problems: list[str] = []
    models: dict[str, ModelSpec] = {}
    checks = [settings.check]
    try:
        models = settings.models()
        checks.append(models["model"].refuse_missing)
    except ConfigurationError as error:
        problems += error.problems
    for check in checks:
        try:
            check()
        except ConfigurationError as error:
            problems += error.problems
    if place.processes > 1 and any(model.needs_gpu for model in models.values()):
        problems.append(
            f"model (model = {settings.model}): its engine takes GPUs of its own. Use --ray, or one"
            " process with --engine tensor_parallel_size=N."
        )
    if options.ray is not None and place.processes > 1:
        problems.append(
            f"ray (address = {options.ray}): a cluster starts its own processes. Run the command without"
            " `accelerate launch`."
        )
    if options.workers is not None and options.ray is None:
        problems.append(
            f"workers (workers = {options.workers}): they are of a cluster. Add --ray, or launch several"
            " processes with `accelerate launch -m cclearn code`."
        )
    if problems:
        raise ConfigurationError(problems)


def _begin(
    corpus: Corpus,
    out: Path,
    settings: CoderSettings,
    options: BulkOptions,
    begun: Callable[[Survey, CodeSystem], None] | None,
) -> _Plan:
    system = settings.load_system()
    survey = corpus.survey(options.shard_size)
    manifest = {
        **coder_manifest(settings, system),
        "corpus": {"rows": survey.rows, "sha256": survey.sha256},
        "shard_size": options.shard_size,
    }
    folder = CodedFolder.begin(out, manifest, options.overwrite)
    numbers = [shard.number for shard in survey.shards]
    folder.check(numbers)
    if options.retry:
        folder.retry(numbers)
    finished = folder.finished(numbers)
    waiting = tuple(shard for shard in survey.shards if shard.number not in finished)
    if begun is not None:
        begun(survey, system)
    return _Plan(folder.run, survey.shards, waiting)


def _coded(
    source: Path,
    settings: CoderSettings,
    options: BulkOptions,
    plan: _Plan,
    place: Place,
    look: Callable[[int], None],
) -> Generator[CodedShard, None, None]:
    """Yield the shards of this process as they are coded."""
    share = plan.waiting[place.rank :: place.processes]
    if not share:
        return
    if options.ray is not None:
        from cclearn.bulk.ray_data import coded_on_ray

        yield from coded_on_ray(options.ray, options.workers, source, settings, share)
        return
    coder, corpus = load_coder_quietly(settings), open_corpus(source)
    for shard in share:
        yield code_shard(coder, corpus, shard, look)
