"""A coder by its settings: what commands, services and the workers of a cluster are told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder
from cclearn.coding.guidelines.uncertain import Encounter
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.registry import EngineSettings
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
        return self.model == "lexicon" and self.loop is None

    def resolved(self) -> CoderSettings:
        """Return the settings with whole paths, for a process with another working directory."""
        loop = self.loop
        if loop is not None:
            named = (loop.recogniser, loop.embeddings)
            recogniser, embeddings = (name and _whole(name) for name in named)
            loop = loop.model_copy(update={"recogniser": recogniser, "embeddings": embeddings})
        return replace(
            self,
            model=_whole(self.model),
            system=_whole(self.system) if self.system.endswith(".csv") else self.system,
            release=self.release and self.release.resolve(),
            loop=loop,
            calibration=self.calibration and _whole(self.calibration),
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


def _whole(name: str) -> str:
    """Return a name with the whole path of what it is here; one that is no path stays."""
    scheme, colon, rest = name.partition(":")
    if scheme in ("replay", "spacy", "vllm"):
        return f"{scheme}{colon}{_whole(rest)}"
    # A folder of such a name is not what is meant.
    is_path = name not in ("", "lexicon", "off") and Path(name).exists()
    return str(Path(name).resolve()) if is_path else name
