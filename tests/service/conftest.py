from __future__ import annotations

from collections.abc import Iterator

import pytest

from cclearn.codes import CodeSystem
from tests.service.served import Served, scripted, serving


@pytest.fixture(scope="package")
def lexicon(system: CodeSystem) -> Iterator[Served]:
    """The service as it is by default, all of its log shown."""
    with serving("--log-level", "debug") as served:
        yield served


@pytest.fixture(scope="package")
def tight(system: CodeSystem) -> Iterator[Served]:
    """A service with small limits, whose coder does what notes say."""
    with scripted(
        time_limit=1.5, max_batch=2, max_notes=6, max_waiting=8, max_body=0.01, max_held=0.02
    ) as served:
        yield served


@pytest.fixture(autouse=True)
def _idle(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "tight" in request.fixturenames:
        request.getfixturevalue("tight").wait_until_idle()
