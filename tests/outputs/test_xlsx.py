from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

from cclearn.errors import ConfigurationError
from cclearn.notes import AssignedCode, CodedNote
from cclearn.outputs import find_output
from tests.outputs.notes import EMPTY, FULL

NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells(path: Path) -> list[dict[str, str]]:
    """Return the text of the cells of each row of the first sheet, by the letter of the column."""
    with zipfile.ZipFile(path) as book:
        parts = [book.read(f"xl/{name}.xml") for name in ("worksheets/sheet1", "sharedStrings")]
    sheet, strings = map(ElementTree.fromstring, parts)  # The test has written them.
    shared = ["".join(item.itertext()) for item in strings.iter(f"{NAMESPACE}si")]

    def text(cell: ElementTree.Element) -> str:
        value = "".join(cell.itertext())
        return shared[int(value)] if cell.attrib.get("t") == "s" else value

    return [
        {re.sub(r"\d", "", cell.attrib["r"]): text(cell) for cell in row.iter(f"{NAMESPACE}c")}
        for row in sheet.iter(f"{NAMESPACE}row")
    ]


def test_a_workbook_has_the_rows_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "coded.xlsx"
    assert find_output(path).write([FULL, EMPTY]) == 2
    text = "".join(find_output(None, "csv").chunks([FULL, EMPTY]))
    expected = list(csv.reader(io.StringIO(text, newline="")))
    found = [
        [row.get(chr(ord("A") + column), "") for column in range(len(expected[0]))]
        for row in cells(path)
    ]
    assert found == expected


def test_the_same_notes_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        find_output(tmp_path / name).write([FULL])
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    assert (tmp_path / "a.xlsx").stat().st_mode & 0o777 == 0o600


def test_text_is_never_a_formula_and_is_never_left_out(tmp_path: Path) -> None:
    codes = [
        AssignedCode(code="I10", description="=1+1"),
        AssignedCode(code="R52", description="x" * 40_000),
    ]
    find_output(tmp_path / "x.xlsx").write([CodedNote(id="1", text="", codes=codes)])
    _, formula, long = cells(tmp_path / "x.xlsx")
    assert formula["D"] == "=1+1"
    assert len(long["D"]) == 32_767
    with zipfile.ZipFile(tmp_path / "x.xlsx") as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_a_workbook_is_a_file() -> None:
    with pytest.raises(ConfigurationError, match="a workbook is a file"):
        "".join(find_output(None, "xlsx").chunks([FULL]))
