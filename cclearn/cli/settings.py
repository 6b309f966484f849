"""Reading of the settings that options give as `key=value`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cclearn.errors import ConfigurationError, DataError, did_you_mean, shown_id

if TYPE_CHECKING:
    from cclearn.coding.labels.settings import LabelSettings
    from cclearn.coding.span_loop.settings import LoopSettings
    from cclearn.engines.settings import EngineSettings


def read_settings(items: list[str]) -> dict[str, Any]:
    """Return the settings of `key=value` arguments.

    Raises:
        ConfigurationError: An argument is not of this form, or its value is not YAML.
    """
    from cclearn.runtime.yaml_files import parse_yaml

    settings: dict[str, Any] = {}
    problems = []
    for item in items:
        key, equals, value = item.partition("=")
        try:
            # Scalars stay strings until the type of the setting is known: 250.10 and 010 may be codes.
            parsed, _ = parse_yaml(value, key, scalars=False)
            settings[key] = None if parsed in ("null", "~") else parsed
        except DataError:
            problems.append(
                f"setting ({shown_id(item)}): the value is not YAML. Correct or quote it."
            )
        if not equals:
            problems.append(f"setting ({shown_id(item)}): it is not of the form key=value.")
    if problems:
        raise ConfigurationError(problems)
    return settings


def engine_settings(items: list[str] | None) -> EngineSettings:
    """Return the settings of engines.

    Raises:
        ConfigurationError: A setting is unknown or invalid.
    """
    from cclearn.engines.settings import EngineSettings
    from cclearn.registry import checked_settings

    return checked_settings(EngineSettings, read_settings(items or []), "--engine")


def loop_settings(mode: str, items: list[str] | None) -> LoopSettings | None:
    """Return the settings of `span_loop`, or None if the mode is `single_pass`.

    Raises:
        ConfigurationError: The mode is unknown, or a setting is unknown or invalid.
    """
    from cclearn.coding.span_loop.settings import LoopSettings
    from cclearn.registry import checked_settings

    modes = ("single_pass", "span_loop")
    problems = []
    if mode not in modes:
        problems.append(
            f"mode (mode = {mode}): there is no such mode.{did_you_mean(mode, modes)} Use"
            f" {' or '.join(modes)}."
        )
    elif items and mode == "single_pass":
        problems.append("loop: single_pass does not have these settings. Use --mode span_loop.")
    if problems:
        raise ConfigurationError(problems)
    if mode == "single_pass":
        return None
    return checked_settings(LoopSettings, read_settings(items or []), "--loop")


def label_settings(items: list[str] | None) -> LabelSettings | None:
    """Return the settings of a model that scores labels, or None if there are none.

    Raises:
        ConfigurationError: A setting is unknown or invalid.
    """
    from cclearn.coding.labels.settings import LabelSettings
    from cclearn.registry import checked_settings

    return checked_settings(LabelSettings, read_settings(items), "--labels") if items else None
