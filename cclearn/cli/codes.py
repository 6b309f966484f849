"""The commands that look into a code system."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cclearn.cli.options import (
    EarlierOption,
    ReleaseOption,
    SystemOption,
    load_system,
    print_json,
)
from cclearn.cli.program import App
from cclearn.errors import CclearnError, DataError

codes_app = App("Look up and search codes.")

_JSONOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON to a terminal too. A pipe or a file always receives JSON.",
        rich_help_panel="Output",
    ),
]


def _prints_json(as_json: bool) -> bool:
    """Return whether JSON is printed and no tables: to a pipe or a file, as `cclearn code` does."""
    return as_json or not sys.stdout.isatty()


def show_code(
    code: Annotated[str, typer.Argument(help="A code in any spelling, a block or a chapter.")],
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    as_json: _JSONOption = False,
) -> None:
    """Show a code: its status, title, synonyms, instructional notes and neighbours."""
    from cclearn.codes.code_info import code_info

    loaded = load_system(system, release, earlier)
    if _prints_json(as_json):
        print_json(code_info(loaded, code).model_dump(mode="json"))
    else:
        from cclearn.cli.tables import code_view, print_view

        print_view(code_view(loaded, code))


def search_codes(
    text: Annotated[
        str, typer.Argument(help="Words as clinicians write them, an abbreviation, or a code.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of codes.")] = 10,
    billable: Annotated[
        bool, typer.Option("--billable", help="Find only billable codes, no headers.")
    ] = False,
    chapter: Annotated[
        str | None,
        typer.Option(
            help="Find only codes of a chapter (9), a range of categories (I00-I99), or a block or"
            " header (I20-I25, I50)."
        ),
    ] = None,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    as_json: _JSONOption = False,
) -> None:
    """Search for codes by abbreviations, clinical phrases, titles and synonyms."""
    loaded = load_system(system, release, None)
    hits = loaded.search(text, limit, billable=billable, chapter=chapter)
    if not hits:
        raise CclearnError(
            f"text: nothing found in {loaded.name} {loaded.release}. Check the spelling, use fewer or"
            " other words, or leave out --billable and --chapter."
        )
    if not _prints_json(as_json):
        from cclearn.cli.tables import hits_table, print_view

        print_view(hits_table(hits, loaded))
        return
    print_json(
        [
            {
                "code": hit.code.code,
                "status": loaded.status(hit.code.code),
                "description": hit.code.description,
                "matched": hit.matched,
                "score": hit.score,
            }
            for hit in hits
        ]
    )


def diff_releases(
    old: Annotated[
        Path, typer.Argument(help="Official file of the old release, as --release takes it.")
    ],
    new: Annotated[
        str,
        typer.Argument(
            help="Official file of the new release, or packaged for that of the package."
        ),
    ] = "packaged",
    codes: Annotated[
        Path | None,
        typer.Option(
            help="Stored codes: a text file with a code in each line, or a table with a column code."
            " Each gets a line. Default: all billable codes that change.",
        ),
    ] = None,
    editions: Annotated[
        str,
        typer.Option(
            "--editions",
            help="Table of the codes that replaced others: the CDC's conversion table, a table with the"
            " columns old and new, packaged, or none.",
        ),
    ] = "packaged",
    system: SystemOption = "icd10cm",
    as_json: _JSONOption = False,
) -> None:
    """Show what a new release changes about stored codes: retired, divided, renamed, and successors."""
    from cclearn.codes import CodeSystem
    from cclearn.codes.editions import EditionMap
    from cclearn.codes.release_diff import compare_releases

    before = CodeSystem.load(system, old)
    after = CodeSystem.load(system, None if new == "packaged" else Path(new))
    table = None if editions == "none" else EditionMap.load(editions, after)
    stored = None if codes is None else _stored_codes(codes)
    changes = [
        change
        for change in compare_releases(before, after, stored, table)
        if stored is not None or change.change != "same"
    ]
    if not _prints_json(as_json):
        from cclearn.cli.tables import changes_table, print_view

        print_view(changes_table(changes))
    else:
        print_json([change._asdict() for change in changes])


def _stored_codes(path: Path) -> list[str]:
    """Return the codes of a list, one for each of its lines. Raises DataError."""
    from cclearn.runtime.files import read_lines

    if path.suffix.lower() in (".csv", ".tsv"):
        import csv

        rows = csv.DictReader(
            read_lines(path), delimiter="\t" if path.suffix.lower() == ".tsv" else ","
        )
        if "code" not in (rows.fieldnames or ()):
            raise DataError(path, "there is no column code")
        return [(row["code"] or "").strip() for row in rows]
    return [line.strip() for line in read_lines(path) if line.strip()]


codes_app.add("show", show_code, "cclearn codes show i214", "cclearn codes show I20-I25 --json")
codes_app.add(
    "search",
    search_codes,
    'cclearn codes search "heart attack"',
    "cclearn codes search chf --billable",
    'cclearn codes search "l hip fx" --chapter 19 --limit 50',
)
codes_app.add(
    "diff",
    diff_releases,
    "cclearn codes diff icd10cm-order-2025.txt",
    "cclearn codes diff icd10cm-order-2024.txt icd10cm-order-2025.txt --codes stored.txt --json",
)
