"""Parsing of the names of models, and loading of the engine that runs a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cclearn.engines.answer_file import default_answer_file
from cclearn.engines.base import Engine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError, did_you_mean
from cclearn.gguf_files import is_gguf
from cclearn.model_manifest import scores_labels
from cclearn.registry import ENGINES

_LEXICON = "lexicon"
_SPACY = "spacy"
_LABELS = "plm"
_DEFAULT = "transformers"
"""The engine of a name without a prefix."""

_PLACEHOLDERS = {"weights": "MODEL", "file": "FILE", "name": "NAME"}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The parsed name of a model.

    A name is `lexicon`, `ENGINE:TARGET`, a folder, or a name on the hub. The recogniser of
    `span_loop` may also be `spacy:FOLDER` or `plm:FOLDER`. `parse` reads the name; no model is loaded.

    Attributes:
        name: The name as the user wrote it.
        engine: The name of the engine that runs the model, e.g. `openai`; `transformers` for a name
            without a prefix. `lexicon`, `spacy` and `plm` are no engines and cannot be loaded as one.
        target: The part of the name after the prefix: a folder, a file or a name.
    """

    name: str
    engine: str
    target: str

    @classmethod
    def parse(cls, name: str, *, recogniser: bool = False) -> ModelSpec:
        """Parse the name of a model.

        Args:
            name: The name of a model.
            recogniser: Whether the model is a part of `span_loop` that may be a spaCy pipeline or a
                discriminative coder.

        Raises:
            ConfigurationError: The name has the prefix of no engine.
        """
        if is_lexicon(name):
            return cls(name, _LEXICON, "")
        prefix, colon, target = name.partition(":")
        if recogniser and colon and prefix in (_SPACY, _LABELS):
            return cls(name, prefix, target)
        if not colon or Path(name).exists():
            return cls(name, _DEFAULT, name)
        if target and prefix != _DEFAULT and prefix in ENGINES.names():
            return cls(name, prefix, target)
        # "C:\\model" is a folder that is missing: no name on the hub has a colon.
        raise ConfigurationError(
            [
                f"model (model = {name}): there is no engine {prefix}. Use lexicon, {_prefixes()},"
                " a folder that a recipe wrote, or a model on the hub."
            ]
        )

    @property
    def is_lexicon(self) -> bool:
        """Whether the name is that of the lexicon, which needs no language model."""
        return self.engine == _LEXICON

    @property
    def is_spacy(self) -> bool:
        """Whether the name is that of a spaCy pipeline."""
        return self.engine == _SPACY

    @property
    def scores_labels(self) -> bool:
        """Whether the name is that of a discriminative coder in `span_loop`."""
        return self.engine == _LABELS

    @property
    def is_remote(self) -> bool:
        """Whether a server runs the model."""
        return self._has_engine and self.engine_type.is_remote

    @property
    def needs_gpu(self) -> bool:
        """Whether the model runs on GPUs only, which its engine takes for itself."""
        return self._has_engine and self.engine_type.needs_gpu

    def gpus(self, settings: EngineSettings) -> int:
        """Return how many GPUs of this machine the model uses if there are any."""
        return self.engine_type.gpus(settings) if self._has_engine else 0

    @property
    def weights(self) -> str | None:
        """The folder of the model's weights or its name on the hub; None for a model that this machine
        does not load from weights."""
        if (
            self.is_spacy
            or self.scores_labels
            or (self._has_engine and self.engine_type.refers_to == "weights")
        ):
            return self.target
        return None

    @property
    def file(self) -> Path | None:
        """The file that the name refers to; None for a name that refers to something else."""
        if self._has_engine and self.engine_type.refers_to == "file":
            return Path(self.target)
        return None

    @property
    def short_name(self) -> str:
        """The last part of the folder, file or name, without the ending of a file."""
        target = Path(self.target)
        return (target.name if self.file is None else target.stem) or self.name

    @property
    def engine_type(self) -> type[Engine]:
        """The class of the engine.

        Raises:
            ConfigurationError: The name is that of no language model.
        """
        if not self._has_engine:
            raise ConfigurationError(
                [
                    f"model (model = {self.name}): it is no language model. Use Coder.lexicon() or"
                    " load_coder()."
                ]
            )
        found: type[Engine] = ENGINES.find(self.engine, Engine)
        return found

    @property
    def _has_engine(self) -> bool:
        return self.engine not in (_LEXICON, _SPACY, _LABELS)

    def resolved(self) -> str:
        """Return the name with an absolute path, for a process with another working directory.

        A target that does not exist on this machine, such as a name on the hub, stays as it is.
        """
        path = self.file or (Path(self.weights) if self.weights else None)
        if path is None or not path.exists():
            return self.name
        return self.name.removesuffix(self.target) + str(path.resolve())

    def refuse_missing(self) -> None:
        """Raise ConfigurationError if the model is visibly missing. The hub is not asked."""
        if self.file is not None and not self.file.is_file():
            raise ConfigurationError([f"model (model = {self.name}): there is no such file."])
        if self.weights is None or Path(self.weights).is_dir() or is_gguf(self.weights):
            return
        # A name on the hub is OWNER/NAME. An existing folder such as `runs` is no owner.
        parts = Path(self.weights).parts
        if len(parts) != 2 or self.weights[0] in "./~" or Path(parts[0]).is_dir():
            hint = did_you_mean(self.name, [_LEXICON])
            raise ConfigurationError(
                [
                    f"model (model = {self.name}): there is no such folder.{hint} Name lexicon, a folder"
                    " that a recipe wrote, a GGUF file, OWNER/NAME on the hub, vllm: before any of"
                    " these, openai:NAME or replay:FILE."
                ]
            )


def is_lexicon(name: str) -> bool:
    """Return whether a name is that of the lexicon. Unlike `ModelSpec.parse`, it never raises."""
    return name == _LEXICON


def load_engine(model: str, settings: EngineSettings | None = None) -> Engine:
    """Return the engine that runs a model, with the cache of its answers.

    Args:
        model: The name of a language model (`ModelSpec`).
        settings: Settings of the engine.

    Raises:
        ConfigurationError: There is no such model, or no key for a server.
        DataError: A file of answers cannot be read.
    """
    spec = ModelSpec.parse(model)
    engine_type = spec.engine_type
    spec.refuse_missing()
    if spec.weights is not None and scores_labels(spec.weights):
        raise ConfigurationError(
            [
                f"model (model = {model}): it scores labels and writes no text. Use it as the model of"
                " single_pass, or name a language model."
            ]
        )
    settings = settings or EngineSettings()
    engine = engine_type.from_name(spec.target, settings)
    path = settings.cache
    if path == Path("auto"):
        path = default_answer_file() if spec.is_remote else Path("off")
    # The identity of a server is not asked for here, because the server may not have started yet.
    if path != Path("off") and (spec.is_remote or engine.identity):
        from cclearn.engines.cache import CachedEngine

        engine = CachedEngine(engine, path)
    from cclearn.engines.planning import planned

    return planned(engine, settings)


def _prefixes() -> str:
    """Return the forms of names that have a prefix, for messages."""
    engines: dict[str, type[Engine]] = ENGINES.find_all(Engine)
    return ", ".join(
        f"{name}:{_PLACEHOLDERS[engine.refers_to]}"
        for name, engine in engines.items()
        if name != _DEFAULT
    )
