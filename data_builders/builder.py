"""What every builder is, and the folder that each of them writes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

from pydantic import BaseModel, ConfigDict

import cclearn
from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.errors import ConfigurationError, DataError, shown_id
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_rows, row_to_json, write_rows
from cclearn.notes.parquet import jsonl_to_parquet
from cclearn.registry import BUILDERS, checked_settings
from cclearn.runtime.files import atomic_file, atomic_folder, sha256_of_file, write_json
from data_builders.coverage import Coverage, markdown, plot, string_hash
from data_builders.parallel import Spread, here


class RejectedRow(BaseModel):
    """A row that a builder did not make, and why.

    Attributes:
        text: The string, or a note's id.
        code: The code it would have had.
        reason: In a few words, the same for all rows of a kind; counted in `stats.json`.
        detail: What tells this row apart, e.g. the codes that claim the string.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    code: str
    reason: str
    detail: str = ""


class Ambiguous(BaseModel):
    """A string that several codes claim with equal right; it stands for none of them.

    Attributes:
        text: The string.
        codes: The codes that claim it.
        source: Where it was met first.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    codes: tuple[str, ...]
    source: str


class BuilderConfig(BaseModel):
    """Settings that all builders share."""

    # A chapter given as 9 is as good as "9".
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    seed: int = 0


Built = SpanPair | CodedNote | RejectedRow | Ambiguous


class Builder(ABC):
    """A source of rows.

    Attributes:
        name: As `cclearn build NAME` calls it.
        summary: One line for `cclearn build --list`.
        config_type: Its settings.
        row_type: What its rows are.
        data_file: The name of the file that holds the rows; a Parquet file of the same rows stands
            beside it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    config_type: ClassVar[type[BuilderConfig]]
    row_type: ClassVar[type[SpanPair | CodedNote]]
    data_file: ClassVar[str]

    @abstractmethod
    def rows(self, config: Any, system: CodeSystem, spread: Spread = here) -> Iterator[Built]:
        """Yield rows and rejected rows, the same ones in the same order for the same settings.

        Args:
            config: The settings.
            system: The code system.
            spread: Where the heavy step is done; the rows are the same wherever.
        """

    @abstractmethod
    def can_spread(self, config: Any) -> bool:
        """Say whether these settings ask for a heavy step, which `spread` would share."""


def builder_names() -> list[str]:
    """Return the names of all builders."""
    return BUILDERS.names()


def find_builder(name: str) -> Builder:
    """Return a builder by name. Raises ConfigurationError when there is none."""
    builder: Builder = BUILDERS.find(name, Builder)()
    return builder


def all_builders() -> dict[str, Builder]:
    """Return every builder by name. A plug-in that cannot be imported is left out with a warning."""
    return {name: builder() for name, builder in BUILDERS.find_all(Builder).items()}


def needs_system(builder: Builder, name: str, system: CodeSystem) -> None:
    """Raise ConfigurationError unless the system is the one that the builder's source is about."""
    if system.name != name:
        raise ConfigurationError(
            [
                f"code system (system = {system.name}): the builder {builder.name} reads {name}"
                " alone. Use user_table for titles and synonyms of any system."
            ]
        )


def read_pairs(path: Path, system: CodeSystem) -> Iterator[SpanPair]:
    """Read span pairs of a code system.

    Raises:
        DataError: The file is not what it should be, or holds pairs of another code system.
    """
    for pair in read_rows(path, SpanPair):
        if pair.system != system.name:
            problem = f"'{shown_id(pair.id)}' is of {shown_id(pair.system)}, not of {system.name}"
            raise DataError(path, problem, field="system")
        yield pair


def configure(builder: Builder, settings: dict[str, Any]) -> BuilderConfig:
    """Check settings, all of them at once. Raises ConfigurationError."""
    return checked_settings(builder.config_type, settings, builder.name)


@dataclass
class BuildResult:
    """Where a build is, and what it counted."""

    folder: Path
    data: Path
    stats: dict[str, Any]


