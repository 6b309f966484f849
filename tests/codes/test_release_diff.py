"""What a release changes about codes, on two small tables."""

from __future__ import annotations

from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.codes.editions import EditionMap
from cclearn.codes.release_diff import CodeChange, compare_releases


def table(path: Path, *rows: str) -> CodeSystem:
    path.write_text("code,description,billable,parent\n" + "".join(f"{row}\n" for row in rows))
    return CodeSystem.load(str(path))


def releases(tmp_path: Path) -> tuple[CodeSystem, CodeSystem]:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old = table(
        tmp_path / "old" / "w.csv",
        "A,Group,false,", "A1,One,true,A", "A2,Two,true,A", "A3,Three,true,A", "A4,Four,true,A",
    )  # fmt: skip
    new = table(
        tmp_path / "new" / "w.csv",
        "A,Group,false,", "A1,One,true,A", "A2,Second,true,A", "A3,Three,false,A",
        "A31,Three a,true,A3", "A32,Three b,true,A3", "A5,Five,true,A",
    )  # fmt: skip
    return old, new


def test_every_stored_code_gets_a_line_in_its_order(tmp_path: Path) -> None:
    old, new = releases(tmp_path)
    (tmp_path / "map.csv").write_text("old,new\nA4,A5\n")
    editions = EditionMap.load(str(tmp_path / "map.csv"), new)
    stored = ["A5", "a1", "A2", "A3", "A4", "A4", "A9"]
    assert list(compare_releases(old, new, stored, editions)) == [
        CodeChange("A5", "new", "", "Five", ()),
        CodeChange("A1", "same", "One", "One", ()),
        CodeChange("A2", "title", "Two", "Second", ()),
        CodeChange("A3", "header", "Three", "Three", ("A31", "A32")),
        CodeChange("A4", "retired", "Four", "", ("A5",)),
        CodeChange("A4", "retired", "Four", "", ("A5",)),
        CodeChange("A9", "unknown", "", "", ()),
    ]
    assert [change.change for change in compare_releases(new, old, ["A3"])] == ["billable"]


def test_without_a_list_all_billable_codes_are_compared(tmp_path: Path) -> None:
    old, new = releases(tmp_path)
    changes = {change.code: change.change for change in compare_releases(old, new)}
    assert changes == {
        "A3": "header", "A4": "retired", "A1": "same", "A2": "title", "A31": "new", "A32": "new",
        "A5": "new",
    }  # fmt: skip
