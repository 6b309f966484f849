"""The commands that look into a code system."""

from __future__ import annotations

from typing import Annotated

import typer

from cclearn.cli.options import (
    EarlierOption,
    JSONOption,
    ReleaseOption,
    SystemOption,
    load_system,
    print_json,
)
from cclearn.cli.program import App

codes_app = App("Look up and search codes.")


def show_code(
    code: Annotated[str, typer.Argument(help="A code in any spelling, a block or a chapter.")],
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    earlier: EarlierOption = None,
    as_json: JSONOption = False,
) -> None:
    """Show a code: its status, title, synonyms, instructional notes and neighbours."""
    from cclearn.cli.tables import code_view, print_view
    from cclearn.codes.code_info import code_info

    loaded = load_system(system, release, earlier)
    if as_json:
        print_json(code_info(loaded, code).model_dump(mode="json"))
    else:
        print_view(code_view(loaded, code))


def search_codes(
    text: Annotated[str, typer.Argument(help="Words to search for.")],
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of codes.")] = 10,
    system: SystemOption = "icd10cm",
    release: ReleaseOption = None,
    as_json: JSONOption = False,
) -> None:
    """Search the titles and synonyms of codes."""
    from cclearn.cli.tables import hits_table, print_view
    from cclearn.codes.search import search

    loaded = load_system(system, release, None)
    hits = search(loaded, text, limit)
    if not as_json:
        print_view(hits_table(hits, loaded))
        return
    print_json(
        [
            {
                "code": hit.code.code,
                "status": loaded.status(hit.code.code),
                "description": hit.code.description,
                "matched": hit.matched,
                "score": round(hit.score, 1),
            }
            for hit in hits
        ]
    )


codes_app.add("show", show_code, "cclearn codes show i214", "cclearn codes show I20-I25 --json")
codes_app.add(
    "search",
    search_codes,
    'cclearn codes search "heart failure"',
    'cclearn codes search "heart failure" --limit 50 --json',
)
