"""Gold pairs from ICD-10-CM itself: titles, their short forms and inclusion terms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings, string_key, strongest_claims
from cclearn.errors import did_you_mean
from cclearn.notes import SpanPair
from data_builders.builder import Builder, BuilderConfig, Built, Rejected
from data_builders.noise import WEIGHTS, Abbreviations, Noise
from data_builders.noise.frames import frames_for


class ICD10CMConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        under: Only the codes at and below this chapter, block or code; all of them where it is None.
        codes: Only these codes; all of them where it is None.
        variants: How many changed spellings follow each pair, at the most.
        noise: How often each of the makers of variants is drawn; those left out are not.
        abbreviations: A table of abbreviations besides our own small list: CSV or tab-separated, with
            the columns `abbreviation` and `expansion` (or `sense`).
    """

    under: str | None = None
    codes: tuple[str, ...] | None = None
    variants: int = Field(default=0, ge=0)
    noise: dict[str, Annotated[float, Field(ge=0)]] = WEIGHTS
    abbreviations: Path | None = None

    @field_validator("noise")
    @classmethod
    def _known_makers(cls, noise: dict[str, float]) -> dict[str, float]:
        for name in noise:
            if name not in WEIGHTS:
                known = f"{did_you_mean(name, WEIGHTS)} There are: {', '.join(WEIGHTS)}."
                raise ValueError(f"{name}: no such maker.{known}")
        if not any(noise.values()):
            raise ValueError("no maker has a weight above 0")
        return noise


class ICD10CMBuilder(Builder):
    """Walks over the code system. Every pair is gold: the classification itself says so.

    One string that several codes claim goes to the code whose claim is the strongest (title before
    inclusion term before their short forms); where the strongest claims are alike it is rejected as
    ambiguous. Strings of header codes are rejected: they name no billable code.
    """

    name = "icd10cm"
    summary = "Gold span pairs from ICD-10-CM: titles, short forms and inclusion terms."
    config_type = ICD10CMConfig
    row_type = SpanPair
    data_file = "pairs.jsonl"

    def inputs(self, config: ICD10CMConfig) -> list[Path]:
        """Return the table of abbreviations, where one is named."""
        return [config.abbreviations] if config.abbreviations is not None else []

    def rows(self, config: ICD10CMConfig, system: CodeSystem) -> Iterator[Built]:
        """Yield pairs and rejected strings in tabular order."""
        # Claims are weighed over the whole system, so that a part of it holds the same pairs.
        winners = strongest_claims(
            (
                s
                for s in code_strings(system)
                if s.field != "includes" and system.is_billable(s.code)
            ),
            string_key,
        )
        inside = _wanted(config, system)
        made: set[str] = set()
        noise = Noise(config.noise, Abbreviations.load(config.abbreviations))
        for string in code_strings(system):
            if string.field == "includes" or (inside is not None and string.code not in inside):
                continue
            if not system.is_billable(string.code):
                yield Rejected(text=string.text, code=string.code, reason="header")
                continue
            key = string_key(string.text)
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
                frames = frames_for(system, pair.code)
                for variant in noise.variants(pair, config.variants, config.seed, frames):
                    claims = winners.get(string_key(variant.text), [])
                    if all(claim.code == pair.code for claim in claims):
                        yield variant
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
