from __future__ import annotations

import pytest

from cclearn.audit.presidio import presidio_recogniser
from cclearn.errors import ConfigurationError


def test_patterns_of_presidio_are_applied() -> None:
    pytest.importorskip("presidio_analyzer")
    text = "SSN 536-90-4399, phone (212) 555-0187, card 4111111111111111."
    found = {i.kind: text[i.start : i.end] for i in presidio_recogniser()(text)}
    assert found["us_ssn"] == "536-90-4399"
    assert found["credit_card"] == "4111111111111111"
    assert found["phone"] == "(212) 555-0187"


def test_presidio_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("cclearn.audit.presidio.import_module", missing)
    with pytest.raises(ConfigurationError, match=r"pip install 'cclearn\[audit-pii\]'"):
        presidio_recogniser()
