"""The name and the hash of a model, as the audit log records them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from cclearn.codes.clinical_terms.tables import tables_sha256
from cclearn.engines.registry import ModelSpec, load_engine
from cclearn.errors import CclearnError
from cclearn.models import model_hash

if TYPE_CHECKING:
    from cclearn.engines.settings import EngineSettings


def model_record(
    name: str, digest: str = "", engine: EngineSettings | None = None
) -> tuple[str, str]:
    """Return a model's name and its SHA-256.

    The hash of the lexicon is the hash of its tables, and the hash of `replay:FILE` is the hash of the
    file. The hash of a server's model is the one that the server reports; it is empty if the server
    reports none or does not answer.

    Args:
        name: Name of the model, as commands take it.
        digest: Hash of the model if it is known already.
        engine: Settings of the engine, which contain the address of a server.
    """
    spec = ModelSpec.parse(name)
    if spec.is_lexicon:
        return name, tables_sha256()
    if digest:
        return name, digest
    if spec.weights is None:
        with suppress(CclearnError):
            digest = load_engine(name, engine).model_sha256
        return name, digest
    return name, model_hash(spec.weights)
