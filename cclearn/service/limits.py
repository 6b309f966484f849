"""What the service is told: where it listens, and what it takes on."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from cclearn.loopback import is_loopback

KEY_VARIABLE = "CCLEARN_API_KEY"  # The name of it, no key.

_MEBIBYTE = 2**20

_MOST = 2.0**30
"""MiB: more than any machine has."""

_SHORTEST_KEY = 16
_KEY = re.compile(f"[!-~]{{{_SHORTEST_KEY},}}")


class Limits(BaseModel):
    """What the service takes on.

    Attributes:
        max_body: Of a request's body, in MiB.
        max_held: Of the bodies of all requests in progress, in MiB.
        max_notes: Of a request.
        max_waiting: Notes that wait for a coder.
        max_batch: Notes that a coder is given at once.
        batch_wait: Seconds that a batch which is not full waits for more notes.
        time_limit: Seconds from a request's head to its answer.
    """

    model_config = ConfigDict(allow_inf_nan=False, extra="forbid", frozen=True)

    max_body: float = Field(default=8.0, gt=0, le=_MOST)
    max_held: float = Field(default=128.0, gt=0, le=_MOST)
    max_notes: int = Field(default=256, ge=1)
    max_waiting: int = Field(default=512, ge=1)
    max_batch: int = Field(default=32, ge=1)
    batch_wait: float = Field(default=0.0, ge=0, le=1)
    time_limit: float = Field(default=60.0, gt=0, le=86_400)

    @model_validator(mode="after")
    def _they_go_together(self) -> Self:
        problems = []
        for part, whole in (("max_notes", "max_waiting"), ("max_body", "max_held")):
            least, most = getattr(self, part), getattr(self, whole)
            if least > most:
                problems.append(
                    f"{part} = {least:g}: a request of so much would never be taken, as {whole} ="
                    f" {most:g}. Lower the one or raise the other."
                )
        if problems:
            raise ValueError(" ".join(problems))
        return self

    @property
    def body_bytes(self) -> int:
        """The most bytes of a body."""
        return int(self.max_body * _MEBIBYTE)

    @property
    def held_bytes(self) -> int:
        """The most bytes of all bodies."""
        return int(self.max_held * _MEBIBYTE)


class ServiceSettings(BaseModel):
    """Settings of the service.

    Attributes:
        host: The address to listen on.
        port: 0 for any free one.
        key: That callers of `/code` and `/codes` show; needed on any address but loopback.
        workers: Processes that code, each with a coder of its own.
        limits: What it takes on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    key: SecretStr | None = None
    workers: int = Field(default=1, ge=1)
    limits: Limits = Limits()

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
            raise ValueError(
                f"host = {self.host}: other machines reach it, and there is no key. Set"
                f" {KEY_VARIABLE} in the environment, or listen on 127.0.0.1."
            )
        return self
