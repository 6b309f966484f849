"""What decides the bytes of a coded corpus: its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cclearn
from cclearn.bulk.corpus import Survey
from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.tables import tables_sha256
from cclearn.coding.settings import CoderSettings
from cclearn.engines.registry import is_lexicon, load_engine
from cclearn.errors import DataError, shown_id
from cclearn.models import adapter_base
from cclearn.notes import SpanPair
from cclearn.notes.jsonl import row_to_json
from cclearn.prompts import prompt_hash
from cclearn.runtime.files import sha256_of_file, sha256_of_text
from cclearn.weights import CALIBRATION, sha256_of_model

_TRANSPORT = {
    "gpu_memory_utilization",
    "tensor_parallel_size",
    "concurrency",
    "retries",
    "timeout",
    "seconds",
    "tokens",
    "cost",
    "prompt_price",
    "answer_price",
    "send_restricted",
    "may_send_restricted",
    "cache",
}
"""Settings of engines that decide how answers are fetched, and not what they are."""

_SHA256 = 64
"""Hexadecimal digits."""


def manifest_of(
    settings: CoderSettings, system: CodeSystem, survey: Survey, shard_size: int
) -> dict[str, Any]:
    """Return everything that decides what the run writes. No model is loaded; a server is asked which
    model it runs.

    Args:
        settings: Of the coder.
        system: The code system that they name.
        survey: Of the corpus.
        shard_size: Rows a shard.

    Raises:
        CclearnError: A file that the settings name cannot be read, or a server does not answer.
    """
    loop = settings.loop
    return {
        "cclearn": cclearn.__version__,
        "coder": {
            "model": settings.model,
            "mode": "single_pass" if loop is None else "span_loop",
            "loop": None if loop is None else loop.model_dump(mode="json"),
            "engine": settings.engine.model_dump(mode="json", exclude=_TRANSPORT),
            "encounter": settings.encounter,
            "calibration": _calibration(settings),
            "pairs_sha256": _pairs_sha256(settings.pairs),
            "sha256": {
                **{name: sha256_of_model(folder) for name, folder in _folders(settings)},
                **{name: _file_hash(file) for name, file in _replayed(settings)},
                **_servers(settings),
            },
            "prompt_sha256": _prompts(settings, system),
            "lexicon_sha256": tables_sha256(),
        },
        "code_system": {"name": system.name, "release": system.release, "source": system.source},
        "corpus": {"rows": survey.rows, "sha256": survey.sha256},
        "shard_size": shard_size,
    }


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Return in which entries two manifests differ, each as `entry: there, here`."""
    one, other = dict(_flat(theirs)), dict(_flat(ours))
    return [
        f"{shown_id(key)}: {_short(one.get(key))} there, {_short(other.get(key))} here"
        for key in sorted(one.keys() | other.keys())
        if one.get(key) != other.get(key)
    ]


def run_hash(manifest: Mapping[str, Any]) -> str:
    """Return a manifest's SHA-256: the run's name in the markers of its shards."""
    return sha256_of_text(json.dumps(manifest, sort_keys=True, ensure_ascii=False))


def _folders(settings: CoderSettings) -> list[tuple[str, Path]]:
    """Return the folders of the models that the settings name, those of adapters' bases too."""
    named = {role: model.weights or "" for role, model in settings.models().items()}
    if settings.loop is not None:
        named["embeddings"] = settings.loop.embeddings or ""
    found = [(role, Path(name)) for role, name in named.items() if name and Path(name).is_dir()]
    bases = [(f"{role} base", adapter_base(folder)) for role, folder in found]
    return found + [
        (role, Path(base[0])) for role, base in bases if base and Path(base[0]).is_dir()
    ]


def _replayed(settings: CoderSettings) -> list[tuple[str, Path]]:
    """Return the files of answers that the settings name."""
    return [
        (f"{role} answers", model.file)
        for role, model in settings.models().items()
        if model.file is not None
    ]


def _servers(settings: CoderSettings) -> dict[str, str]:
    """Return the fingerprints of the models behind the servers that the settings name."""
    return {
        f"{role} server": load_engine(model.name, settings.engine).model_sha256
        for role, model in settings.models().items()
        if not model.is_lexicon and model.weights is None and model.file is None
    }


def _calibration(settings: CoderSettings) -> str | None:
    """Return the hash of the calibration: of the named file, or of the one in the model's folder."""
    if settings.calibration == "off":
        return "off"
    if settings.calibration is not None:
        return _file_hash(Path(settings.calibration))
    beside = Path(settings.model) / CALIBRATION
    return _file_hash(beside) if beside.is_file() else None


def _pairs_sha256(pairs: Path | Sequence[SpanPair] | None) -> str | None:
    if pairs is None:
        return None
    if isinstance(pairs, Path):
        return _file_hash(pairs)
    return sha256_of_text("\n".join(map(row_to_json, pairs)))


def _file_hash(path: Path) -> str:
    if not path.is_file():
        raise DataError(path, "no such file")
    return sha256_of_file(path)


def _prompts(settings: CoderSettings, system: CodeSystem) -> str | None:
    if is_lexicon(settings.model):
        return None
    from cclearn.coding.templates import learnt_template

    return prompt_hash(system.name, learnt_template(settings.model, system))


def _flat(entries: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in entries.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _short(value: object) -> str:
    if isinstance(value, str) and len(value) == _SHA256:
        return f"{value[:12]}…"
    return shown_id(str(value))
