"""A coder that does what a note says, and a service with it.

python -m tests.service.scripted '{"time_limit": 1}'
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder
from cclearn.coding.findings import Finding, NoteFindings
from cclearn.errors import CclearnError, RestrictedTextError
from cclearn.notes import Note, Origin


class ScriptedCoder(Coder):
    """Finds I10 in the whole of each note, and first does what its words say.

    It cannot be made while the file `$SCRIPTED_BROKEN` is there.

    `sleep SECONDS` · `raise`: an error that quotes the note · `refuse`: a server's · `restricted` ·
    `die`: the process ends · `leak`: logs the note · `tokens`: counts three and two ·
    `flag FLAG`: of the note.
    """

    def __init__(self) -> None:
        if Path(os.environ.get("SCRIPTED_BROKEN", "/nowhere")).exists():
            raise CclearnError("model (model = scripted): it is broken.")
        super().__init__("scripted", CodeSystem.load())

    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
        for note in notes:
            self._obey(note.text)
            findings = [Finding("I10", 0, len(note.text))] if note.text else []
            verb, _, flag = note.text.partition(" ")
            yield NoteFindings(note, findings, flags={flag} if verb == "flag" else set())

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        return iter(())

    def _obey(self, text: str) -> None:
        verb, _, rest = text.partition(" ")
        if verb == "sleep":
            time.sleep(float(rest.split()[0]))
        elif verb == "raise":
            raise ValueError(f"cannot code {text!r}")
        elif verb == "refuse":
            raise CclearnError("model (model = m): localhost answers 401. Set a key.")
        elif verb == "restricted":
            raise RestrictedTextError("note: its text is restricted.")
        elif verb == "die":
            os._exit(9)
        elif verb == "leak":
            logging.getLogger("cclearn").error(text)
        elif verb == "tokens":
            self.usage.prompt_tokens += 3
            self.usage.answer_tokens += 2


def main() -> None:
    from cclearn.service.limits import Limits, ServiceSettings
    from cclearn.service.server import serve

    logging.basicConfig(level=logging.DEBUG)
    logging.debug("all is logged")
    settings = ServiceSettings(port=0, limits=Limits(**json.loads(sys.argv[1])))
    finished = serve(ScriptedCoder, CodeSystem.load(), settings, ahead=True)
    sys.exit(0 if finished else 1)


if __name__ == "__main__":
    main()
