"""Targets of the commands that read a code system."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.targets.target import Target


def code_system_targets() -> Iterator[Target]:
    show = ("codes", "show", "I10")
    search = ("codes", "search", "fracture")
    for file, kind in (("icd10cm-order-2031.txt", "table"), ("icd10cm-order-2031.txt.gz", "gz"),
                       ("icd10cm-tabular-2031.xml", "xml")):  # fmt: skip
        yield Target(
            f"--release {file[8:]}",
            kind,
            file,
            ("codes", "show", "S72", "--release", file),
            shows_notes=True,  # It shows what the file says of the code.
            weight=2,
        )
        found = (*search, "--release", file)
        yield Target(f"--release {file[8:]}", kind, file, found, shows_notes=True, weight=0.5)
    code = ("code", "note.txt", "--release")
    tabular, order = "icd10cm-tabular-2031.xml", "icd10cm-order-2031.txt"
    yield Target(
        "code --release", "xml", tabular, (*code, tabular), ("note.txt",), shows_notes=True
    )
    for file, kind in ((tabular, "xml"), (order, "table")):
        both = ("codes", "show", "S72", "--release", "release")
        yield Target("--release folder", kind, f"release/{file}", both, ("release",), weight=0.5)
    yield Target("--earlier", "table", order, (*show, "--earlier", order), weight=0.5)
    titles = ("codes", "show", "42821", "--system", "icd9cm", "--release", "icd9.txt")
    yield Target("--system icd9cm", "table", "icd9.txt", titles)
    yield Target(
        "--system table.csv",
        "table",
        "table.csv",
        ("codes", "show", "10.1", "--system", "table.csv"),
        shows_notes=True,  # It shows what the table says of the code.
        weight=2,
    )
    own = ("code", "note.txt", "--system", "table.csv")
    yield Target("--system table.csv", "table", "table.csv", own, ("note.txt",), shows_notes=True)
    yield Target("codes show", "argument", "I10", ("codes", "show", "{}"))
    yield Target("codes search", "argument", "heart failure", ("codes", "search", "{}"))
