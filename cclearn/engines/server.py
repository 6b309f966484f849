"""The fingerprint of a model on a server, so that no model is mistaken for another.

A name and an address do not identify a model, because another model may be started at the same port.
Servers list their models at `/models`. The fingerprint is computed from the entry of the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.errors import CclearnError
from cclearn.models import model_hash
from cclearn.runtime.files import sha256_of_file, sha256_of_text

if TYPE_CHECKING:
    from openai import OpenAI

_STABLE = ("id", "root", "parent", "owned_by", "max_model_len", "meta")
"""Fields that do not change while a server runs one model. vLLM changes `created` and `permission` at
each request."""

_SECONDS = 5.0


def server_fingerprint(client: OpenAI, model: str, is_local: bool) -> str:
    """Return a hash of what a server reports about the weights of a model.

    - If it names files on this machine, as vLLM and llama.cpp do on loopback, their content is hashed.
    - If it names a model on the hub (`root`), that name is hashed.
    - If a server on another machine names no weights, as OpenAI's, its name for the model is hashed.

    Args:
        client: Client of the server. Only the list of models is requested.
        model: Name of the model on the server.
        is_local: Whether the server is on this machine.

    Returns:
        64 hexadecimal digits. The string is empty if the server does not list the model or does not
        report its weights. The latter is so for a server on loopback without `root`, and for paths that
        do not exist on this machine.

    Raises:
        CclearnError: The server does not answer.
    """
    entry = _entry(client, model)
    if entry is None:
        return ""
    stable = {field: entry[field] for field in _STABLE if entry.get(field) is not None}
    weights = str(stable.get("root") or stable.get("id"))
    if is_local and Path(weights).exists():
        path = Path(weights)
        stable["weights"] = model_hash(path) if path.is_dir() else sha256_of_file(path)
    elif _is_path(weights) or (is_local and "root" not in stable):
        return ""
    return sha256_of_text(json.dumps(stable, sort_keys=True))


def _entry(client: OpenAI, model: str) -> dict[str, Any] | None:
    """Return the entry of a model in the server's list of models; None if there is none."""
    import httpx2
    import openai

    patient = client.with_options(timeout=_SECONDS, max_retries=1)
    try:
        listed = patient.get("/models", cast_to=httpx2.Response).json()
        entry: dict[str, Any] = next(row for row in listed["data"] if row["id"] == model)
        return entry
    except openai.APIConnectionError:
        raise CclearnError(
            f"model (model = openai:{model}): its server does not answer. Start it, and run the same"
            " command again."
        ) from None
    except (openai.OpenAIError, ValueError, LookupError, TypeError, StopIteration):
        return None


def _is_path(weights: str) -> bool:
    """Return whether a name is a path. A model on the hub is `OWNER/NAME`, or a name without owner."""
    return weights.startswith(("/", ".", "~")) or "\\" in weights or weights.count("/") > 1
