"""The commands that look into a code system."""

from __future__ import annotations

import sys
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
from cclearn.errors import CclearnError

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


codes_app.add("show", show_code, "cclearn codes show i214", "cclearn codes show I20-I25 --json")
codes_app.add(
    "search",
    search_codes,
    'cclearn codes search "heart attack"',
    "cclearn codes search chf --billable",
    'cclearn codes search "l hip fx" --chapter 19 --limit 50',
)
