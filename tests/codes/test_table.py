from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes.sources import OfficialSource
from cclearn.codes.table import NOTE_COLUMNS, CodeTable, Kind, load_table, save_table

TABLE = CodeTable("2026")
TABLE.add("1", "Chapter", -1, Kind.CHAPTER, {"includes": ["x"]})
TABLE.add("A00-A09", "Block", 0, Kind.BLOCK)
TABLE.add("A00", "Cholera", 1, Kind.CATEGORY)
TABLE.add(
    "A00.0",
    "Cholera, “classical” · naïve",
    2,
    Kind.SUBCATEGORY,
    {"inclusion_terms": ["Classical cholera", "a\nb"]},
    billable=True,
    short_title="Cholera, class",
)


def test_a_table_survives_saving_and_loading(tmp_path: Path) -> None:
    path = tmp_path / "table.arrow"
    save_table(TABLE, path, "source==1")
    loaded = load_table(path, "source==1")
    assert loaded is not None
    assert len(loaded) == len(TABLE)
    assert loaded.release == "2026"
    plain = ("code", "description", "short_title", "parent", "kind", "billable")
    for column in plain:
        assert getattr(loaded, column) == getattr(TABLE, column)
    for column in NOTE_COLUMNS:
        assert getattr(loaded, column) == [list(notes) for notes in getattr(TABLE, column)]
    with pytest.raises(AttributeError):
        loaded.nothing  # noqa: B018


def test_another_source_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "table.arrow"
    save_table(TABLE, path, "source==1")
    assert load_table(path, "source==2") is None
    assert load_table(tmp_path / "missing.arrow", "source==1") is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "seal"])
def test_a_damaged_cache_is_not_read(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "table.arrow"
    save_table(TABLE, path, "source==1")
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:-10]
    elif damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "seal":
        content = content[20:]
    else:
        content = bytearray()
    path.write_bytes(bytes(content))
    assert load_table(path, "source==1") is None


def test_a_damaged_cache_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cclearn.codes import system as module

    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path))
    reads: list[int] = []

    def read() -> CodeTable:
        reads.append(1)
        return TABLE

    monkeypatch.setattr(
        module, "find_source", lambda name, release: OfficialSource(name, "s", read)
    )
    for round_, damage in enumerate((None, b"{}\nnothing", b""), start=1):
        if damage is not None:
            (cache,) = tmp_path.glob("icd10cm-*.arrow")
            cache.write_bytes(damage)
        for _ in range(2):  # The second time from the cache.
            module._load.cache_clear()
            assert module.CodeSystem.load().status("a000") == "valid"
        assert len(reads) == round_
    module._load.cache_clear()
