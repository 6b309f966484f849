"""What the service is told: where it listens, and what it takes on."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from cclearn.loopback import is_loopback

KEY_VARIABLE = "CCLEARN_API_KEY"  # The name of it, no key.

MEBIBYTE = 2**20

_SHORTEST_KEY = 16


class ServiceSettings(BaseModel):
    """Settings of the service.

    Attributes:
        host: The address to listen on.
        port: 0 for any free one.
        key: That callers of `/code` and `/codes` show; needed on any address but loopback.
        workers: Processes that code, each with a coder of its own.
        max_batch: Notes that a coder is given at once.
        batch_wait: Seconds that a batch which is not full waits for more notes.
        max_body: Of a request's body, in MiB.
        max_held: Of the bodies of all requests in progress, in MiB.
        max_notes: Of a request.
        max_waiting: Notes that wait for a coder.
        time_limit: Seconds from a request's first byte to its answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    key: SecretStr | None = None
    workers: int = Field(default=1, ge=1)
    max_batch: int = Field(default=32, ge=1)
    batch_wait: float = Field(default=0.0, ge=0, le=1)
    max_body: float = Field(default=8.0, gt=0)
    max_held: float = Field(default=128.0, gt=0)
    max_notes: int = Field(default=256, ge=1)
    max_waiting: int = Field(default=512, ge=1)
    time_limit: float = Field(default=60.0, gt=0)

    @field_validator("key")
    @classmethod
    def _key_can_be_sent(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None:
            return None
        value = key.get_secret_value()
        if len(value) < _SHORTEST_KEY or not value.isascii() or not value.isprintable():
            raise ValueError(
                f"{KEY_VARIABLE} must have at least {_SHORTEST_KEY} printable ASCII characters."
                " Make one with `openssl rand -hex 32`."
            )
        if " " in value:
            raise ValueError(f"{KEY_VARIABLE} must not hold blanks.")
        return key

    @model_validator(mode="after")
    def _they_go_together(self) -> Self:
        problems = []
        if self.key is None and not is_loopback(self.host):
            problems.append(
                f"host = {self.host}: other machines reach it, and there is no key. Set"
                f" {KEY_VARIABLE} in the environment, or listen on 127.0.0.1."
            )
        if self.max_notes > self.max_waiting:
            problems.append(
                f"max_notes = {self.max_notes}: a request of so many would never be taken, as"
                f" max_waiting = {self.max_waiting}. Lower the one or raise the other."
            )
        if self.max_body > self.max_held:
            problems.append(
                f"max_body = {self.max_body}: it is more than max_held = {self.max_held}. Lower the"
                " one or raise the other."
            )
        if problems:
            raise ValueError(" ".join(problems))
        return self

    @property
    def body_bytes(self) -> int:
        """The most bytes of a body."""
        return int(self.max_body * MEBIBYTE)

    @property
    def held_bytes(self) -> int:
        """The most bytes of all bodies."""
        return int(self.max_held * MEBIBYTE)
