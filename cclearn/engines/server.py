"""What a server says of the model behind it, so that no model is mistaken for another.

A name and an address do not name a model: another one may be started behind the same port. Servers list
their models at `/models`; what the entry of a model says of its weights is taken as its fingerprint.
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
"""Fields that stay the same while a server runs one model. `created` and `permission` do not: vLLM makes
them anew for each request."""

_SECONDS = 5.0


def server_fingerprint(client: OpenAI, model: str, is_local: bool) -> str:
    """Return a hash of what a server says of the weights behind a model's name.

    - Where it names files on this machine, as vLLM and llama.cpp do on loopback, their content counts.
    - Where it names a model on the hub (`root`), that name counts.
    - A server on another machine that names no weights answers for its own names, as OpenAI does.

    Args:
        client: A client of the server. Nothing but the list of models is requested.
        model: The model's name on the server.
        is_local: Whether the server is on this machine.

    Returns:
        64 hexadecimal digits; an empty string where the server lists no such model, or does not say
        which weights it runs: a server on loopback without `root`, and paths that lie elsewhere.

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
    """Return what the server's list of models says of one, None where it says nothing."""
    import httpx2
    import openai

    asked = client.with_options(timeout=_SECONDS, max_retries=1)
    try:
        listed = asked.get("/models", cast_to=httpx2.Response).json()
        entry: dict[str, Any] = next(each for each in listed["data"] if each["id"] == model)
        return entry
    except openai.APIConnectionError:
        raise CclearnError(
            f"model (model = openai:{model}): its server does not answer, and must say which model it"
            " runs. Start it, and run the same command again."
        ) from None
    except (openai.OpenAIError, ValueError, LookupError, TypeError, StopIteration):
        return None


def _is_path(weights: str) -> bool:
    """Say whether a name is that of files: a model on the hub is `OWNER/NAME`, or a name alone."""
    return weights.startswith(("/", ".", "~")) or "\\" in weights or weights.count("/") > 1
