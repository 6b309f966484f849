"""What a new release changes about the codes of a stored list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from cclearn.codes.editions import EditionMap
from cclearn.codes.system import CodeSystem

ChangeKind = Literal["same", "title", "retired", "header", "billable", "new", "unknown"]
"""`same`: nothing changes. `title`: only the title does. `retired`: the new release does not contain the
code. `header`: the code may not be assigned in the new release, because it is divided. `billable`: it
was a header. `new`: the old release does not contain it. `unknown`: neither does."""


class CodeChange(NamedTuple):
    """What a release changes about a code.

    Attributes:
        code: The code as it was given, in the official spelling if a release contains it.
        change: Kind of the change.
        old_title: Title in the old release; empty if it does not contain the code.
        new_title: Title in the new release; empty if it does not contain the code.
        successors: Codes of the new release that replace the code, in their order: those of the table of
            changes, or the billable codes below a code that became a header.
    """

    code: str
    change: ChangeKind
    old_title: str
    new_title: str
    successors: tuple[str, ...]


def compare_releases(
    old: CodeSystem,
    new: CodeSystem,
    codes: Iterable[str] | None = None,
    editions: EditionMap | None = None,
) -> Iterator[CodeChange]:
    """Yield the change of each code, one for each code that is given and in the same order.

    Args:
        old: The release for which the codes were stored.
        new: The release to compare with.
        codes: Stored codes in any spelling. None for all billable codes of both releases, in the order
            of the new one, after those that only the old one has.
        editions: Table of the codes that replaced others. None for no successors of retired codes.
    """
    replaced: dict[str, list[str]] = {}
    if editions is not None:
        for code, earlier in editions.previous.items():
            for before in earlier:
                if new.is_billable(code):
                    replaced.setdefault(before, []).append(code)
    if codes is None:
        current = set(new.billable_codes())
        codes = [*(c for c in old.billable_codes() if c not in current), *new.billable_codes()]
    for code in codes:
        yield _change(code, old, new, replaced)


def _change(
    given: str, old: CodeSystem, new: CodeSystem, replaced: dict[str, list[str]]
) -> CodeChange:
    code = next((s.canonical(given) for s in (new, old) if given in s), given)
    was, now = code in old, code in new
    titles = old.description(code) if was else "", new.description(code) if now else ""
    if not now:
        kind: ChangeKind = "retired" if was else "unknown"
        return CodeChange(code, kind, *titles, tuple(replaced.get(code, ())))
    if not was:
        return CodeChange(code, "new", *titles, ())
    if not new.is_billable(code):
        return CodeChange(code, "header", *titles, tuple(new.billable_codes(code)))
    if new.is_billable(code) and not old.is_billable(code):
        return CodeChange(code, "billable", *titles, ())
    return CodeChange(code, "same" if titles[0] == titles[1] else "title", *titles, ())
