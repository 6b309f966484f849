"""The identity of coders and runs. Two coders, or two runs, with one identity give the same results.

The hashes of models come from `cclearn.models.model_hash` and from `Engine.model_sha256`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from cclearn.errors import DataError, shown_id
from cclearn.runtime.files import sha256_of_file, sha256_of_text

if TYPE_CHECKING:
    from cclearn.codes import CodeSystem
    from cclearn.coding.settings import CoderSettings

_SHA256_LENGTH = 64
"""Number of hexadecimal digits of a SHA-256."""

_TRANSPORT_SETTINGS = {
    "device_map",
    "gpu_memory_utilization",
    "tensor_parallel_size",
    "concurrency",
    "retries",
    "timeout",
    "service_tier",
    "seconds",
    "tokens",
    "cost",
    "prompt_price",
    "answer_price",
    "send_restricted",
    "may_send_restricted",
    "cache",
}
"""Settings of engines that have no influence on the answers."""


class CoderIdentity(BaseModel):
    """The identity of a coder, which the file of a calibration stores as `made_for`.

    Attributes:
        model: Name of the model.
        model_sha256: Hash of the model. Empty if only its name is known.
        mode: Name of the method that finds codes, followed by the settings that determine its findings.
        prompt_sha256: Hash of the prompts. Empty if the coder has no prompts.
        system: Name of the code system.
        release: Release of the code system.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str
    model_sha256: str
    mode: str
    prompt_sha256: str
    system: str
    release: str


class Difference(NamedTuple):
    """An entry in which two identities differ.

    Attributes:
        key: Dotted key of the entry.
        theirs: Value in the other identity, shortened for a message.
        ours: Value in this identity, shortened for a message.
    """

    key: str
    theirs: str
    ours: str


def flatten(value: object, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings and lists, each with its dotted key.

    Empty mappings and empty lists are leaves.

    Args:
        value: Mapping, list or leaf.
        key: Dotted key of the value itself.
    """
    items: list[tuple[object, object]] = []
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    if not items:
        yield key, value
    for name, item in items:
        yield from flatten(item, f"{key}.{name}" if key else str(name))


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Difference]:
    """Return the entries in which two identities differ, sorted by key.

    A missing entry counts as None, and so does an empty mapping.

    Args:
        theirs: Identity that was stored earlier.
        ours: Identity of the present coder or run.
    """
    flat_theirs, flat_ours = (
        {key: None if value == {} else value for key, value in flatten(identity)}
        for identity in (theirs, ours)
    )
    return [
        Difference(shown_id(key), _shorten(flat_theirs.get(key)), _shorten(flat_ours.get(key)))
        for key in sorted(flat_theirs.keys() | flat_ours.keys())
        if flat_theirs.get(key) != flat_ours.get(key)
    ]


def coder_manifest(settings: CoderSettings, system: CodeSystem) -> dict[str, Any]:
    """Return all settings and hashes that determine the output of a coder, for a manifest.

    No model is loaded. A server is asked which model it runs.

    Args:
        settings: Settings of the coder.
        system: Code system that the settings name.

    Raises:
        CclearnError: A file that the settings name cannot be read, or a server does not answer.
    """
    import cclearn
    from cclearn.codes.clinical_terms.tables import tables_sha256
    from cclearn.coding.templates import learnt_template
    from cclearn.prompts import prompt_hash
    from cclearn.prompts.template_choice import read_chat_template

    loop, path = settings.loop, settings.calibration_path
    is_off = settings.calibration is not None and path is None
    prompts = None
    if not settings.models()["model"].is_lexicon:
        prompts = prompt_hash(system.name, learnt_template(settings.model, system))
    coder = {
        "model": settings.model,
        "mode": "single_pass" if loop is None else "span_loop",
        "loop": None if loop is None else loop.model_dump(mode="json"),
        "engine": settings.engine.model_dump(mode="json", exclude=_TRANSPORT_SETTINGS),
        "encounter": settings.encounter,
        "assertion": settings.assertion,
        "labels": settings.labels and settings.labels.model_dump(mode="json"),
        "calibration": "off" if is_off else path and _sha256_of_existing(path),
        "pairs_sha256": rows_sha256(settings.pairs),
        "sha256": dict(_model_hashes(settings)),
        "prompt_sha256": prompts,
        "lexicon_sha256": tables_sha256(),
    }
    if settings.engine.chat_template is not None:
        template = read_chat_template(settings.engine.chat_template, "engine.chat_template")
        coder["chat_template_sha256"] = sha256_of_text(template)
    if settings.examples:
        coder["examples_sha256"] = rows_sha256(settings.examples)
    return {
        "cclearn": cclearn.__version__,
        "coder": coder,
        "code_system": {"name": system.name, "release": system.release, "source": system.source},
    }


def _model_hashes(settings: CoderSettings) -> Iterator[tuple[str, str]]:
    """Yield the hash of every model that the settings name, by its role."""
    from cclearn.engines.registry import load_engine
    from cclearn.gguf_files import is_gguf
    from cclearn.models import adapter_base
    from cclearn.weights import sha256_of_model, sha256_of_unchanged

    models = settings.models()
    names = {role: model.weights or "" for role, model in models.items()}
    if settings.loop is not None:
        names["embeddings"] = settings.loop.embeddings or ""
        names["ranker"] = (settings.loop.ranker or "").removeprefix("plm:")
    paths = {role: Path(name) for role, name in names.items() if name}
    bases = {f"{role} base": adapter_base(path) for role, path in paths.items() if path.is_dir()}
    paths |= {role: Path(base[0]) for role, base in bases.items() if base}
    for role, path in paths.items():
        if path.is_dir():
            yield role, sha256_of_model(path)
        elif is_gguf(path):
            yield role, sha256_of_unchanged(path)
    for role, model in models.items():
        if model.file is not None:
            yield f"{role} answers", _sha256_of_existing(model.file)
    for role, model in models.items():
        if not model.is_lexicon and model.weights is None and model.file is None:
            yield f"{role} server", load_engine(model.name, settings.engine).model_sha256


def rows_sha256(rows: Path | Sequence[BaseModel] | None) -> str | None:
    """Return the hash of rows in a file or in memory."""
    from cclearn.notes.jsonl import row_to_json

    if rows is None:
        return None
    if isinstance(rows, Path):
        return _sha256_of_existing(rows)
    return sha256_of_text("\n".join(map(row_to_json, rows)))


def _sha256_of_existing(path: Path) -> str:
    """Return the hash of a file. Raises DataError if it is missing."""
    if not path.is_file():
        raise DataError(path, "no such file")
    return sha256_of_file(path)


def _shorten(value: object) -> str:
    """Return a value for a message. Hashes and long values are shortened."""
    if isinstance(value, str) and len(value) == _SHA256_LENGTH:
        return f"{value[:12]}…"
    return shown_id(str(value))
