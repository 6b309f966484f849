"""The base class of formats with files for each note, which are written as one ZIP archive."""

from __future__ import annotations

import re
import zipfile
from abc import abstractmethod
from collections.abc import Iterable, Iterator

from cclearn.errors import CclearnError, ConfigurationError, shown_id
from cclearn.notes import CodedNote
from cclearn.outputs.output import Output
from cclearn.runtime.files import atomic_file

_NAME = re.compile(r"[\w(),+=@~-][\w .(),+=@~-]*(/[\w(),+=@~-][\w .(),+=@~-]*)*")
"""Names of files that are the same on every system, and that stay in the folder they are unpacked in."""


class Archive(Output):
    """Writes an archive. The same notes give the same bytes, because its files have no time."""

    @abstractmethod
    def files(self, note: CodedNote) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the content of each file of a note. Raises CclearnError."""

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Raise ConfigurationError, because an archive is not text."""
        raise ConfigurationError(
            [f"format (format = {self.name}): it is an archive. Name a .zip file with --out."]
        )

    def write(self, notes: Iterable[CodedNote], overwrite: bool = True) -> int:
        """Write the archive atomically, and return the number of notes. Raises CclearnError."""
        if self.out is None:
            raise ValueError("the output has no path")
        written = 0
        with (
            atomic_file(self.out, overwrite) as stream,
            zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for note in notes:
                written += 1
                for name, content in self.files(note):
                    information = zipfile.ZipInfo(name)
                    information.compress_type = zipfile.ZIP_DEFLATED
                    information.external_attr = 0o600 << 16
                    archive.writestr(information, content)
        return written

    def file_name(self, note: CodedNote) -> str:
        """Return the name of the files of a note without a suffix, which is the id of the note.

        Raises:
            CclearnError: The id cannot be the name of a file.
        """
        if not _NAME.fullmatch(note.id):
            raise CclearnError(
                f"format (format = {self.name}, id = {shown_id(note.id)}): an id in this format is the"
                " name of a file: letters, digits, blanks and - _ . ( ) , + = @ ~ in parts between"
                " slashes, none of which begins with a dot or a blank. Rename the note."
            )
        return note.id
