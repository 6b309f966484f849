"""The base class of builders of span pairs, which turns claims into pairs and their variants."""

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
from data_builders.builder import AmbiguousString, Builder, BuilderConfig, BuiltRow, RejectedRow
from data_builders.claims import Claim, code_system_claims, is_gold, rank
from data_builders.noise import VARIANT, WEIGHTS, Abbreviations
from data_builders.parallel import ParallelMap, in_process, in_processes
from data_builders.variants import VariantSettings, with_variants


class SpanBuilderConfig(BuilderConfig):
    """Settings of every builder of span pairs.

    Attributes:
        under: Chapter, block or code. It and the codes below it are used. None uses all codes.
        codes: Codes that are used. None uses all codes.
        headers: Treatment of the strings of headers. `reject` rejects them. `unspecified` assigns them
            to the unspecified billable code below the header, as silver pairs.
        variants: Maximum number of variants for each pair.
        noise: Weight of each transform that makes variants. Transforms that are not listed are not used.
        abbreviations: Path of a table of abbreviations that extends the built-in list. It is CSV or
            tab-separated, with the columns `abbreviation` and `expansion` (or `sense`).
        workers: Number of processes that make variants, if there is no cluster. It does not influence
            the rows.
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
    def _transforms_are_known(cls, noise: dict[str, float]) -> dict[str, float]:
        for name in noise:
            if name not in WEIGHTS:
                known = f"{did_you_mean(name, WEIGHTS)} There are: {', '.join(WEIGHTS)}."
                raise ValueError(f"{name}: no such transform.{known}")
        if not any(noise.values()):
            raise ValueError("no transform has a weight above 0")
        return noise


class SpanBuilder(Builder):
    """Base class of builders of span pairs. A subclass yields the claims of its source.

    - A claim for a billable code is a pair.
    - A claim for a code that needs a 7th character is one pair for each character, whose meaning is
      appended to the string, and one silver pair with the plain string for the initial encounter.
    - A claim for another header is rejected, or assigned to the unspecified code below the header.
    - A claim for a retired or unknown code is rejected.
    - If several codes claim one string, in this source or in the code system itself, the strongest claim
      wins (`data_builders.claims`). A tie is ambiguous and makes no pair.
    """

    row_type = SpanPair
    data_file: ClassVar[str] = "pairs.jsonl"

    @abstractmethod
    def claims(self, config: Any, system: CodeSystem) -> Iterator[Claim | RejectedRow]:
        """Yield the claims of the source. Each call must yield the same ones in the same order.

        Args:
            config: Settings of the builder.
            system: Code system of the pairs.
        """

    def has_parallel_step(self, config: SpanBuilderConfig) -> bool:
        """Return whether the settings ask for variants, which are the expensive step."""
        return config.variants > 0

    def rows(
        self, config: SpanBuilderConfig, system: CodeSystem, parallel_map: ParallelMap = in_process
    ) -> Iterator[BuiltRow]:
        """Yield pairs, each followed by its variants, rejected rows and ambiguous strings.

        Raises:
            UnknownCodeError: The settings name a code that the release does not contain.
            DataError: An input is invalid.
        """
        # All claims are compared, so that selected codes have the same pairs as in a build of all codes.
        selected = _selected_codes(config, system)
        claims = StringClaims()
        for text, code, claim_rank in code_system_claims(system):
            claims.add(text, code, claim_rank)
        for claim in self.claims(config, system):
            if isinstance(claim, Claim):
                for text, code, grade in _billable_pairs(claim, config, system):
                    claims.add(text, code, rank(claim.source, grade))
        resolved = self._resolve(config, system, claims, selected)
        abbreviations = Abbreviations.load(config.abbreviations)
        settings = VariantSettings(config.variants, config.noise, abbreviations, config.seed)
        if parallel_map is in_process and config.workers > 1:
            parallel_map = in_processes(config.workers)
        yield from with_variants(resolved, settings, system, claims, parallel_map)

    def _resolve(
        self,
        config: SpanBuilderConfig,
        system: CodeSystem,
        claims: StringClaims,
        selected: set[str] | None,
    ) -> Iterator[BuiltRow]:
        """Yield the pairs that the strongest claims make, rejected rows and ambiguous strings."""
        # The strings of a header may be assigned to a selected code below it.
        relevant = selected and selected.union(*map(system.ancestors, selected))
        number, built = 0, set[str]()
        ambiguous: set[str] = set()
        for claim in self.claims(config, system):
            known = claim.code in system
            if relevant is not None and known and system.canonical(claim.code) not in relevant:
                continue
            if isinstance(claim, RejectedRow):
                yield claim
                continue
            if not any(map(str.isalnum, claim.text)):
                yield RejectedRow(text=claim.text, code=claim.code, reason="no words")
                continue
            assigned = _billable_pairs(claim, config, system)
            if not assigned:
                reason = f"{system.status(claim.code)} code"
                yield RejectedRow(text=claim.text, code=claim.code, reason=reason)
            for text, code, grade in assigned:
                if selected is not None and code not in selected:
                    continue
                key = string_key(text)
                winning_rank, codes = claims.winners(text) or (0, ())
                if code not in codes:
                    reason = "claimed by a stronger source"
                    yield RejectedRow(text=text, code=code, reason=reason, detail=" ".join(codes))
                elif len(codes) > 1:
                    if key not in ambiguous:
                        ambiguous.add(key)
                        yield AmbiguousString(text=text, codes=codes, source=claim.source)
                # A variant may differ only in case from a string that has a pair.
                elif (text if claim.source.endswith(VARIANT) else key) in built:
                    yield RejectedRow(text=text, code=code, reason="duplicate")
                else:
                    built.update((key, text))
                    number += 1
                    yield SpanPair(
                        id=f"{self.name}-{number}",
                        text=text,
                        code=code,
                        system=system.name,
                        release=system.release,
                        # The code system, or another claim of the source, may be gold.
                        grade="gold" if is_gold(winning_rank) else grade,
                        source=claim.source,
                        origin=claim.origin,
                        neighbour=claim.neighbour,
                    )


def _billable_pairs(
    claim: Claim, config: SpanBuilderConfig, system: CodeSystem
) -> list[tuple[str, str, Grade]]:
    """Return the string, the billable code and the grade of each pair that a claim makes."""
    if system.is_billable(claim.code):
        return [(claim.text, system.canonical(claim.code), claim.grade)]
    if claim.code not in system:
        return []
    code = system.canonical(claim.code)
    pairs: list[tuple[str, str, Grade]] = []
    meanings = system.seventh_characters(code)
    for character, meaning in meanings.items():
        extended, text = system.extended(code, character), f"{claim.text}, {meaning}"
        # The title of a header with the meaning may be the title of the extended code, which has its own
        # claim.
        if not (claim.source.endswith("/title") and text == system.description(extended)):
            pairs.append((text, extended, claim.grade))
    if meanings or config.headers == "unspecified":
        below = system.unspecified(code)
        if below is not None:
            pairs.append((claim.text, below, "silver"))
    return pairs


def _selected_codes(config: SpanBuilderConfig, system: CodeSystem) -> set[str] | None:
    """Return the codes that the settings select, or None for all. Raises UnknownCodeError."""
    selected = None
    if config.under is not None:
        selected = {system[config.under].code, *system.descendants(config.under)}
    if config.codes is not None:
        listed = {system[code].code for code in config.codes}
        selected = listed if selected is None else selected & listed
    return selected
