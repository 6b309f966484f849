"""What the tests share: a cache folder of their own, the code system, tiny random models."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

# A loaded machine is slow; speed is measured in benchmarks alone.
settings.register_profile("cclearn", deadline=None)
settings.load_profile("cclearn")

# Before anything of ours is imported: tests neither use nor change the user's cache.
_CACHE = tempfile.TemporaryDirectory(prefix="cclearn-test-cache-")
os.environ["CCLEARN_CACHE"] = _CACHE.name
os.environ["CCLEARN_AUDIT"] = "off"
os.environ["HF_HUB_OFFLINE"] = "1"

from cclearn.codes import CodeSystem  # noqa: E402

if TYPE_CHECKING:
    from cclearn.engines.local import LocalEngine

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def system() -> CodeSystem:
    """ICD-10-CM."""
    return CodeSystem.load("icd10cm")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of open data sets; tests that need it are skipped where it is missing."""
    folder = Path(os.environ.get("CCLEARN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the shared data sets are not here")
    return folder


@pytest.fixture(scope="session")
def random_engine() -> LocalEngine:
    """An engine over a tiny model with random weights."""
    from tests.models import random_engine as make

    return make(seed=0)
