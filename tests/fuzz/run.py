"""Runs mutated inputs, each in a child of one process that has imported and built everything."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.canary import WORD
from tests.fuzz.mutate import mutate
from tests.fuzz.targets import Target

SECONDS = 10
"""Limit of the processor time of an input, in seconds."""

_WALL = 120
"""Seconds after which a child process is killed. They are more than `SECONDS`, for a loaded machine."""

_MEMORY = 3 * 2**30
"""Bytes of address space that a child process may use in addition to those of its parent."""

_NOT_LEFT = {".lock", ".cclearn.json"}


@dataclass
class Tally:
    """Numbers of inputs of a target, by outcome.

    Attributes:
        inputs: Number of inputs that were run.
        accepted: Number of inputs with exit code 0.
        refused: Number of inputs with exit code 2 and none of the defects below.
        tracebacks: Number of inputs that ended with a traceback, an internal error, a signal or any
            other exit code.
        slow: Number of inputs that took more than `SECONDS` of processor time, or did not end.
        leftovers: Number of inputs after which a hidden, partial or empty file was left.
        leaks: Number of inputs after which a message contained the note's text.
    """

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    tracebacks: int = 0
    slow: int = 0
    leftovers: int = 0
    leaks: int = 0


@dataclass
class Defect:
    """An input that a command did not handle correctly.

    Attributes:
        target: Name of the target.
        number: Number of the input. With the seed it determines the input.
        kinds: Columns of the table that count the defect.
        message: The end of the command's standard error.
        command: The command line.
        file: The file that was mutated.
    """

    target: str
    number: int
    kinds: list[str]
    message: str
    command: list[str]
    file: str


@dataclass
class Outcome:
    """The tallies by target, and every defect."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)

    @property
    def total(self) -> Tally:
        total = Tally()
        for tally in self.tallies.values():
            for name, count in asdict(tally).items():
                setattr(total, name, getattr(total, name) + count)
        return total


def warm_up(models: bool) -> None:
    """Import what commands import, and build what they all need, before the children are made.

    Args:
        models: Whether to import the libraries of models too.
    """
    import matplotlib.pyplot
    import obonet  # noqa: F401
    import pyarrow.dataset
    import pyarrow.parquet  # noqa: F401

    from cclearn import Coder
    from cclearn.codes import CodeSystem

    matplotlib.use("agg")
    Coder.lexicon(CodeSystem.load()).code("Old myocardial infarction.")
    if models:
        _import_libraries()


def _import_libraries() -> None:
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import spacy.lang.en  # noqa: F401
    import torch
    import transformers  # noqa: F401
    import trl  # noqa: F401

    import cclearn.training.sft  # noqa: F401
    import recipes.sft  # noqa: F401

    torch.set_num_threads(1)


def warm_up_model(model: Path) -> None:
    """Render the chat template of the valid model, which most children need."""
    from cclearn.models import load_tokenizer
    from cclearn.prompts.encoding import end_of_turn

    end_of_turn(load_tokenizer(str(model)))


