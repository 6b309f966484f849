"""Documents that INCEpTION exports as UIMA CAS XMI: `NAME.xmi` beside `TypeSystem.xml`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError, foreign_errors
from cclearn.evaluation.corpora.annotations import Label, labelled_note
from cclearn.evaluation.corpora.base import ALL, Corpus, CorpusOptions, UnusableRow
from cclearn.notes import CodedNote

_TYPES = "TypeSystem.xml"


class InceptionOptions(CorpusOptions):
    """Options of INCEpTION.

    Attributes:
        split: Exports have no splits: only `all` has notes.
        training: None, for the same reason.
        layer: Name of the type of the annotations.
        feature: Name of the feature that contains the code.
    """

    split: str = ALL
    training: str | None = None
    layer: str = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
    feature: str = "value"


class InceptionCorpus(Corpus):
    """Reads the documents of a folder in the order of their names.

    Offsets count code points after dkpro-cassis has read the file, which converts those of Java.
    """

    name = "inception"
    summary = "Documents of INCEpTION (UIMA CAS XMI) whose annotations are codes."
    options_type = InceptionOptions

    def rows(
        self, folder: Path, split: str, options: InceptionOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes.

        Raises:
            DataError: There is no document, or a document cannot be read.
            ConfigurationError: dkpro-cassis is missing.
        """
        try:
            import cassis
        except ImportError:
            raise ConfigurationError(
                ["format=inception: dkpro-cassis is missing. `pip install 'cclearn[inception]'`."]
            ) from None
        documents = sorted(folder.rglob("*.xmi")) if folder.is_dir() else []
        if not documents:
            raise DataError(
                folder, "contains no .xmi file: not an export of INCEpTION as UIMA CAS XMI"
            )
        for path in documents:
            types = next((p for p in (path.parent / _TYPES, folder / _TYPES) if p.is_file()), None)
            if types is None:
                raise DataError(path, f"there is no {_TYPES} beside it")
            name = path.relative_to(folder).with_suffix("").as_posix()
            with foreign_errors(partial(_unreadable, path)):
                with types.open("rb") as stream:
                    typesystem = cassis.load_typesystem(stream)
                with path.open("rb") as stream:
                    cas = cassis.load_cas_from_xmi(stream, typesystem=typesystem)
                text = cas.sofa_string or ""
                labels = [
                    Label(str(code), annotation.begin, annotation.end)
                    for annotation in cas.select(options.layer)
                    if (code := annotation.get(options.feature))
                ]
            yield from labelled_note(path, name, text, labels, system)


def _unreadable(path: Path, where: str) -> DataError:
    return DataError(path, f"not a CAS ({where})")
