"""Settings and fixtures of all tests: a separate cache folder, the code system, tiny random models."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

# No deadline, because a loaded machine is slow. Only benchmarks measure speed.
settings.register_profile("cclearn", deadline=None)
settings.load_profile("cclearn")

# Set before cclearn is imported, so that tests neither use nor change the user's cache.
if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests that run side by side share the cores. More threads than cores wait for each other. The
    # cache is that of the main process, which has set it for all.
    os.environ["OMP_NUM_THREADS"] = "1"
else:
    _CACHE = tempfile.TemporaryDirectory(prefix="cclearn-test-cache-")
    os.environ["CCLEARN_CACHE"] = _CACHE.name
os.environ["CCLEARN_AUDIT"] = "off"
os.environ["HF_HUB_OFFLINE"] = "1"

from cclearn.codes import CodeSystem  # noqa: E402

if TYPE_CHECKING:
    from cclearn.engines.local import LocalEngine

ROOT = Path(__file__).parent.parent


def pytest_collection_finish() -> None:
    """Exempt the imported libraries from garbage collection: every training begins with one."""
    gc.freeze()


@pytest.fixture(scope="session")
def system() -> CodeSystem:
    """The code system ICD-10-CM."""
    return CodeSystem.load("icd10cm")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of open data sets. Tests that need it are skipped if it does not exist."""
    folder = Path(os.environ.get("CCLEARN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the folder of open data sets does not exist")
    return folder


@pytest.fixture(scope="session")
def random_engine() -> LocalEngine:
    """An engine with a tiny model of random weights."""
    from tests.models import random_engine as new_engine

    return new_engine(seed=0)


@pytest.fixture
def openai_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the keys of servers, and shorten the growing pauses between the client's attempts."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.05)
