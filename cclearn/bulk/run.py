"""Coding a corpus in this process, in the processes of `accelerate launch`, or on a cluster.

The output has the same bytes in all three cases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cclearn.bulk.corpora import open_corpus
from cclearn.bulk.corpus import BulkCorpus, Shard, Survey
from cclearn.bulk.folder import CodedFolder, refuse_inputs_within, refuse_other_files
from cclearn.bulk.launcher import (
    LaunchedProcess,
    broadcast_from_first,
    current_process,
    leave_group_of,
)
from cclearn.bulk.shard import CodedShard, code_shard
from cclearn.bulk.summary import Pace, Summary
from cclearn.codes import CodeSystem
from cclearn.coding.identity import coder_manifest
from cclearn.coding.load import load_coder_quietly
from cclearn.coding.settings import CoderSettings
from cclearn.engines.registry import ModelSpec
from cclearn.errors import ConfigurationError
from cclearn.notes.columns import NoteColumns
from cclearn.notes.inputs import NoteSource
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.files import locked_folder
from cclearn.runtime.progress import corpus_progress

_INTERVAL = 0.2
"""Minimum number of seconds between two updates of the progress."""

OnSurvey = Callable[[Survey, CodeSystem], None]
"""Receives the survey of the corpus and the code system before the first note is coded."""


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """Options of a run over a corpus.

    Attributes:
        shard_size: Number of rows in a shard. An interrupted run loses at most the shards in progress.
        overwrite: Whether an earlier run in the folder is replaced.
        retry: Whether shards with unanswered notes are coded again.
        ray: Address of a Ray cluster. None codes in the processes of this machine.
        workers: Number of workers of the cluster. None starts one for each GPU if the model runs on
            GPUs, and one for each core otherwise.
    """

    shard_size: int = 1_000
    overwrite: bool = False
    retry: bool = False
    ray: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The shards of a run, which the first process sends to the others.

    Attributes:
        run: Hash of the run.
        shards: All shards of the corpus.
        unfinished: Shards that are not finished.
    """

    run: str
    shards: tuple[Shard, ...]
    unfinished: tuple[Shard, ...]


def code_corpus(
    source: NoteSource | Path,
    out: Path,
    settings: CoderSettings,
    options: BulkOptions | None = None,
    on_survey: OnSurvey | None = None,
) -> Summary | None:
    """Code a corpus into a folder, or continue an interrupted run with the same settings.

    Under `accelerate launch`, each process codes its share, and the first process waits for the others.

    Args:
        source: A file or a folder with notes, or a source of several of them or with other columns.
        out: Output folder (`cclearn.bulk.folder`).
        settings: Settings of the coder.
        options: Options of the run.
        on_survey: Function that the first process calls after it has surveyed the corpus.

    Returns:
        The content of `summary.json` in the first process, and None in all others.

    Raises:
        CclearnError: The corpus or the coder cannot be loaded, the folder belongs to another run or is
            in use, the engine has stopped answering, or the cluster cannot be reached.
    """
    process = current_process()
    if isinstance(source, Path):
        source = NoteSource((source,))
    run = _BulkRun(source, out, settings, options or BulkOptions(), process)
    started = time.perf_counter()
    with ExitStack() as stack:
        stack.callback(leave_group_of, process)
        plan = broadcast_from_first(process, partial(run.begin, stack, on_survey))
        if not process.is_first:
            stack.enter_context(locked_folder(out, shared=True))
        return run.finish(plan, started)


