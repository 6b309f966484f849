"""The summary of a run over a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from cclearn.bulk.shard import Marker
from cclearn.engines.settings import EngineSettings


class Pace(BaseModel):
    """The speed of the last session of a run. An interrupted run has several sessions.

    Attributes:
        rows: Number of rows that the session processed.
        seconds: Duration of the session, including the loading of the coder.
        notes_per_second: Number of rows per second.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    seconds: float
    notes_per_second: float

    @classmethod
    def of(cls, rows: int, seconds: float) -> Pace:
        """Return the speed of a session from its number of rows and its duration in seconds."""
        speed = rows / seconds if seconds else 0.0
        return cls(rows=rows, seconds=round(seconds, 3), notes_per_second=round(speed, 3))


class Summary(BaseModel):
    """Counts of a whole corpus, and the cost of coding it.

    Attributes:
        shards: Number of shards.
        rows: Number of rows of the corpus.
        notes: Number of coded notes.
        rejected: Number of rows that were not coded, by kind.
        first_rejected: Text with the number of the first rejected row and the reason, by kind.
        flagged: Number of coded notes with the flag of a failure, by flag.
        codes: Number of assigned codes.
        prompt_tokens: Number of tokens that the model read.
        answer_tokens: Number of tokens that the model generated.
        gpu_seconds: Number of seconds for which one GPU was busy.
        cost: Cost of the tokens at the prices of the engine, in the currency of the prices. None without
            prices.
        pace: Speed of the last session.
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
        """Yield the lines that a user reads at the end of a run."""
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
            yield "All rows were finished before."
            return
        before = self.rows - self.pace.rows
        yield (
            f"{self.pace.seconds:,.1f} s, {self.pace.notes_per_second:,.1f} notes/s"
            + (f"; rows finished before: {before:,}" if before else "")
        )


def summarise(markers: Iterable[Marker], engine: EngineSettings, pace: Pace) -> Summary:
    """Return the totals over the shards of a corpus."""
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
