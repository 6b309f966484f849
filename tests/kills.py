"""Kills commands while they write, and checks that the next run removes what is left.

    python -m tests.kills [--kills 10] [--only NAME ...]

Each command first runs without interruption. Python's audit hooks count its operations on files in the
output folder, such as opening, renaming, removing and locking. Then the command runs several times,
each time in an empty folder, and kills itself with SIGKILL before the n-th operation. The values of n
are spread evenly from the first operation to the last. After each kill, the same command runs again.
The folder must then contain exactly what the uninterrupted run left: the same bytes and modes, no
hidden file and no temporary folder. Finally, all kills are repeated in one folder without a complete
run between them, as a scheduler does that restarts a job several times.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.kill_inputs import prepare

ROOT = Path(__file__).parents[1]

_CHILD = """
import os, runpy, signal, sys
at, sandbox, counted, setup, *arguments = sys.argv[1:]
at, seen, parent = int(at), 0, os.getpid()

def operation(event, values):
    global seen
    if event.split(".")[0] not in ("open", "os", "shutil", "fcntl", "sqlite3", "pathlib"):
        return
    if event != "fcntl.flock" and not any(
        isinstance(value, (str, bytes, os.PathLike)) and os.fsdecode(value).startswith(sandbox)
        for value in values
    ):
        return
    if os.getpid() != parent:
        return
    seen += 1
    if seen == at:
        os.kill(parent, signal.SIGKILL)
    if not at:
        # Rewritten at each operation, because libraries end some processes without cleaning up.
        os.pwrite(counts, b"%9d" % seen, 0)

counts = os.open(counted, os.O_WRONLY | os.O_CREAT)
exec(setup)
sys.addaudithook(operation)
sys.argv = arguments
if arguments[0] == "cclearn":
    from cclearn.cli.main import main
    main()
else:
    runpy.run_path(arguments[0], run_name="__main__")
"""

_COMPLETE = ("exists already",)
"""Messages of a run whose output is already complete."""


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        name: Name in the table.
        arguments: `cclearn` or a script, and its arguments. `{out}` is the output folder and `{inputs}`
            the folder of the inputs.
        before: Arguments of a command that is run first, for example to create an output to overwrite.
        timed: Names of files whose content depends on the duration of a run.
        own_cache: Whether the cache folder is in the output folder.
        setup: Statements that are executed before the command, for example to make its data smaller.
    """

    name: str
    arguments: tuple[str, ...]
    before: tuple[str, ...] = ()
    timed: frozenset[str] = frozenset()
    own_cache: bool = False
    setup: str = ""


def _evaluate(*more: str) -> tuple[str, ...]:
    files = ("--gold", "{inputs}/gold.jsonl", "--pred", "{inputs}/one.jsonl", *more)
    return ("cclearn", "evaluate", *files, "--out", "{out}/report", "--draws", "5")


_SFT = (
    str(ROOT / "recipes" / "sft.py"),
    *"--config tiny/sft_scratch --resume auto".split(),
    'output="{out}/model"',
    'rows.sources.0.path="{inputs}/synthetic/pairs/pairs.jsonl"',
    'rows.sources.1.path="{inputs}/synthetic/train/notes.jsonl"',
    *"model.scratch.hidden_size=32 model.scratch.layers=2 model.scratch.heads=2".split(),
    "model.scratch.intermediate_size=64",
    "model.scratch.vocabulary=500",
    "training.batching=packed",
    "training.batch_tokens=512",
    "training.steps=6",
    "training.log_every=1",
    "training.save_every=2",
)

_BENCHMARK = ("synthetic", "--data", "{inputs}/synthetic", "--out", "{out}/result")

_AUDIT = "cclearn audit-codes --notes {inputs}/bare.jsonl --codes {inputs}/bare.jsonl".split()
_EXPORT = "cclearn review export {inputs}/reviewed".split()

