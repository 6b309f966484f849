"""ICD-9-CM diagnoses from the official title file (CMS, e.g. `CMS32_DESC_LONG_DX.txt`)."""

from __future__ import annotations

import re
from pathlib import Path

from cclearn.codes.sources import OfficialSource, file_source
from cclearn.codes.table import CodeTable, Kind
from cclearn.errors import DataError, DataErrors
from cclearn.runtime.files import read_bytes

_LINE = re.compile(r"(?P<code>(?:\d{3}|V(?!00)\d{2}|E\d{3})\d{0,2})\s+(?P<title>\S.*)", re.ASCII)

CHAPTERS = (
    ("000", "139", "Infectious and parasitic diseases"),
    ("140", "239", "Neoplasms"),
    ("240", "279", "Endocrine, nutritional and metabolic diseases, and immunity disorders"),
    ("280", "289", "Diseases of the blood and blood-forming organs"),
    ("290", "319", "Mental disorders"),
    ("320", "389", "Diseases of the nervous system and sense organs"),
    ("390", "459", "Diseases of the circulatory system"),
    ("460", "519", "Diseases of the respiratory system"),
    ("520", "579", "Diseases of the digestive system"),
    ("580", "629", "Diseases of the genitourinary system"),
    ("630", "679", "Complications of pregnancy, childbirth, and the puerperium"),
    ("680", "709", "Diseases of the skin and subcutaneous tissue"),
    ("710", "739", "Diseases of the musculoskeletal system and connective tissue"),
    ("740", "759", "Congenital anomalies"),
    ("760", "779", "Certain conditions originating in the perinatal period"),
    ("780", "799", "Symptoms, signs, and ill-defined conditions"),
    ("800", "999", "Injury and poisoning"),
    ("V01", "V99", "Factors influencing health status and contact with health services"),
    ("E000", "E999", "External causes of injury and poisoning"),
)
"""First and last category and title of each chapter. The ranges are a little wider than the categories
in use. The two supplementary classifications come last."""


def find_official_source(path: Path) -> OfficialSource:
    """Return the source of a release, which is read from a title file."""
    return file_source("icd9cm", path, read_title_file)


def read_title_file(path: Path) -> CodeTable:
    """Read a title file, whose lines contain a code without its dot, blanks and a title.

    The file lists only billable codes. Their headers are derived from the prefixes of the codes and
    have no title.

    Raises:
        DataErrors: Lines do not have this form, or a code occurs twice.
    """
    titles: dict[str, str] = {}
    problems: list[DataError] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            problems.append(DataError(path, "not a code and its title", number))
        elif match["code"] in titles:
            problems.append(DataError(path, f"{match['code']} occurs twice", number, "code"))
        else:
            titles[match["code"]] = " ".join(match["title"].split())
    if not titles and not problems:
        problems.append(DataError(path, "contains no code"))
    if problems:
        raise DataErrors(problems)
    return _table(path, titles)


def _text(path: Path) -> str:
    raw = read_bytes(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:  # The official files are in Latin-1 because of "Ménière".
        return raw.decode("latin-1")


def _table(path: Path, titles: dict[str, str]) -> CodeTable:
    table = CodeTable(release=path.stem)
    chapter_rows = [
        table.add(str(number), title, -1, Kind.CHAPTER)
        for number, (_, _, title) in enumerate(CHAPTERS, start=1)
    ]
    rows: dict[str, int] = {}

    def add(code: str) -> int:
        if code in rows:
            return rows[code]
        category = code[: _category_length(code)]
        if code == category:
            parent, kind = chapter_rows[_chapter(category)], Kind.CATEGORY
        else:
            parent, kind = add(code[:-1]), Kind.SUBCATEGORY
        dotted = category + (f".{code[len(category) :]}" if code != category else "")
        rows[code] = table.add(dotted, titles.get(code, ""), parent, kind, billable=code in titles)
        return rows[code]

    for code in sorted(titles):
        add(code)
    return table


def _category_length(code: str) -> int:
    return 4 if code.startswith("E") else 3


def _chapter(category: str) -> int:
    return next(
        number
        for number, (first, last, _) in enumerate(CHAPTERS)
        if len(first) == len(category) and first <= category <= last
    )
