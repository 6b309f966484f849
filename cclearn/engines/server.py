"""What a server reports about a model: its fingerprint, and the fields that requests may have.

A name and an address do not identify a model, because another model may be started at the same port.
Servers list their models at `/models`. The fingerprint, so that no model is mistaken for another, is
computed from the entry of the model.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.errors import CclearnError, DataError
from cclearn.model_manifest import read_manifest
from cclearn.models import model_hash
from cclearn.runtime.files import sha256_of_text
from cclearn.weights import sha256_of_unchanged

if TYPE_CHECKING:
    from openai import OpenAI

_STABLE = ("id", "root", "parent", "owned_by", "max_model_len", "meta")
"""Fields that do not change while a server runs one model. vLLM changes `created` and `permission` at
each request."""

_SECONDS = 5.0


_TAKES_TEMPLATE_ARGUMENTS = {"vllm", "sglang", "llamacpp"}
"""Values of `owned_by` of servers that take `chat_template_kwargs`. OpenAI's server and others reject
fields that they do not know."""

_TAKES_STOP_TOKENS = {"vllm", "sglang"}
"""Values of `owned_by` of servers that take `stop_token_ids`."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model on a server.

    Attributes:
        entry: The model's entry in the server's list of models; None if the server does not list it.
        is_local: Whether the server is on this machine.
    """

    entry: dict[str, Any] | None
    is_local: bool

    def fingerprint(self) -> str:
        """Return a hash of what the server reports about the weights of the model.

        - If it names files on this machine, as vLLM and llama.cpp do on loopback, their content is
          hashed.
        - If it names a model on the hub (`root`), that name is hashed.
        - If a server on another machine names no weights, as OpenAI's, its name for the model is hashed.

        Returns:
            64 hexadecimal digits. The string is empty if the server does not list the model or does not
            report its weights. The latter is so for a server on loopback without `root`, and for paths
            that do not exist on this machine.
        """
        if self.entry is None:
            return ""
        stable = {
            field: self.entry[field] for field in _STABLE if self.entry.get(field) is not None
        }
        weights = str(stable.get("root") or stable.get("id"))
        if self.is_local and Path(weights).exists():
            path = Path(weights)
            stable["weights"] = model_hash(path) if path.is_dir() else sha256_of_unchanged(path)
        elif _is_path(weights) or (self.is_local and "root" not in stable):
            return ""
        return sha256_of_text(json.dumps(stable, sort_keys=True))

    def fields(self) -> dict[str, Any]:
        """Return the fields of a request that are not in OpenAI's protocol and that the server takes.

        `chat_template_kwargs` keeps a model from reasoning before its answer. `stop_token_ids` has the
        end-of-turn token of a model that a recipe wrote on this machine.
        """
        entry = self.entry or {}
        fields: dict[str, Any] = {}
        if entry.get("owned_by") in _TAKES_TEMPLATE_ARGUMENTS:
            fields["chat_template_kwargs"] = {"enable_thinking": False}
        if self.is_local and entry.get("owned_by") in _TAKES_STOP_TOKENS:
            # An adapter is run with the tokenizer of its base, which may not end answers where it does.
            with suppress(DataError):
                end = (read_manifest(str(entry.get("root"))) or {}).get("end_of_turn_id")
                fields |= {"stop_token_ids": [end]} if isinstance(end, int) else {}
        return fields


def served_model(client: OpenAI, model: str, is_local: bool) -> ServedModel:
    """Return what a server reports about a model. Only the list of models is requested.

    Args:
        client: Client of the server.
        model: Name of the model on the server.
        is_local: Whether the server is on this machine.

    Raises:
        CclearnError: The server does not answer.
    """
    return ServedModel(_entry(client, model), is_local)


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
