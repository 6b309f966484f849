from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.code_info import CodeNote, NamedCode, code_info
from cclearn.errors import UnknownCodeError


def test_a_billable_code(system: CodeSystem) -> None:
    info = code_info(system, " i214")
    assert (info.code, info.status, info.billable, info.stands_for) == (
        *("I21.4", "valid", True),
        None,
    )
    assert (info.system, info.release) == (system.name, system.release)
    assert info.ancestors[0] == NamedCode(code="I21", description="Acute myocardial infarction")
    assert [above.code for above in info.ancestors] == ["I21", "I20-I25", "9"]
    assert CodeNote(text="old myocardial infarction (I25.2)", code="I21") in info.excludes2
    assert "I21.4" not in [sibling.code for sibling in info.siblings]
    assert info.children == []


def test_a_header_and_its_seventh_characters(system: CodeSystem) -> None:
    info = code_info(system, "I50")
    assert (info.status, info.billable) == ("header", False)
    assert info.stands_for == NamedCode(code="I50.9", description="Heart failure, unspecified")
    assert [child.code for child in info.children][:2] == ["I50.1", "I50.2"]
    assert "A" in code_info(system, "S72.001").seventh_characters
    assert code_info(system, "9").ancestors == []


def test_an_unknown_code(system: CodeSystem) -> None:
    with pytest.raises(UnknownCodeError):
        code_info(system, "I21.44")
