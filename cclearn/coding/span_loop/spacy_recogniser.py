"""A recogniser that runs a spaCy pipeline, such as one trained with `recipes/spacy`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cclearn.coding.span_loop.recognisers import Recogniser, Recognition
from cclearn.errors import ConfigurationError, foreign_errors
from cclearn.models import model_hash
from cclearn.notes import Note

_SPANS_KEY = "sc"
"""Key under which spaCy stores spans by default (`cclearn.rows.examples`)."""

_RECOGNISERS = frozenset("ner beam_ner entity_ruler spancat spancat_singlelabel span_ruler".split())
"""Components that find evidence. A pipeline needs at least one of them."""

_OTHER_COMPONENTS = frozenset("tok2vec span_finder sentencizer senter".split())
"""Further components that a pipeline may have. Like the recognisers, they store their weights and
settings as msgpack, JSON and NumPy arrays without objects. Other components may unpickle data."""

_BATCH = 256
"""Number of segments that the pipeline processes together."""


class SpacyRecogniser(Recogniser):
    """Finds the entities and spans of a spaCy pipeline, regardless of their labels.

    No code of the folder is run, and nothing is unpickled. A pipeline is refused if it needs components
    or functions that are not part of spaCy.

    Args:
        folder: Folder of a trained pipeline, such as `model-best`.

    Raises:
        ConfigurationError: The folder contains no pipeline, or one that is refused.
    """

    def __init__(self, folder: Path) -> None:
        self.name = f"spacy:{folder}"
        self._folder = folder
        self._pipeline = _load(folder)
        self._sha256 = model_hash(folder)

    @property
    def model_sha256(self) -> str:
        """Hash of the files of the pipeline."""
        return self._sha256

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Yield the entities and the spans that the pipeline finds in each segment."""
        texts = (segment.text for segment in segments)
        with foreign_errors(_load_error(self._folder)):
            for document in self._pipeline.pipe(texts, batch_size=_BATCH):
                spans = [*document.ents, *document.spans.get(_SPANS_KEY, ())]
                found = sorted({(span.start_char, span.end_char) for span in spans})
                yield Recognition({span: {} for span in found})


def _load(folder: Path) -> Any:
    """Return the pipeline of a folder. Raises ConfigurationError if it is missing or unsafe."""
    if not (folder / "config.cfg").is_file():
        raise ConfigurationError(
            [
                f"recogniser (folder = {folder}): it contains no pipeline. Name the folder model-best"
                " that `spacy train` wrote."
            ]
        )
    from spacy.util import load_config, load_model_from_config

    with foreign_errors(_load_error(folder)):
        config = load_config(folder / "config.cfg")
        # Sections that only training needs are not resolved.
        for section in ("corpora", "training", "pretraining", "initialize"):
            config.pop(section, None)
        _refuse_unsafe(folder, config)
        return load_model_from_config(config, auto_fill=True).from_disk(folder)


def _load_error(folder: Path) -> Callable[[str], ConfigurationError]:
    """Return a function from the location of an error in spaCy to the error to raise instead.

    A damaged folder may cause any exception.
    """
    return lambda location: ConfigurationError(
        [
            f"recogniser (folder = {folder}): spaCy cannot load or run it ({location}). Train it again,"
            " with this version of spaCy."
        ]
    )


def _refuse_unsafe(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise ConfigurationError if a pipeline has no recogniser, or needs unsafe parts."""
    components = config.get("components", {}).items()
    factories = {name: str(settings.get("factory")) for name, settings in components}
    foreign = [
        f"component {n}" for n, f in factories.items() if f not in _RECOGNISERS | _OTHER_COMPONENTS
    ]
    foreign += [
        f"{registry} = {function}"
        for registry, function in _functions(config)
        if registry == "@callbacks" or not function.startswith("spacy.")
    ]
    problems = [
        f"recogniser (folder = {folder}): {what} could run any code. Train a pipeline of"
        f" {', '.join(sorted(_RECOGNISERS))} and spaCy's own functions."
        for what in foreign
    ]
    if not problems and not _RECOGNISERS.intersection(factories.values()):
        problems.append(
            f"recogniser (folder = {folder}): none of its components finds evidence. Train one with"
            f" {', '.join(sorted(_RECOGNISERS))}."
        )
    if problems:
        raise ConfigurationError(problems)


def _functions(settings: Any) -> Iterator[tuple[str, str]]:
    """Yield the registry and the name of every function that settings refer to."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if key.startswith("@"):
                yield key, str(value)
            yield from _functions(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from _functions(value)
