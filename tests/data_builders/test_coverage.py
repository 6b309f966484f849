from __future__ import annotations

from pathlib import Path

from cclearn.codes import CodeSystem
from data_builders.coverage import BUCKETS, Coverage, markdown, plot, string_hash


def counted(strings: dict[str, int]) -> Coverage:
    coverage = Coverage()
    for code, count in strings.items():
        for number in range(count):
            coverage.add(code, f"string {number}")
            coverage.add(code, f"String  {number} ")  # The same but for case and blanks.
    return coverage


def test_codes_are_counted_by_their_distinct_strings(system: CodeSystem) -> None:
    strings = {"I21.4": 1, "I10": 2, "I50.9": 4, "I48.0": 5, "I48.11": 9, "I48.20": 10, "J18.9": 40}
    coverage = counted(strings)
    assert coverage.codes == 7
    assert all(coverage.distinct(code) == count for code, count in strings.items())
    table = coverage.table(system)
    assert list(table) == ["9", "10", "all"]
    nine = len(system.billable_codes("9"))
    assert list(table["9"].values()) == [nine - 6, 1, 2, 2, 1]
    assert table["all"]["≥ 10"] == 2
    assert sum(table["all"].values()) == len(system.billable_codes())
    text = markdown(table, system)
    assert "| 9 Diseases of the circulatory system |" in text
    assert text.splitlines()[-1].startswith("| **all** |")
    assert len(BUCKETS) == 5


def test_a_string_has_the_same_hash_in_every_process() -> None:
    assert string_hash("Heart  Failure") == string_hash("heart failure") == 6441582941446496685
    assert string_hash("heart failures") != string_hash("heart failure")


def test_the_plot_is_the_same_every_time(tmp_path: Path, system: CodeSystem) -> None:
    table = counted({"I10": 3}).table(system)
    for name in ("a", "b"):
        plot(table, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 3_000


def test_nothing_is_covered(tmp_path: Path, system: CodeSystem) -> None:
    table = Coverage().table(system)
    assert list(table) == ["all"]
    plot(table, tmp_path / "none.png")
