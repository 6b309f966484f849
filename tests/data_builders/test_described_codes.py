from __future__ import annotations

from cclearn.codes import CodeSystem
from data_builders.described_codes import described_code


def test_the_description_has_terms_and_the_title_above(system: CodeSystem) -> None:
    text = described_code("I50.9", system)
    assert text.startswith("Heart failure, unspecified (also: ")
    assert text.endswith("; in: Heart failure)")
    assert described_code("ZZZ", system) == ""
