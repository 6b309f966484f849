"""Documents of INCEpTION: UIMA CAS as XMI, with the layer of named entities, whose value is the code."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from cclearn.errors import CclearnError, ConfigurationError, shown_id
from cclearn.notes import CodedNote
from cclearn.outputs.archive import Archive

ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
"""Type of a named entity, which every project of INCEpTION has."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot represent."""


class Inception(Archive):
    """Writes `ID.xmi` for each note and `TypeSystem.xml`, as one archive.

    A code without evidence is not written, because an entity is a span.

    Raises:
        ConfigurationError: dkpro-cassis is missing.
    """

    name = "inception"

    def __init__(self, out: Path | None = None) -> None:
        super().__init__(out)
        try:
            import cassis
        except ImportError:
            raise ConfigurationError(
                [
                    "format (format = inception): dkpro-cassis is missing."
                    " `pip install 'cclearn[inception]'`."
                ]
            ) from None
        self._cassis = cassis
        with warnings.catch_warnings():  # dkpro-cassis reads its files in a deprecated way.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._types = cassis.load_dkpro_core_typesystem()
        self._has_types = False

    def files(self, note: CodedNote) -> Iterator[tuple[str, bytes]]:
        """Yield the document of a note, after the type system for the first one. Raises CclearnError."""
        if _NOT_XML.search(note.text):
            raise CclearnError(
                f"format (format = inception, id = {shown_id(note.id)}): the note contains control"
                " characters, which XML does not have. Use another format."
            )
        if not self._has_types:
            self._has_types = True
            yield "TypeSystem.xml", self._types.to_xml().encode()
        name = self.file_name(note)
        cas = self._cassis.Cas(
            typesystem=self._types, sofa_string=note.text, sofa_mime="text/plain"
        )
        entity = self._types.get_type(ENTITY)
        for assigned in note.ranked:
            for piece in assigned.evidence:
                annotation = entity(begin=piece.start, end=piece.end, value=assigned.code)
                annotation.identifier = f"urn:{assigned.system}:{assigned.code}"
                cas.add(annotation)
        yield f"{name}.xmi", cas.to_xmi().encode()
