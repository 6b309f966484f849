"""A coder by its settings: what commands, services and the workers of a cluster are told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder
from cclearn.coding.guidelines.uncertain import Encounter
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.registry import ModelSpec, is_lexicon
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class CoderSettings:
    """What a coder is made from. It can be sent to another process, which a coder cannot.

    Attributes:
        model: `lexicon`, or what `Coder.load` takes.
        system: The code system's name, or the path of a user's table.
        release: The official file of another release.
        engine: Of the model's engine.
        loop: Of `span_loop`; None for `single_pass`.
        calibration: As `Coder.load` takes it.
        encounter: The setting of the notes.
        pairs: A file of span pairs, whose phrases the lexicon is to know too.
    """

    model: str = "lexicon"
    system: str = "icd10cm"
    release: Path | None = None
    engine: EngineSettings = field(default_factory=EngineSettings)
    loop: LoopSettings | None = None
    calibration: str | None = None
    encounter: Encounter | None = None
    pairs: Path | None = None

    def check(self) -> None:
        """Raise ConfigurationError where the settings do not go together."""
        if self.pairs is not None and not self.is_lexicon:
            raise ConfigurationError(
                [
                    f"pairs (pairs = {self.pairs}): the lexicon alone takes them. Leave them or the"
                    " model out."
                ]
            )

    @property
    def is_lexicon(self) -> bool:
        """Whether no language model is asked."""
        return is_lexicon(self.model) and self.loop is None

    def models(self) -> dict[str, ModelSpec]:
        """Return the named models by role: `model`, and `recogniser` if it has a model of its own.

        Raises:
            ConfigurationError: A name has the prefix of no engine.
        """
        found = {"model": ModelSpec.parse(self.model)}
        if self.loop is not None and self.loop.recogniser is not None:
            found["recogniser"] = ModelSpec.parse(self.loop.recogniser, recogniser=True)
        return found

    def resolved(self) -> CoderSettings:
        """Return the settings with absolute paths, for a process with another working directory."""
        models = {role: spec.resolved() for role, spec in self.models().items()}
        calibration = self.calibration
        if calibration is not None and calibration != "off":
            calibration = _absolute(calibration)
        loop = self.loop
        if loop is not None:
            embeddings = loop.embeddings and _absolute(loop.embeddings)
            loop = loop.model_copy(
                update={"recogniser": models.get("recogniser"), "embeddings": embeddings}
            )
        return replace(
            self,
            model=models["model"],
            system=_absolute(self.system) if self.system.endswith(".csv") else self.system,
            release=self.release and self.release.resolve(),
            loop=loop,
            calibration=calibration,
            pairs=self.pairs and self.pairs.resolve(),
        )

    def load_system(self) -> CodeSystem:
        """Load the code system. Raises CclearnError."""
        return CodeSystem.load(self.system, self.release, ())

    def load(self, system: CodeSystem | None = None) -> Coder:
        """Load the coder.

        Args:
            system: The code system, where it has been loaded already.

        Raises:
            ConfigurationError: As for `Coder.named`, or the settings do not go together.
            DataError: A file cannot be read.
        """
        self.check()
        system = system or self.load_system()
        if not self.is_lexicon:
            from cclearn.runtime.progress import quiet_libraries

            quiet_libraries()
        if self.pairs is not None:
            from cclearn.notes.jsonl import read_span_pairs

            return Coder.lexicon(
                system,
                pairs=read_span_pairs(self.pairs, system),
                calibration=self.calibration,
                encounter=self.encounter,
            )
        return Coder.named(
            self.model,
            system,
            settings=self.engine,
            loop=self.loop,
            calibration=self.calibration,
            encounter=self.encounter,
        )


def _absolute(name: str) -> str:
    """Return the absolute path of an existing file or folder; any other name as it is."""
    return str(Path(name).resolve()) if name and Path(name).exists() else name
