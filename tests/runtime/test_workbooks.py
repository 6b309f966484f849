from __future__ import annotations

import zipfile
from pathlib import Path

from cclearn.runtime.workbooks import Sheet, workbook


def test_cells_are_numbers_or_text(tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        with workbook(tmp_path / name) as book:
            sheet = Sheet(book, "first", ["x", "y", "z"])
            sheet.write([1.5, "=1+1", None])
            sheet.write([True, "", 2])
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        cells = book.read("xl/worksheets/sheet1.xml").decode()
        strings = book.read("xl/sharedStrings.xml").decode()
    assert '<c r="A2"><v>1.5</v></c>' in cells
    assert "<f>" not in cells
    assert ">=1+1<" in strings
    assert ">True<" in strings
    assert 'r="C2"' not in cells
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
