from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes.table import CodeTable, load_table, save_table

TABLE = CodeTable(
    release="2026",
    code=["1", "A00-A09", "A00", "A00.0"],
    description=["Chapter", "Block", "Cholera", "Cholera, “classical” · naïve"],
    parent=[-1, 0, 1, 2],
    kind=[0, 1, 2, 3],
    billable=[False, False, False, True],
    inclusion_terms=[[], [], [], ["Classical cholera", "a\nb"]],
    includes=[["x"], [], [], []],
)


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "table.arrow"
    save_table(TABLE, path, "source==1")
    loaded = load_table(path, "source==1")
    assert loaded is not None
    assert len(loaded) == len(TABLE)
    assert loaded.release == "2026"
    for column in ("code", "description", "parent", "kind", "billable", "inclusion_terms"):
        assert getattr(loaded, column) == getattr(TABLE, column)
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
    (tmp_path / "icd10cm.arrow").write_bytes(b"{}\nnothing")
    monkeypatch.setitem(module._READERS, "icd10cm", (lambda: "s", lambda: TABLE))
    module._load.cache_clear()
    try:
        assert module.CodeSystem.load().status("a000") == "valid"
        assert load_table(tmp_path / "icd10cm.arrow", "s") is not None
        module._load.cache_clear()
        assert module.CodeSystem.load().release == "2026"
    finally:
        module._load.cache_clear()
