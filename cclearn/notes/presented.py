"""How a coded note is shown in a notebook, and its codes as a data frame."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from cclearn.notes.evidence_rows import COLUMNS, evidence_rows, metadata_column
from cclearn.notes.highlight import Region, highlight

if TYPE_CHECKING:
    import pandas as pd


class Presented:
    """Methods of `CodedNote` for notebooks."""

    def to_pandas(self: Any) -> pd.DataFrame:
        """Return the codes as a data frame with a row for each piece of evidence.

        The columns are those of the output format `tsv` (`cclearn.notes.evidence_rows`), and `note_id`
        is text. `score`, `start` and `end` are missing values where a code has none. A note without
        codes has one row.
        """
        import pandas as pd

        columns = [*COLUMNS, *map(metadata_column, self.metadata)]
        frame = pd.DataFrame(list(evidence_rows(self)), columns=columns)
        numbers = {"score": "Float64", "start": "Int64", "end": "Int64"}
        texts = [column for column in COLUMNS if column not in numbers]
        frame[texts] = frame[texts].astype(object).fillna("")
        return frame.replace({"score": {"": None}}).astype(numbers)

    def _repr_html_(self: Any) -> str:
        """Return the note with its evidence highlighted, and a table of its codes."""

        def codes_of(region: Region) -> str:
            return escape(", ".join(sorted({self.codes[index].code for index in region.codes})))

        text = highlight(self, lambda region: f'title="{codes_of(region)}"', codes_of)
        rows = "".join(
            f"<tr><td><b>{escape(assigned.code)}</b></td><td>{escape(assigned.description)}</td>"
            f"<td>{'' if assigned.score is None else f'{assigned.score:.2f}'}</td>"
            f"<td>{escape('; '.join(assigned.flags))}</td></tr>"
            for assigned in self.codes
        )
        head = "<tr><th>code</th><th>description</th><th>score</th><th>flags</th></tr>"
        table = f"<table>{head}{rows}</table>" if rows else "<p>no codes</p>"
        return f"<h4>{escape(self.id)}</h4>{text}{table}"
