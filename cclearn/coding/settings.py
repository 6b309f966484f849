"""Settings of a coder, which commands, services and the workers of a cluster share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.uncertain import Encounter
from cclearn.coding.labels.settings import LabelSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.registry import ModelSpec, is_lexicon
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.model_manifest import scores_labels
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.assertion import AssertionLanguage
from cclearn.prompts.template_choice import absolute_choice
from cclearn.weights import CALIBRATION


@dataclass(frozen=True, slots=True)
class CoderSettings:
    """Settings from which `load_coder` constructs a coder. Unlike a coder, they can be pickled.

    Attributes:
        model: `lexicon`, a folder that a recipe wrote, a name on the hub, or a name with a prefix:
            `vllm:MODEL`, `openai:NAME` or `replay:FILE`.
        system: Name of the code system, or path of a table of the user.
        release: Official file of another release. None for the release that comes with the package.
        engine: Settings of the engine that runs the model.
        loop: Settings of `span_loop`. None reads each note in one pass (`single_pass`).
        calibration: Path of a file written by `cclearn calibrate`, or `off` for raw scores. None uses
            the calibration in the folder of the model, if there is one.
        encounter: Setting of the notes. None if it is not known.
        pairs: Span pairs with additional phrases for the lexicon and, in `span_loop`, with additional
            strings of candidates: a file, or the pairs.
        examples: Coded notes that the model is shown before each note (few-shot). The lexicon ignores
            them.
        assertion: Language of the assertion rules, by which negated mentions give no code. `off` codes
            all mentions, for notes in another language.
        labels: Settings of a model that scores labels (`cclearn.baselines`), or of the parts of
            `span_loop` that do. Other models have none.
    """

    model: str = "lexicon"
    system: str = "icd10cm"
    release: Path | None = None
    engine: EngineSettings = field(default_factory=EngineSettings)
    loop: LoopSettings | None = None
    calibration: str | Path | None = None
    encounter: Encounter | None = None
    pairs: Path | Sequence[SpanPair] | None = None
    examples: Sequence[CodedNote] = ()
    assertion: AssertionLanguage = "english"
    labels: LabelSettings | None = None

    def check(self) -> None:
        """Raise ConfigurationError if the settings contradict each other."""
        if self.pairs is not None and not self.is_lexicon and self.loop is None:
            pairs = self.pairs if isinstance(self.pairs, Path) else f"{len(self.pairs)} pairs"
            raise ConfigurationError(
                [
                    f"pairs (pairs = {pairs}): a model in single_pass does not use them. Omit the pairs,"
                    " or use the lexicon or span_loop."
                ]
            )
        if self.examples and self.loop is not None:
            raise ConfigurationError(
                [
                    f"examples ({len(self.examples)} notes): span_loop does not support them. Use"
                    " single_pass, or omit the examples."
                ]
            )

        if self.labels is not None and not self._scores_labels:
            raise ConfigurationError(
                [
                    f"labels (model = {self.model}): neither the model nor a recogniser scores labels."
                    " Omit --labels, or name a model that recipes/plm.py trained."
                ]
            )
        if self.loop is not None and self.labels is not None and self.labels.evidence == "none":
            raise ConfigurationError(
                [
                    "labels.evidence (none): a recogniser proposes codes for their evidence, and would"
                    " propose none. Use attingrad or attention."
                ]
            )
        if self.examples and scores_labels(self.model):
            raise ConfigurationError(
                [
                    f"examples ({len(self.examples)} notes): the model {self.model} scores labels and"
                    " has no prompt. Omit the examples."
                ]
            )

    @property
    def is_lexicon(self) -> bool:
        """Whether the coder is a `LexiconCoder`. A `span_loop` coder is none, whatever its model is."""
        return is_lexicon(self.model) and self.loop is None

    @property
    def _scores_labels(self) -> bool:
        """Whether the model, or a recogniser of `span_loop`, scores labels. A ranker ranks all of them,
        and has no settings."""
        if self.loop is None:
            return scores_labels(self.model)
        return any(spec.scores_labels for spec in self.recognisers())

    @property
    def calibration_path(self) -> Path | None:
        """Path of the calibration. None for raw scores. A file that the user named may be missing."""
        if self.calibration is not None:
            return None if str(self.calibration) == "off" else Path(self.calibration)
        path = Path(self.model) / CALIBRATION
        return path if not is_lexicon(self.model) and path.is_file() else None

    def models(self) -> dict[str, ModelSpec]:
        """Return the named models by role: `model`, and `recogniser`, `recogniser 2` and so on if there
        are recognisers with a name of their own.

        Raises:
            ConfigurationError: A name has the prefix of no engine.
        """
        found = {"model": ModelSpec.parse(self.model)}
        for number, spec in enumerate(self.recognisers(), start=1):
            found["recogniser" if number == 1 else f"recogniser {number}"] = spec
        return found

    def recognisers(self) -> list[ModelSpec]:
        """Return the named recognisers of `span_loop`, in their order.

        Raises:
            ConfigurationError: A name has the prefix of no engine.
        """
        names = self.loop.recognisers if self.loop is not None else ()
        return [ModelSpec.parse(name, recogniser=True) for name in names]

    def resolved(self) -> CoderSettings:
        """Return the settings with absolute paths, for a process with another working directory."""
        calibration = self.calibration
        if calibration is not None and str(calibration) != "off":
            calibration = _absolute(str(calibration))
        loop = self.loop
        if loop is not None:
            embeddings = loop.embeddings and _absolute(loop.embeddings)
            names = tuple(spec.resolved() for spec in self.recognisers())
            recogniser = names if isinstance(loop.recogniser, tuple) else next(iter(names), None)
            ranker = loop.ranker and ModelSpec.parse(loop.ranker, recogniser=True).resolved()
            changed = {"recogniser": recogniser, "embeddings": embeddings, "ranker": ranker}
            loop = loop.model_copy(update=changed)
        engine = self.engine
        if engine.chat_template is not None:
            template = absolute_choice(engine.chat_template)
            engine = engine.model_copy(update={"chat_template": template})
        return replace(
            self,
            model=self.models()["model"].resolved(),
            engine=engine,
            system=_absolute(self.system) if self.system.endswith(".csv") else self.system,
            release=self.release and self.release.resolve(),
            loop=loop,
            calibration=calibration,
            pairs=self.pairs.resolve() if isinstance(self.pairs, Path) else self.pairs,
        )

    def load_system(self) -> CodeSystem:
        """Load the code system. Raises CclearnError."""
        return CodeSystem.load(self.system, self.release)


def _absolute(name: str) -> str:
    """Return the absolute path of an existing file or folder. Any other name is unchanged."""
    return str(Path(name).resolve()) if name and Path(name).exists() else name