def run(
    chosen: Iterable[tuple[int, Target]],
    seeds: Path,
    scratch: Path,
    seed: int,
    jobs: int = 2,
    valid: bool = False,
    on_result: Callable[[int, Defect | None], None] = lambda number, defect: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run inputs.

    Args:
        chosen: Numbers and targets of the inputs.
        seeds: Folder of the valid inputs.
        scratch: Folder for the folders of the children. Those of defects are kept.
        seed: Seed, which determines the mutation together with the number of an input.
        jobs: Number of children that run at once.
        valid: Whether the inputs are not mutated. All of them must be accepted then.
        on_result: Function that is called after each input with its number and its defect.
        stopped: Function that returns whether to begin no further input.
    """
    # Otherwise a full collection in a child writes to every page of the parent's heap, and copies it.
    gc.collect()
    gc.freeze()
    outcome = Outcome()
    running: dict[int, _Child] = {}
    waiting = iter(chosen)
    more = True
    while more or running:
        if stopped():
            more = False
        while more and len(running) < jobs:
            try:
                number, target = next(waiting)
            except StopIteration:
                more = False
                break
            child = _Child(number, target, seeds, scratch / str(number), seed, valid)
            running[child.process] = child
        for process, child in list(running.items()):
            ended, status, used = os.wait4(process, os.WNOHANG)
            if ended:
                del running[process]
                defect = child.judge(status, used.ru_utime + used.ru_stime, outcome)
                on_result(child.number, defect)
            elif time.monotonic() - child.began > _WALL:
                os.kill(process, signal.SIGKILL)
        time.sleep(0.005)
    return outcome


def choose(targets: list[Target], inputs: int, seed: int) -> Iterator[tuple[int, Target]]:
    """Draw targets by their weights. Each is drawn at least once if there are enough inputs."""
    rng = random.Random(seed)
    drawn = rng.sample(targets, min(inputs, len(targets)))
    weights = [target.weight for target in targets]
    drawn += rng.choices(targets, weights, k=inputs - len(drawn))
    rng.shuffle(drawn)
    yield from enumerate(drawn)


class _Child:
    """A forked process that runs one command on one mutated input."""

    def __init__(
        self,
        number: int,
        target: Target,
        seeds: Path,
        folder: Path,
        seed: int,
        valid: bool,
    ) -> None:
        self.number = number
        self.target = target
        self._folder = folder
        self._working = folder / "work"
        self._working.mkdir(parents=True)
        (folder / "tmp").mkdir()
        for name in {*target.needs, _top(target)}:
            if name and (seeds / name).is_dir():
                shutil.copytree(seeds / name, self._working / name)
            elif name:
                shutil.copy(seeds / name, self._working / name)
        rng = random.Random(f"{seed} {number}")
        command = list(target.command)
        if valid:
            command = [target.file if part == "{}" else part for part in command]
        elif target.kind in ("setting", "argument"):
            mutated = mutate(rng, target.kind, target.file.encode())[:60_000]
            text = os.fsdecode(mutated.replace(b"\0", b""))
            command = [text if part == "{}" else part for part in command]
        else:
            file = self._working / target.file
            mutated = mutate(rng, target.kind, file.read_bytes())
            if not target.holds_notes:
                mutated = mutated.replace(WORD.encode(), b"Other")
            file.write_bytes(mutated)
            if target.group == "sealed":
                _seal(file)
        self.command = [target.program, *command]
        self._before = _files(self._working)
        self.began = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self.process = os.fork()
        if not self.process:
            self._execute()

    def _execute(self) -> None:
        code = 99
        try:
            code = _main(self.command, self._working, self._folder)
        finally:
            os._exit(code)

    def judge(self, status: int, seconds: float, outcome: Outcome) -> Defect | None:
        """Count the outcome, and return the defect if there is one."""
        code = os.waitstatus_to_exitcode(status)
        err = (self._folder / "stderr").read_bytes().decode("utf-8", errors="replace")
        out = (self._folder / "stdout").read_bytes().decode("utf-8", errors="replace")
        kinds = []
        slow = seconds > SECONDS or code in (-signal.SIGKILL, -signal.SIGXCPU)
        if slow:
            kinds.append("slow")
        elif code not in (0, 2) or _TRACEBACK.search(err):
            kinds.append("tracebacks")
        if self._leftovers(code):
            kinds.append("leftovers")
        if WORD in err or (WORD in out and not self.target.shows_notes):
            kinds.append("leaks")
        tally = outcome.tallies.setdefault(self.target.name, Tally())
        tally.inputs += 1
        tally.accepted += code == 0
        tally.refused += code == 2 and not kinds
        for kind in kinds:
            setattr(tally, kind, getattr(tally, kind) + 1)
        if not kinds:
            shutil.rmtree(self._folder, ignore_errors=True)
            return None
        message = f"exit code {code}, {seconds:.1f} s: {err[-1500:]}"
        if "leftovers" in kinds:
            message += f" leftovers: {self._leftovers(code)}"
        defect = Defect(
            self.target.name, self.number, kinds, message, self.command, self.target.file
        )
        outcome.defects.append(defect)
        return defect

    def _leftovers(self, code: int) -> list[str]:
        """Return the incomplete files that a command left."""
        new = _files(self._working) - self._before
        left = [
            name
            for name in new
            if any(part.startswith(".") for part in Path(name).parts[:-1])
            or (Path(name).name.startswith(".") and Path(name).name not in _NOT_LEFT)
        ]
        # A shard that contains only rejected rows is empty, but complete, and so is a file of CodiEsp
        # whose notes have no code.
        codiesp = any(word.startswith("codiesp-") for word in self.command)
        left += [name for name in new if code and not codiesp
                 and not (self._working / name).stat().st_size
                 and Path(name).name not in {*_NOT_LEFT, "rejected.jsonl"}
                 and not (self._working / name).with_suffix(".done").exists()]  # fmt: skip
        left += [f"tmp/{name}" for name in _files(self._folder / "tmp")]
        return sorted(set(left))


_TRACEBACK = re.compile(r"^(?:internal error|thread .* panicked at)", re.MULTILINE)


def _top(target: Target) -> str:
    return "" if target.kind in ("setting", "argument") else Path(target.file).parts[0]


def _files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def _seal(file: Path) -> None:
    """Write the hash of a mutated file into the marker of its checkpoint."""
    marker = file.parent / "complete.json"
    fields = json.loads(marker.read_text())
    fields["sha256"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    marker.write_text(json.dumps(fields))


def _main(command: list[str], working: Path, folder: Path) -> int:
    """Run a command in this process as its program would, and return the exit code."""
    import faulthandler
    import logging
    import tempfile

    os.setsid()
    os.chdir(working)
    for number, name in ((0, "/dev/null"), (1, folder / "stdout"), (2, folder / "stderr")):
        mode = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = os.open(name, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    if "-" in command:
        os.dup2(os.open("note.txt", os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
    faulthandler.enable(sys.stderr)
    tempfile.tempdir = str(folder / "tmp")
    os.environ["TMPDIR"] = tempfile.tempdir
    _limit()
    os.environ["CCLEARN_DEBUG"] = "1"
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    if transformers := sys.modules.get("transformers"):
        transformers.logging.set_verbosity_debug()
        transformers.logging.enable_propagation()
    sys.argv = command
    try:
        if command[0] == "sft":
            from recipes.sft import main as sft

            code: Any = sft()
        else:
            from cclearn.cli.main import main

            main()
            code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    gc.collect()  # Close the files that the end of a process would close.
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code)


def _limit() -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 1, SECONDS + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, 2**30))


def table(outcome: Outcome) -> str:
    """Return the tallies as a table of text."""
    names = [*asdict(Tally())]
    width = max(map(len, [*outcome.tallies, "target"]), default=6)
    head = f"{'target':<{width}} " + " ".join(f"{name:>10}" for name in names)
    rows = [*sorted(outcome.tallies.items()), ("all", outcome.total)]
    lines = [
        f"{target:<{width}} " + " ".join(f"{count:>10}" for count in asdict(tally).values())
        for target, tally in rows
    ]
    return "\n".join([head, *lines])
