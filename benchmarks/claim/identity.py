"""What an arm is bound to: its settings, its data, its code and the kind of its device."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.claim.arms import Arm
from benchmarks.claim.data import Split
from cclearn.coding.identity import difference, rows_sha256
from cclearn.errors import ConfigurationError
from cclearn.models import model_hash
from cclearn.runtime.files import sha256_of_file, sha256_of_text, write_json
from cclearn.runtime.parsing import read_json
from cclearn.runtime.processes import on_gpu

ROOT = Path(__file__).parent.parent.parent

_CODE = (".py", ".yaml", ".cfg", ".txt", ".csv", ".tsv", ".jinja")
_WITHOUT_INFLUENCE = (
    "cclearn/cli",
    "cclearn/service",
    *(
        f"benchmarks/claim/{name}.py"
        for name in "baselines best candidates compare few_shot figure losses results tables".split()
    ),
)


def arm_identity(arm: Arm, split: Split, source: Path | None) -> dict[str, Any]:
    """Return everything that determines the results of an arm, apart from the versions of packages.

    Args:
        arm: The arm.
        split: Notes of the arm.
        source: Folder of Gemma 3 270M; None for the model with random weights.
    """
    return {
        "arm": asdict(arm),
        "source_sha256": source and model_hash(str(source), None),
        "code_sha256": code_sha256(),
        "data_sha256": data_hashes(split),
        "device": "gpu" if on_gpu() else "cpu",
    }


def data_hashes(split: Split) -> dict[str, str | None]:
    """Return the hash of the notes of each part of a split."""
    parts = {
        "documents": split.documents,
        "others": split.others,
        "evaluation": split.evaluation,
    }
    return {name: rows_sha256(notes) for name, notes in parts.items()}


def code_sha256(*further: str) -> str:
    """Return the hash of all files of the package, of the builders and of the claim that have an
    influence on the results of arms.

    Args:
        further: Further files and folders of the project that have an influence on a result.
    """
    files = [
        path.relative_to(ROOT).as_posix()
        for folder in ("cclearn", "data_builders", "benchmarks/claim")
        for path in (ROOT / folder).rglob("*")
    ]
    return files_sha256(*(n for n in files if not n.startswith(_WITHOUT_INFLUENCE)), *further)


def files_sha256(*names: str) -> str:
    """Return the hash of the names and contents of files of the project.

    Args:
        names: Paths of files, and of folders whose code and tables are hashed.
    """
    files: list[Path] = []
    for name in names:
        files += [ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*")
    files = sorted({path for path in files if path.suffix in _CODE})
    return sha256_of_text(
        "\n".join(f"{path.relative_to(ROOT).as_posix()} {sha256_of_file(path)}" for path in files)
    )


def commit() -> str | None:
    """Return the commit of the code. None without Git, or if files differ from those of the commit."""
    try:
        changed = _git("status", "--porcelain", "cclearn", "data_builders", "benchmarks", "recipes")
        lines = [line for line in changed.splitlines() if "benchmarks/results/" not in line]
        return None if lines else _git("rev-parse", "HEAD").strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def bind(folder: Path, identity: Mapping[str, Any]) -> None:
    """Record the identity of an arm in its folder, or check that it is the same as the recorded one.

    Args:
        folder: Folder of the arm.
        identity: Identity of the arm.

    Raises:
        ConfigurationError: The folder belongs to an arm with other data, code or settings, or of another
            device. The error lists every difference.
    """
    path = folder / "identity.json"
    if not path.exists():
        write_json(path, identity)
        return
    problems = [
        f"arm (folder = {folder}): {entry.key} was {entry.theirs} and is {entry.ours}. Set it back, or"
        " remove the folder to run the arm again."
        for entry in difference(read_json(path), identity)
    ]
    if problems:
        raise ConfigurationError(problems)
