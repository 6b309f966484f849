"""What a run over a corpus comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from cclearn.bulk.shard import Marker
from cclearn.engines.settings import EngineSettings


class Pace(BaseModel):
    """How fast the last sitting of a run was; a run that was stopped has several.

    Attributes:
        rows: That were gone through in it.
        seconds: It took, the coder's loading included.
        notes_per_second: Of the two.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    seconds: float
    notes_per_second: float

    @classmethod
    def of(cls, rows: int, seconds: float) -> Pace:
        """Return the pace of so many rows in so many seconds."""
        speed = rows / seconds if seconds else 0.0
        return cls(rows=rows, seconds=round(seconds, 3), notes_per_second=round(speed, 3))


class Summary(BaseModel):
    """Counts of a whole corpus, and what coding it cost.

    Attributes:
        shards: How many.
        rows: Of the corpus.
        notes: That were coded.
        rejected: Rows that were not, by kind.
        first_rejected: Of each kind, the first row's number and the reason.
        flagged: Coded notes with the flag of a failure, by flag.
        codes: That were given.
        prompt_tokens: That the coder read.
        answer_tokens: That it wrote.
        gpu_seconds: That it took.
        cost: By the engine's prices of a million tokens; None without prices.
        pace: Of the last sitting.
    """

    model_config = ConfigDict(frozen=True)

    shards: int
    rows: int
    notes: int
    rejected: dict[str, int]
    first_rejected: dict[str, str]
    flagged: dict[str, int]
    codes: int
    prompt_tokens: int
    answer_tokens: int
    gpu_seconds: float
    cost: float | None
    pace: Pace

    def lines(self, out: Path) -> Iterator[str]:
        """Yield what a user is told at the end of a run into a folder."""
        yield f"notes coded: {self.notes:,} (codes: {self.codes:,}, shards: {self.shards:,}): {out}"
        for kind, count in self.rejected.items():
            first = self.first_rejected[kind]
            yield f"rows rejected, {kind}: {count:,}; {first} ({out / 'rejected.jsonl'})"
        for flag, count in self.flagged.items():
            yield f"notes flagged {flag}: {count:,}"
        if self.prompt_tokens or self.answer_tokens:
            cost = "" if self.cost is None else f", cost {self.cost:,.2f}"
            yield f"{self.prompt_tokens:,} tokens read, {self.answer_tokens:,} written{cost}"
        if not self.pace.rows:
            yield "All of it was finished before."
            return
        before = self.rows - self.pace.rows
        yield (
            f"{self.pace.seconds:,.1f} s, {self.pace.notes_per_second:,.1f} notes/s"
            + (f"; rows finished before: {before:,}" if before else "")
        )


def summarise(markers: Iterable[Marker], engine: EngineSettings, pace: Pace) -> Summary:
    """Add the shards of a corpus up."""
    total: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    first_rejected: dict[str, str] = {}
    gpu_seconds = 0.0
    for marker in markers:
        total["shards"] += 1
        total["rows"] += marker.notes + len(marker.rejected)
        for name in ("notes", "codes", "prompt_tokens", "answer_tokens"):
            total[name] += getattr(marker, name)
        for row in marker.rejected:
            rejected[row.kind] += 1
            first_rejected.setdefault(row.kind, f"row {row.row}: {row.reason}")
        flagged.update(marker.flagged)
        gpu_seconds += marker.gpu_seconds
    cost = None
    if engine.prompt_price or engine.answer_price:
        cost = engine.prompt_price * total["prompt_tokens"] / 1e6
        cost += engine.answer_price * total["answer_tokens"] / 1e6
    return Summary(
        shards=total["shards"],
        rows=total["rows"],
        notes=total["notes"],
        rejected=dict(sorted(rejected.items())),
        first_rejected=dict(sorted(first_rejected.items())),
        flagged=dict(sorted(flagged.items())),
        codes=total["codes"],
        prompt_tokens=total["prompt_tokens"],
        answer_tokens=total["answer_tokens"],
        gpu_seconds=round(gpu_seconds, 3),
        cost=cost,
        pace=pace,
    )
