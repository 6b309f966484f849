"""The recogniser that a spaCy pipeline is, trained by one of `recipes/spacy` or by others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cclearn.coding.span_loop.recognisers import Recogniser, Recognition
from cclearn.errors import ConfigurationError, foreign_errors
from cclearn.models import model_hash
from cclearn.notes import Note

_SPANS_KEY = "sc"
"""Under which spaCy keeps spans by default (`cclearn.rows.examples`)."""

_RECOGNISING = frozenset("ner beam_ner entity_ruler spancat spancat_singlelabel span_ruler".split())
_HELPING = frozenset("tok2vec span_finder sentencizer senter".split())
"""Components that a pipeline may have besides. All of these keep weights and settings as msgpack, JSON
and NumPy arrays without objects; what others unpickle is not known."""

_BATCH = 256


class SpacyRecogniser(Recogniser):
    """Finds what a spaCy pipeline has learnt to find: its entities and spans of any label.

    Nothing of the folder is run or unpickled. A pipeline that asks for more than spaCy's own components
    and functions is refused.

    Args:
        folder: Of a trained pipeline, e.g. `model-best` of one of `recipes/spacy`.

    Raises:
        ConfigurationError: It is no such folder, or asks for what it may not have.
    """

    def __init__(self, folder: Path) -> None:
        self.name = f"spacy:{folder}"
        self._folder = folder
        self._pipeline = _load(folder)
        self._sha256 = model_hash(folder)

    @property
    def model_sha256(self) -> str:
        """The hash of the pipeline's files."""
        return self._sha256

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Find the entities and spans of segments."""
        texts = (segment.text for segment in segments)
        with foreign_errors(_damaged(self._folder)):
            for document in self._pipeline.pipe(texts, batch_size=_BATCH):
                spans = [*document.ents, *document.spans.get(_SPANS_KEY, ())]
                yield Recognition(sorted({(span.start_char, span.end_char) for span in spans}))


def _load(folder: Path) -> Any:
    """Return a pipeline. Raises ConfigurationError."""
    if not (folder / "config.cfg").is_file():
        raise ConfigurationError(
            [
                f"recogniser (folder = {folder}): it holds no pipeline. Name the folder model-best that"
                " `spacy train` wrote."
            ]
        )
    from spacy.util import load_config, load_model_from_config

    with foreign_errors(_damaged(folder)):
        config = load_config(folder / "config.cfg")
        # What training alone needs is not even looked up.
        for section in ("corpora", "training", "pretraining", "initialize"):
            config.pop(section, None)
        _refuse_foreign(folder, config)
        return load_model_from_config(config, auto_fill=True).from_disk(folder)


def _damaged(folder: Path) -> Callable[[str], ConfigurationError]:
    """Return what reports an error of spaCy's: a damaged folder fails in many ways."""
    return lambda place: ConfigurationError(
        [
            f"recogniser (folder = {folder}): spaCy cannot load or run it ({place}). Train it again,"
            " with this version of spaCy."
        ]
    )


def _refuse_foreign(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise ConfigurationError where a pipeline recognises nothing, or asks for what it may not have."""
    components = config.get("components", {}).items()
    factories = {name: str(settings.get("factory")) for name, settings in components}
    foreign = [f"component {n}" for n, f in factories.items() if f not in _RECOGNISING | _HELPING]
    foreign += [
        f"{registry} = {function}"
        for registry, function in _functions(config)
        if registry == "@callbacks" or not function.startswith("spacy.")
    ]
    problems = [
        f"recogniser (folder = {folder}): {what} may load or run anything. Train a pipeline of"
        f" {', '.join(sorted(_RECOGNISING))} and spaCy's own functions."
        for what in foreign
    ]
    if not problems and not _RECOGNISING.intersection(factories.values()):
        problems.append(
            f"recogniser (folder = {folder}): none of its components finds evidence. Train one with"
            f" {', '.join(sorted(_RECOGNISING))}."
        )
    if problems:
        raise ConfigurationError(problems)


def _functions(settings: Any) -> Iterator[tuple[str, str]]:
    """Yield every registry and name of a function that settings ask for."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if key.startswith("@"):
                yield key, str(value)
            yield from _functions(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from _functions(value)
