"""Gold pairs from ICD-10-CM itself: titles, their short forms and inclusion terms."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.codes.strings import PRECEDENCE, CodeString, code_strings
from cclearn.notes import SpanPair
from data_builders.builder import Builder, BuilderConfig, Built, Rejected
from data_builders.variants import variants


class ICD10CMConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        under: Only the codes at and below this chapter, block or code; all of them where it is None.
        codes: Only these codes; all of them where it is None.
        variants: How many changed spellings follow each pair, at the most.
    """

    under: str | None = None
    codes: tuple[str, ...] | None = None
    variants: int = Field(default=0, ge=0)


class ICD10CMBuilder(Builder):
    """Walks over the code system. Every pair is gold: the classification itself says so.

    One string that several codes claim goes to the code whose claim is the strongest (title before
    inclusion term before their short forms); where the strongest claims are alike it is rejected as
    ambiguous. Strings of header codes are rejected: they name no billable code.
    """

    name = "icd10cm"
    summary = "Gold span pairs from ICD-10-CM: titles, short forms and inclusion terms."
    config_type = ICD10CMConfig
    data_file = "pairs.jsonl"

    def rows(self, config: ICD10CMConfig, system: CodeSystem) -> Iterator[Built]:
        """Yield pairs and rejected strings in tabular order."""
        # Claims are weighed over the whole system, so that a part of it holds the same pairs.
        winners = _winners(system)
        inside = _wanted(config, system)
        made: set[str] = set()
        for string in code_strings(system):
            if string.field == "includes" or (inside is not None and string.code not in inside):
                continue
            if not system.is_billable(string.code):
                yield Rejected(text=string.text, code=string.code, reason="header")
                continue
            key = _key(string.text)
            claims = winners[key]
            if {claim.code for claim in claims} == {string.code} and key not in made:
                made.add(key)
                pair = SpanPair(
                    id=f"icd10cm-{len(made)}",
                    text=string.text,
                    code=string.code,
                    system=system.name,
                    release=system.release,
                    grade="gold",
                    source=f"icd10cm/{string.field}",
                )
                yield pair
                yield from variants(pair, config.variants, config.seed)
            elif string.code in {claim.code for claim in claims}:
                codes = sorted({claim.code for claim in claims} - {string.code})
                reason = "ambiguous" if codes else "duplicate"
                yield Rejected(
                    text=string.text, code=string.code, reason=reason, detail=" ".join(codes)
                )
            else:
                yield Rejected(
                    text=string.text,
                    code=string.code,
                    reason="claimed by a stronger field",
                    detail=claims[0].code,
                )


def _wanted(config: ICD10CMConfig, system: CodeSystem) -> set[str] | None:
    """Return the codes that the settings ask for, None for all. Raises UnknownCodeError."""
    wanted = None
    if config.under is not None:
        wanted = {system[config.under].code, *system.descendants(config.under)}
    if config.codes is not None:
        named = {system[code].code for code in config.codes}
        wanted = named if wanted is None else wanted & named
    return wanted


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


def _winners(system: CodeSystem) -> dict[str, list[CodeString]]:
    """Return for each string the claims of the strongest field, in tabular order."""
    winners: dict[str, list[CodeString]] = {}
    for string in code_strings(system):
        if string.field == "includes" or not system.is_billable(string.code):
            continue
        claims = winners.setdefault(_key(string.text), [])
        if claims and PRECEDENCE.index(string.field) < PRECEDENCE.index(claims[0].field):
            claims.clear()
        if not claims or string.field == claims[0].field:
            claims.append(string)
    return winners
