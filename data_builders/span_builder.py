"""The walk that all builders of span pairs share: claims in, pairs and their variants out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from cclearn.codes import CodeSystem
from cclearn.codes.string_claims import StringClaims
from cclearn.codes.strings import string_key
from cclearn.errors import did_you_mean
from cclearn.notes import SpanPair
from cclearn.notes.contract import Grade
from data_builders.builder import Ambiguous, Builder, BuilderConfig, Built, RejectedRow
from data_builders.claims import Claim, is_gold, own_claims, rank
from data_builders.noise import VARIANT, WEIGHTS, Abbreviations
from data_builders.parallel import Spread, here, processes
from data_builders.variants import VariantSettings, with_variants


class SpanBuilderConfig(BuilderConfig):
    """Settings of every builder of span pairs.

    Attributes:
        under: Only the codes at and below this chapter, block or code; all of them where it is None.
        codes: Only these codes; all of them where it is None.
        headers: What becomes of a header's strings: `reject` them, or give them to the billable code
            below that says no more than the header (`unspecified`), as silver pairs.
        variants: How many changed spellings follow each pair, at the most.
        noise: How often each of the makers of variants is drawn; those left out are not.
        abbreviations: A table of abbreviations besides our own small list: CSV or tab-separated, with
            the columns `abbreviation` and `expansion` (or `sense`).
        workers: Processes that make variants where no cluster does; the rows are the same with any
            number.
    """

    under: str | None = None
    codes: tuple[str, ...] | None = None
    headers: Literal["reject", "unspecified"] = "reject"
    variants: int = Field(default=0, ge=0)
    noise: dict[str, Annotated[float, Field(ge=0)]] = WEIGHTS
    abbreviations: Path | None = None
    workers: int = Field(default=1, ge=1, exclude=True)

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


class SpanBuilder(Builder):
    """A source of span pairs: says what it claims, and the walk decides what becomes of it.

    A claim to a billable code is a pair. A code that needs a 7th character gives a pair for each, the
    character's meaning behind the string, and a silver one for the string alone: the initial
    encounter. Other headers are rejected, or given to their unspecified code where the settings say
    so; so are retired and unknown codes, with their status. Where several codes claim one string, in
    this source or in the code system itself, the strongest claim wins (`data_builders.claims`); a tie
    is ambiguous and makes no pair.
    """

    row_type = SpanPair
    data_file: ClassVar[str] = "pairs.jsonl"

    @abstractmethod
    def claims(self, config: Any, system: CodeSystem) -> Iterator[Claim | RejectedRow]:
        """Yield what the source claims, the same in the same order each time it is called."""

    def can_spread(self, config: SpanBuilderConfig) -> bool:
        """Say whether variants are asked for: all else is one walk over the source."""
        return config.variants > 0

    def rows(
        self, config: SpanBuilderConfig, system: CodeSystem, spread: Spread = here
    ) -> Iterator[Built]:
        """Yield pairs, each with its variants behind it, and what was not made, in the source's order.

        Raises:
            UnknownCodeError: The settings name a code that the release does not hold.
            DataError: An input is not what it should be.
        """
        # Claims are weighed over the whole source, so that a part of it holds the same pairs.
        wanted = _wanted(config, system)
        claims = StringClaims()
        for text, code, strength in own_claims(system):
            claims.add(text, code, strength)
        for claim in self.claims(config, system):
            if isinstance(claim, Claim):
                for text, code, grade in _assigned(claim, config, system):
                    claims.add(text, code, rank(claim.source, grade))
        decided = self._decided(config, system, claims, wanted)
        abbreviations = Abbreviations.load(config.abbreviations)
        settings = VariantSettings(config.variants, config.noise, abbreviations, config.seed)
        if spread is here and config.workers > 1:
            spread = processes(config.workers)
        yield from with_variants(decided, settings, system, claims, spread)

    def _decided(
        self,
        config: SpanBuilderConfig,
        system: CodeSystem,
        claims: StringClaims,
        wanted: set[str] | None,
    ) -> Iterator[Built]:
        # A header above a code asked for may have strings for it.
        asked = wanted and wanted.union(*map(system.ancestors, wanted))
        number, made = 0, set[str]()
        ambiguous: set[str] = set()
        for claim in self.claims(config, system):
            known = claim.code in system
            if asked is not None and known and system.canonical(claim.code) not in asked:
                continue
            if isinstance(claim, RejectedRow):
                yield claim
                continue
            if not any(map(str.isalnum, claim.text)):
                yield RejectedRow(text=claim.text, code=claim.code, reason="no words")
                continue
            assigned = _assigned(claim, config, system)
            if not assigned:
                reason = f"{system.status(claim.code)} code"
                yield RejectedRow(text=claim.text, code=claim.code, reason=reason)
            for text, code, grade in assigned:
                if wanted is not None and code not in wanted:
                    continue
                key = string_key(text)
                strength, codes = claims.winners(text) or (0, ())
                if code not in codes:
                    reason = "claimed by a stronger source"
                    yield RejectedRow(text=text, code=code, reason=reason, detail=" ".join(codes))
                elif len(codes) > 1:
                    if key not in ambiguous:
                        ambiguous.add(key)
                        yield Ambiguous(text=text, codes=codes, source=claim.source)
                # A variant may be another casing of a string that is made already.
                elif (text if claim.source.endswith(VARIANT) else key) in made:
                    yield RejectedRow(text=text, code=code, reason="duplicate")
                else:
                    made.update((key, text))
                    number += 1
                    yield SpanPair(
                        id=f"{self.name}-{number}",
                        text=text,
                        code=code,
                        system=system.name,
                        release=system.release,
                        # The classification, or another claim of the source, may say it outright.
                        grade="gold" if is_gold(strength) else grade,
                        source=claim.source,
                        origin=claim.origin,
                        neighbour=claim.neighbour,
                    )


def _assigned(
    claim: Claim, config: SpanBuilderConfig, system: CodeSystem
) -> list[tuple[str, str, Grade]]:
    """Return the billable codes of a claim, each with the words that it stands for."""
    if system.is_billable(claim.code):
        return [(claim.text, system.canonical(claim.code), claim.grade)]
    if claim.code not in system:
        return []
    code = system.canonical(claim.code)
    pairs: list[tuple[str, str, Grade]] = []
    meanings = system.seventh_characters(code)
    for character, meaning in meanings.items():
        extended, text = system.extended(code, character), f"{claim.text}, {meaning}"
        # A header's title with a meaning is its child's title, which the code system yields itself.
        if not (claim.source.endswith("/title") and text == system.description(extended)):
            pairs.append((text, extended, claim.grade))
    if meanings or config.headers == "unspecified":
        below = system.unspecified(code)
        if below is not None:
            pairs.append((claim.text, below, "silver"))
    return pairs


def _wanted(config: SpanBuilderConfig, system: CodeSystem) -> set[str] | None:
    """Return the codes that the settings ask for, None for all. Raises UnknownCodeError."""
    wanted = None
    if config.under is not None:
        wanted = {system[config.under].code, *system.descendants(config.under)}
    if config.codes is not None:
        named = {system[code].code for code in config.codes}
        wanted = named if wanted is None else wanted & named
    return wanted
