"""Tables in Markdown, and pages whose tables are written from results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown.

    Args:
        header: Titles of the columns.
        rows: Cells of each row.
    """
    lines = [list(header), ["---"] * len(header), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def filled(page: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """Return a page whose blocks are replaced by the generated ones.

    A block is between `<!-- NAME -->` and `<!-- end -->`.

    Args:
        page: Page in Markdown.
        blocks: Function that generates the content of each block, by the name of the block.

    Raises:
        KeyError: The page has a block that is not generated.
    """
    return re.sub(
        r"<!-- (?!end )([^>]+) -->\n.*?<!-- end -->",
        lambda match: f"<!-- {match[1]} -->\n\n{blocks[match[1]]()}\n\n<!-- end -->",
        page,
        flags=re.S,
    )