class _BulkRun:
    """One process of a run over a corpus.

    Args:
        source: Source of the notes.
        out: Output folder.
        settings: Settings of the coder.
        options: Options of the run.
        process: This process.
    """

    def __init__(
        self,
        source: NoteSource,
        out: Path,
        settings: CoderSettings,
        options: BulkOptions,
        process: LaunchedProcess,
    ) -> None:
        self._source = source
        self._out = out
        self._settings = settings
        self._options = options
        self._process = process

    def begin(self, stack: ExitStack, on_survey: OnSurvey | None) -> _Plan:
        """Lock the output folder, and return the plan of the run. Only the first process calls this.

        Args:
            stack: Context that keeps the lock until the end of the run.
            on_survey: Function that is called after the survey.
        """
        _check(self._settings, self._options, self._process)
        corpus = open_corpus(self._source)
        refuse_other_files(self._out)
        refuse_inputs_within(self._out, (file.path for file in self._source.files()))
        share_lock = stack.enter_context(locked_folder(self._out))
        plan = self._plan(corpus, on_survey)
        if self._process.count > 1:
            share_lock()
        return plan

    def finish(self, plan: _Plan, started: float) -> Summary | None:
        """Code the shards of this process. The first process then writes the summary.

        Args:
            plan: Plan of the run.
            started: Time at which the run started, from `time.perf_counter`.
        """
        folder = CodedFolder(self._out, plan.run)
        is_first = self._process.is_first
        if not plan.unfinished and (summary := folder.summary()) is not None:
            finished = summary.model_copy(update={"pace": Pace.of(0, 0.0)})
            return finished if is_first else None
        if is_first:
            folder.reopen()
        self._code(plan, folder)
        if not is_first:
            return None
        coded_rows = sum(shard.rows for shard in plan.unfinished)
        pace = Pace.of(coded_rows, time.perf_counter() - started)
        numbers = [shard.number for shard in plan.shards]
        return folder.finish(numbers, self._settings.engine, pace)

    def _plan(self, corpus: BulkCorpus, on_survey: OnSurvey | None) -> _Plan:
        system = self._settings.load_system()
        survey = corpus.survey(self._options.shard_size)
        manifest = {
            **coder_manifest(self._settings, system),
            "corpus": {"rows": survey.rows, "sha256": survey.sha256, **_columns(self._source)},
            "shard_size": self._options.shard_size,
        }
        folder = CodedFolder.begin(self._out, manifest, self._options.overwrite)
        numbers = [shard.number for shard in survey.shards]
        folder.check(numbers)
        if self._options.retry:
            folder.retry(numbers)
        finished = folder.finished(numbers)
        unfinished = tuple(shard for shard in survey.shards if shard.number not in finished)
        if on_survey is not None:
            on_survey(survey, system)
        return _Plan(folder.run, survey.shards, unfinished)

    def _code(self, plan: _Plan, folder: CodedFolder) -> None:
        """Code the shards of this process. The first process then waits for the other processes."""
        rows = sum(shard.rows for shard in plan.shards)
        with corpus_progress(rows, shown=self._process.is_first) as show:
            progress = _Progress(folder, plan.shards, show)
            progress.update()
            # If writing fails, closing the generator disconnects from the cluster at once.
            with closing(self._coded_shards(plan, progress)) as coded_shards:
                for coded in coded_shards:
                    folder.write(coded)
                    progress.update()
            while self._process.is_first and not progress.is_complete:
                time.sleep(_INTERVAL)
                progress.update()

    def _coded_shards(self, plan: _Plan, progress: _Progress) -> Generator[CodedShard, None, None]:
        """Yield the shards of this process as soon as they are coded."""
        share = plan.unfinished[self._process.rank :: self._process.count]
        if not share:
            return
        if self._options.ray is not None:
            from cclearn.bulk.ray_data import coded_on_ray

            address, workers = self._options.ray, self._options.workers
            yield from coded_on_ray(address, workers, self._source, self._settings, share)
            return
        coder, corpus = load_coder_quietly(self._settings), open_corpus(self._source)
        for shard in share:
            with logged_step(f"code shard {shard.number} of {shard.rows} rows", __name__):
                coded = code_shard(coder, corpus, shard, progress.update_within_shard)
            yield coded


class _Progress:
    """Displays the number of rows that all processes have finished.

    Args:
        folder: Output folder, whose markers are counted.
        shards: All shards of the corpus.
        show: Function that receives the number of rows.
    """

    def __init__(
        self, folder: CodedFolder, shards: Collection[Shard], show: Callable[[int], None]
    ) -> None:
        self._folder = folder
        self._rows = {shard.number: shard.rows for shard in shards}
        self._show = show
        self._finished: set[int] = set()
        self._updated = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether all shards were finished at the last update."""
        return len(self._finished) == len(self._rows)

    def update(self, coded: int = 0) -> None:
        """Count the finished shards.

        Args:
            coded: Number of rows that this process has coded of an unfinished shard.
        """
        self._finished = self._folder.finished(self._rows)
        self._show(sum(self._rows[number] for number in self._finished) + coded)
        self._updated = time.monotonic()

    def update_within_shard(self, coded: int) -> None:
        """Update, but not more often than the interval allows.

        Args:
            coded: Number of rows that this process has coded of an unfinished shard.
        """
        if time.monotonic() - self._updated >= _INTERVAL:
            self.update(coded)


def _columns(source: NoteSource) -> dict[str, Any]:
    """Return the columns of a source, if they are not the default, for the manifest of a run."""
    columns = source.columns
    return {} if columns == NoteColumns() else {"columns": asdict(columns)}


def _check(settings: CoderSettings, options: BulkOptions, process: LaunchedProcess) -> None:
    """Raise ConfigurationError with all problems that can be found before a file is read."""
    problems: list[str] = []
    models: dict[str, ModelSpec] = {}
    try:
        settings.check()
    except ConfigurationError as error:
        problems += error.problems
    try:
        models = settings.models()
        models["model"].refuse_missing()
    except ConfigurationError as error:
        problems += error.problems
    if process.count > 1 and any(model.needs_gpu for model in models.values()):
        problems.append(
            f"model (model = {settings.model}): its engine manages its own GPUs. Use --ray, or one"
            " process with --engine tensor_parallel_size=N."
        )
    if options.ray is not None and process.count > 1:
        problems.append(
            f"ray (address = {options.ray}): a cluster starts its own processes. Run the command without"
            " `accelerate launch`."
        )
    if options.workers is not None and options.ray is None:
        problems.append(
            f"workers (workers = {options.workers}): only a cluster has workers. Add --ray, or launch"
            " several processes with `accelerate launch -m cclearn code`."
        )
    if problems:
        raise ConfigurationError(problems)
