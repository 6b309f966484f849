from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.runtime.memory import available_bytes, peak_mib, resident_mib


def test_available_memory_is_that_of_the_system_or_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, container = tmp_path / "meminfo", tmp_path / "memory.max"
    monkeypatch.setattr("cclearn.runtime.memory._MEMINFO", system)
    monkeypatch.setattr("cclearn.runtime.memory._CONTAINER_LIMIT", container)
    assert available_bytes() is None
    system.write_text("MemTotal:   99 kB\nMemAvailable:      24 kB\n")
    assert available_bytes() == 24 * 1024
    container.write_text("max\n")
    assert available_bytes() == 24 * 1024
    container.write_text("2048\n")
    assert available_bytes() == 2048


def test_resident_memory_is_at_most_its_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resident_mib()
    content = bytes(range(256)) * 2**20  # 256 MiB.
    assert before + 200 < resident_mib() <= peak_mib() + 1
    del content
    monkeypatch.setattr("cclearn.runtime.memory._STATM", Path("/missing"))
    assert resident_mib() == peak_mib()