def build(
    builder: Builder,
    config: BuilderConfig,
    folder: Path,
    system: CodeSystem | None = None,
    overwrite: bool = False,
    progress: Callable[[Iterable[Built], str], Iterable[Built]] | None = None,
    spread: Spread = here,
) -> BuildResult:
    """Run a builder and write its folder: data as JSONL and Parquet, rejected rows, counts, manifest,
    and a dataset card with a table and a plot of the codes that are covered.

    Args:
        builder: What to run.
        config: Its settings.
        folder: The output; it appears only when the build is complete.
        system: The code system, ICD-10-CM if none is given.
        overwrite: Whether the folder may be replaced.
        progress: Passes the rows on while it shows them under a title.
        spread: Where the builder's heavy step is done.

    Raises:
        CclearnError: The folder exists, or an input cannot be read.
    """
    system = system or CodeSystem.load()
    with atomic_folder(folder, overwrite, "data set") as partial:
        data = partial / builder.data_file
        with (
            (partial / "rejected.jsonl").open("w", encoding="utf-8") as rejected,
            (partial / "ambiguous.jsonl").open("w", encoding="utf-8") as ambiguous,
        ):
            tally = _Tally(rejected, ambiguous)
            rows: Iterable[Built] = builder.rows(config, system, spread)
            if progress:
                rows = progress(rows, f"building {builder.name}")
            write_rows(data, tally.kept(rows))
            if builder.row_type is SpanPair:
                tally.set_aside_shared(data)
        jsonl_to_parquet(data, data.with_suffix(".parquet"), builder.row_type)
        coverage = tally.coverage.table(system)
        stats: dict[str, Any] = {
            **dict(sorted(tally.counts.items())),
            "codes": tally.coverage.codes,
            "rejected": dict(sorted(tally.rejected.items())),
            "coverage": coverage,
        }
        write_json(partial / "stats.json", stats)
        manifest = {
            "builder": builder.name,
            "config": config.model_dump(mode="json"),
            "cclearn": cclearn.__version__,
            "code_system": {
                "name": system.name,
                "release": system.release,
                "source": system.source,
            },
            "inputs_sha256": {str(path): sha256_of_file(path) for path in _inputs(config)},
            "data_sha256": sha256_of_file(data),
        }
        write_json(partial / "manifest.json", manifest)
        plot(coverage, partial / "coverage.png")
        card = _card(builder, manifest, stats, markdown(coverage, system))
        (partial / "README.md").write_text(card, encoding="utf-8")
    return BuildResult(folder, folder / builder.data_file, stats)


def _inputs(config: BuilderConfig) -> list[Path]:
    """Return the files that the settings name."""
    values = [getattr(config, name) for name in type(config).model_fields]
    each = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return [part for part in each if isinstance(part, Path)]


class _Tally:
    """Counts rows as they pass, and writes those that are no data away."""

    def __init__(self, rejected: IO[str], ambiguous: IO[str]) -> None:
        self._rejected = rejected
        self._ambiguous = ambiguous
        self.counts: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.coverage = Coverage()

    def kept(self, rows: Iterable[Built]) -> Iterator[SpanPair | CodedNote]:
        """Yield the rows that are data."""
        for row in rows:
            if isinstance(row, RejectedRow):
                self.rejected[row.reason] += 1
                self._rejected.write(row_to_json(row) + "\n")
            elif isinstance(row, Ambiguous):
                self._count_ambiguous(row)
            else:
                self.counts["rows"] += 1
                if isinstance(row, SpanPair):
                    self.counts[f"source {row.source}"] += 1
                    self.coverage.add(row.code, row.text)
                else:
                    self._count_note(row)
                yield row

    def set_aside_shared(self, data: Path) -> None:
        """Move the pairs whose strings stand for several codes out of the data.

        A builder settles what its source claims; what is left are variants that turned out alike, such
        as `choera`, of cholera or of chorea. They are known when all rows are: the file is read again.
        """
        shared = self.coverage.shared()
        if not shared:
            return
        found: dict[str, list[dict[str, str]]] = {}
        with data.open("rb") as lines, atomic_file(data) as kept:
            for line in lines:
                fields = json.loads(line)
                if string_hash(fields["text"]) in shared:
                    found.setdefault(string_key(fields["text"]), []).append(fields)
                else:
                    kept.write(line)
        for pairs in found.values():
            text, source = pairs[0]["text"], pairs[0]["source"]
            codes = tuple(sorted({fields["code"] for fields in pairs}))
            self._count_ambiguous(Ambiguous(text=text, codes=codes, source=source))
            for fields in pairs:
                self.counts["rows"] -= 1
                self.counts[f"source {fields['source']}"] -= 1
                self.coverage.remove(fields["code"], fields["text"])

    def _count_ambiguous(self, row: Ambiguous) -> None:
        self.counts["ambiguous strings"] += 1
        self._ambiguous.write(row_to_json(row) + "\n")

    def _count_note(self, note: CodedNote) -> None:
        self.counts["notes without codes"] += not note.codes
        for assigned in note.codes:
            self.counts["mentions"] += len(assigned.evidence)
            for evidence in assigned.evidence:
                self.coverage.add(assigned.code, evidence.text)


def _card(builder: Builder, manifest: dict[str, Any], stats: dict[str, Any], coverage: str) -> str:
    system = manifest["code_system"]
    lines = [
        f"# {builder.name}",
        "",
        builder.summary,
        "",
        f"Codes: {system['name']}, release {system['release']}. Built by cclearn"
        f" {manifest['cclearn']}; the settings and hashes are in `manifest.json`, the rows that were"
        " not made and the reasons in `rejected.jsonl`, strings that several codes claim with equal"
        " right in `ambiguous.jsonl`.",
        "",
        "| what | count |",
        "| --- | --- |",
    ]
    counted = {name: count for name, count in stats.items() if isinstance(count, int)}
    counted |= {f"rejected: {reason}": count for reason, count in stats["rejected"].items()}
    lines += [f"| {name} | {count:,} |" for name, count in counted.items()]
    lines += [
        "",
        "## Coverage",
        "",
        "Billable codes by how many distinct strings stand for them, in the chapters that have any.",
        "",
        coverage,
        "",
        "![The same, as shares of each chapter](coverage.png)",
    ]
    return "\n".join(lines) + "\n"
