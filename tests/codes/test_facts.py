from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.facts import Instruction, NamedCode, code_facts
from cclearn.errors import UnknownCodeError


def test_a_billable_code(system: CodeSystem) -> None:
    facts = code_facts(system, " i214")
    assert (facts.code, facts.status, facts.billable, facts.stands_for) == (
        *("I21.4", "valid", True),
        None,
    )
    assert (facts.system, facts.release) == (system.name, system.release)
    assert facts.ancestors[0] == NamedCode(code="I21", description="Acute myocardial infarction")
    assert [above.code for above in facts.ancestors] == ["I21", "I20-I25", "9"]
    assert Instruction(text="old myocardial infarction (I25.2)", code="I21") in facts.excludes2
    assert "I21.4" not in [sibling.code for sibling in facts.siblings]
    assert facts.children == []


def test_a_header_and_its_seventh_characters(system: CodeSystem) -> None:
    facts = code_facts(system, "I50")
    assert (facts.status, facts.billable) == ("header", False)
    assert facts.stands_for == NamedCode(code="I50.9", description="Heart failure, unspecified")
    assert [child.code for child in facts.children][:2] == ["I50.1", "I50.2"]
    assert "A" in code_facts(system, "S72.001").seventh_characters
    assert code_facts(system, "9").ancestors == []


def test_an_unknown_code(system: CodeSystem) -> None:
    with pytest.raises(UnknownCodeError):
        code_facts(system, "I21.44")
