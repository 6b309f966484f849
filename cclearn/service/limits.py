"""Settings of the service: its address and its limits."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from cclearn.runtime.loopback import is_loopback, parse_authority

KEY_VARIABLE = "CCLEARN_API_KEY"  # The name of the variable, not a key.

_KIBIBYTE = 2**10
_MEBIBYTE = 2**20

_MOST = 2.0**30
"""Maximum of the limits on sizes. No machine has so many MiB."""

_SHORTEST_KEY = 16
_KEY = re.compile(f"[!-~]{{{_SHORTEST_KEY},}}")


class Limits(BaseModel):
    """Limits of the service.

    Attributes:
        max_body: Maximum size of a request's body in MiB.
        max_held: Maximum size of the bodies of all requests in progress in MiB.
        max_notes: Maximum number of notes in a request.
        max_waiting: Maximum number of notes that wait for a coder.
        max_batch: Maximum number of notes that a coder is given at once.
        batch_wait: Number of seconds that a batch which is not full waits for more notes.
        time_limit: Maximum number of seconds from a request's head to its response.
        max_connections: Maximum number of open connections.
        max_head: Maximum size of the head of a request in KiB.
        head_time: Maximum number of seconds until the head of a request is complete. They are counted
            from the start of the connection or from the response to the previous request.
    """

    model_config = ConfigDict(allow_inf_nan=False, extra="forbid", frozen=True)

    max_body: float = Field(default=8.0, gt=0, le=_MOST)
    max_held: float = Field(default=128.0, gt=0, le=_MOST)
    max_notes: int = Field(default=256, ge=1)
    max_waiting: int = Field(default=512, ge=1)
    max_batch: int = Field(default=32, ge=1)
    batch_wait: float = Field(default=0.0, ge=0, le=1)
    time_limit: float = Field(default=60.0, gt=0, le=86_400)
    max_connections: int = Field(default=900, ge=1)  # Fewer than the 1,024 files of a process.
    max_head: float = Field(default=32.0, gt=0, le=_MOST)
    head_time: float = Field(default=10.0, gt=0, le=86_400)

    @model_validator(mode="after")
    def _parts_fit_into_totals(self) -> Self:
        problems = []
        for limit, total in (("max_notes", "max_waiting"), ("max_body", "max_held")):
            least, most = getattr(self, limit), getattr(self, total)
            if least > most:
                problems.append(
                    f"{limit} = {least:g}: a request of this size would always be refused, because"
                    f" {total} = {most:g}. Lower {limit} or raise {total}."
                )
        if problems:
            raise ValueError(" ".join(problems))
        return self

    @property
    def body_bytes(self) -> int:
        """Maximum number of bytes of a body."""
        return int(self.max_body * _MEBIBYTE)

    @property
    def held_bytes(self) -> int:
        """Maximum number of bytes of all bodies."""
        return int(self.max_held * _MEBIBYTE)

    @property
    def head_bytes(self) -> int:
        """Maximum number of bytes of a head."""
        return int(self.max_head * _KIBIBYTE)


class ServiceSettings(BaseModel):
    """Settings of the service.

    Attributes:
        host: Address to listen on.
        port: Port to listen on, or 0 for a free port.
        key: Key that clients of `/code` and `/codes` must send. It is required unless the address is a
            loopback address.
        workers: Number of worker processes, each with its own coder.
        limits: Limits of the service.
        allow_host: Further names of the service, as `NAME` or `NAME:PORT`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    key: SecretStr | None = None
    workers: int = Field(default=1, ge=1)
    limits: Limits = Limits()
    allow_host: tuple[str, ...] = ()

    @field_validator("allow_host")
    @classmethod
    def _hosts_are_names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if parse_authority(host) is None:
                raise ValueError(f"{host!r} is not the name of a host. Write NAME or NAME:PORT.")
        return hosts

    @field_validator("key")
    @classmethod
    def _key_can_be_sent(cls, key: SecretStr | None) -> SecretStr | None:
        value = key.get_secret_value() if key else None
        if value is not None and not _KEY.fullmatch(value):
            raise ValueError(
                f"{KEY_VARIABLE} must have {_SHORTEST_KEY} characters or more, ASCII without blanks."
                " Make one with `openssl rand -hex 32`."
            )
        return key

    @model_validator(mode="after")
    def _others_need_a_key(self) -> Self:
        if self.key is None and not is_loopback(self.host):
            raise ValueError(need_of_a_key(self.host))
        return self


def need_of_a_key(host: str) -> str:
    """Return the message for a service without a key on an address that other machines reach."""
    return (
        f"host = {host}: other machines reach it, and there is no key. Set {KEY_VARIABLE} in the"
        " environment, or listen on 127.0.0.1."
    )
