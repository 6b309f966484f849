"""The identity of a coder: what must be equal for two coders to give the same scores."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class CoderIdentity(BaseModel):
    """The identity of a coder, which the file of a calibration stores as `made_for`.

    Attributes:
        model: Name of the model.
        model_sha256: Hash of the model. Empty if only its name is known.
        mode: Name of the method that reads notes, followed by the settings that decide its findings.
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