COMMANDS = (
    Command("cp", ("cclearn", "recipes", "cp", "tiny/sft_scratch", "{out}/new/mine.yaml")),
    Command("code file", ("cclearn", "code", "{inputs}/notes.jsonl", "--out", "{out}/coded.jsonl")),
    Command(
        "code folder",
        ("cclearn", "code", "{inputs}/notes.jsonl", "--out", "{out}/coded/", "--shard-size", "20"),
        timed=frozenset({"summary.json"}),
    ),
    Command(
        "code cached",
        (
            *("cclearn", "code", "{inputs}/short.jsonl", "--out", "{out}/coded.jsonl"),
            *("--model", "{inputs}/model", "--engine", "cache={out}/kept/answers.sqlite"),
        ),
        timed=frozenset({"answers.sqlite"}),
    ),
    Command("export", ("cclearn", "export", "{inputs}/coded", "--out", "{out}/coded.tsv")),
    Command(
        "review export", ("cclearn", "review", "export", "{inputs}/reviewed", "--out", "{out}/rows")
    ),
    Command("audit-codes", (*_AUDIT, "--out", "{out}/audited.jsonl")),
    Command("build", ("cclearn", "build", "icd10cm", "under=I21", "--out", "{out}/pairs")),
    Command(
        "build corpus",
        (
            *("cclearn", "build", "corpus", "file={inputs}/table.csv", "id=visit", "patient=visit"),
            *("parts={train: 0.5, dev: 0.5}", "--out", "{out}/corpus"),
        ),
    ),
    Command(
        "build silver",
        ("cclearn", "build", "silver", "notes={inputs}/bare.jsonl", "--out", "{out}/silver"),
    ),
    Command(
        "build policies", ("cclearn", "build", "policies", "notes=40", "--out", "{out}/policies")
    ),
    Command(
        "build rare_code_notes",
        (
            *("cclearn", "build", "rare_code_notes", "notes=[{inputs}/bare.jsonl]", "under=K52"),
            *("most=5", "--out", "{out}/rare"),
        ),
    ),
    Command(
        "audit", ("cclearn", "audit", "{inputs}/synthetic/test/notes.jsonl", "--out", "{out}/audit")
    ),
    Command("evaluate", _evaluate()),
    Command("evaluate again", _evaluate("--overwrite"), before=_evaluate()),
    Command(
        "compare",
        (
            *(
                "cclearn",
                "compare",
                "--gold",
                "{inputs}/gold.jsonl",
                "--pred",
                "{inputs}/one.jsonl",
            ),
            *("--pred", "{inputs}/two.jsonl", "--out", "{out}/report", "--draws", "5"),
        ),
    ),
    Command(
        "spans",
        (
            *("cclearn", "spans", "{inputs}/synthetic/pairs/pairs.jsonl", "--model", "lexicon"),
            *("--out", "{out}/spans", "--limit", "20", "--draws", "5"),
        ),
    ),
    Command(
        "benchmark",
        ("cclearn", "benchmark", *_BENCHMARK, "--model", "lexicon", "--draws", "5"),
        timed=frozenset({"metrics.json", "report.html", "report.md"}),
    ),
    Command("export-task", ("cclearn", "export-task", *_BENCHMARK)),
    Command(
        "calibrate",
        (
            *("cclearn", "calibrate", "--model", "lexicon", "--data", "{inputs}/calibration.jsonl"),
            *("--out", "{out}/calibration.json"),
        ),
    ),
    Command("caches", ("cclearn", "code", "{inputs}/note.txt"), own_cache=True),
    Command(
        "sft",
        _SFT,
        timed=frozenset({"manifest.json", "metrics.jsonl", "README.md"}),
    ),
    Command(
        "sft again",
        (*_SFT, "--overwrite"),
        before=_SFT,
        timed=frozenset({"manifest.json", "metrics.jsonl", "README.md"}),
    ),
    Command("merge", ("cclearn", "merge", "{inputs}/adapter", "--out", "{out}/merged")),
    Command(
        "quickstart",
        ("cclearn", "quickstart", "--out", "{out}/quickstart", "--steps", "2"),
        timed=frozenset({"manifest.json", "metrics.jsonl", "README.md"}),
        setup="from cclearn.workflows import quickstart\n"
        "quickstart.TRAINING_NOTES, quickstart.HELD_OUT_NOTES = 200, 8",
    ),
)


@dataclass
class Outcome:
    """The outcome of the kills of a command.

    Attributes:
        operations: Number of operations on files in the uninterrupted run.
        kills: Numbers of the operations before which the command was killed.
        problems: Differences from the uninterrupted run, one line for each.
    """

    operations: int
    kills: list[int]
    problems: list[str] = field(default_factory=list)


class Sandbox:
    """The folders that the commands read and write.

    Args:
        folder: Empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.inputs, self.out = folder / "inputs", folder / "out"
        self._counts = folder / "counts"
        self._cache = folder / "cache"
        self.inputs.mkdir()

    def run(self, command: Command, at: int = 0, before: bool = False) -> tuple[int, str, int]:
        """Run a command.

        Args:
            command: Command to run.
            at: Number of the operation before which it is killed, or 0 to let it finish.
            before: Whether the command in `before` is run instead.

        Returns:
            The exit code, which is negative after a kill, the end of standard error, and the number of
            operations if the command was not killed.
        """
        arguments = [
            part.replace("{out}", str(self.out)).replace("{inputs}", str(self.inputs))
            for part in (command.before if before else command.arguments)
        ]
        cache = self.out / "cache" if command.own_cache else self._cache
        self._counts.unlink(missing_ok=True)
        done = subprocess.run(
            [
                *(sys.executable, "-c", _CHILD, str(at), str(self.out), str(self._counts)),
                *(command.setup, *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.inputs,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "CCLEARN_CACHE": str(cache),
                "HF_HUB_OFFLINE": "1",
                "TMPDIR": str(self.temporary()),
            },
        )
        counted = self._counts.read_text() if not at else ""
        return done.returncode, done.stderr[-1_000:], int(counted or 0)

    def temporary(self) -> Path:
        """Return the folder for temporary files, which is in the output folder to find leftovers."""
        folder = self.out / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def empty(self, command: Command) -> None:
        """Empty the output folder, and run the command in `before`, if any."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        if command.before:
            code, error, _ = self.run(command, before=True)
            assert code == 0, error

    def tree(self, timed: frozenset[str]) -> dict[str, tuple[str, bytes]]:
        """Return the mode and the content of everything in the output folder, by its path."""
        return {
            str(path.relative_to(self.out)): (
                f"{path.stat().st_mode & 0o777:o}",
                path.read_bytes() if path.is_file() and path.name not in timed else b"",
            )
            for path in self.out.rglob("*")
            if not _is_left_by_design(path)
        }


def _is_left_by_design(path: Path) -> bool:
    """Return whether SQLite or Python leaves a file by design.

    SQLite's log is a part of a cache of answers until its next use, and is purged with it. `tempfile`
    tests the folder for temporary files with a file of four bytes.
    """
    if path.name.endswith((".sqlite-shm", ".sqlite-wal")):
        return True
    return path.parent.name == "tmp" and path.is_file() and path.read_bytes() in (b"", b"blat")


def kill(command: Command, sandbox: Sandbox, kills: int) -> Outcome:
    """Kill a command at several moments, run it again, and compare the outputs.

    Args:
        command: Command to kill.
        sandbox: Folders of the command.
        kills: Number of moments.
    """
    sandbox.empty(command)
    code, error, operations = sandbox.run(command)
    assert code == 0, f"{command.name}: {error}"
    expected = sandbox.tree(command.timed)
    last = max(operations, 1)
    moments = sorted({1 + round(n * (last - 1) / max(kills - 1, 1)) for n in range(kills)})
    outcome = Outcome(operations, moments)

    def finish(label: str) -> None:
        code, error, _ = sandbox.run(command)
        if code and not any(message in error for message in _COMPLETE):
            outcome.problems.append(f"{label}: exit code {code}: {error.strip()[-300:]}")
        found = sandbox.tree(command.timed)
        outcome.problems.extend(
            f"{label}: {path}: {_difference(expected.get(path), found.get(path))}"
            for path in sorted(expected.keys() | found.keys())
            if expected.get(path) != found.get(path)
        )

    def run_and_kill(moment: int) -> None:
        code, error, _ = sandbox.run(command, at=moment)
        # A run does fewer operations if an earlier run has finished a part, and may then end normally.
        if code not in (0, 2, -signal.SIGKILL):
            outcome.problems.append(f"kill at {moment}: exit code {code}: {error.strip()[-300:]}")

    for moment in moments:
        sandbox.empty(command)
        run_and_kill(moment)
        finish(f"kill at {moment}")
    sandbox.empty(command)
    for moment in moments:
        run_and_kill(moment)
    finish("all kills in one folder")
    return outcome


def _difference(expected: tuple[str, bytes] | None, found: tuple[str, bytes] | None) -> str:
    if expected is None or found is None:
        return "is left" if expected is None else "is missing"
    if expected[0] != found[0]:
        return f"mode {expected[0]}, now {found[0]}"
    return "has another content"


def main() -> int:
    """Kill the commands, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [command.name for command in COMMANDS]
    parser.add_argument("--kills", type=int, default=10, help="kills of each command")
    parser.add_argument("--only", nargs="*", choices=names, default=names, help="commands")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="cclearn-kills-") as folder:
        sandbox = Sandbox(Path(folder).resolve())
        prepare(sandbox.inputs, options.only)
        for command in COMMANDS:
            if command.name in options.only:
                outcome = kill(command, sandbox, options.kills)
                results[command.name] = vars(outcome)
                counts = f"{2 * len(outcome.kills)} kills, {outcome.operations} operations"
                print(f"{command.name}: {counts}, {len(outcome.problems)} problems", flush=True)  # noqa: T201
    print(json.dumps(results, indent=1))  # noqa: T201
    return int(any(result["problems"] for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
