from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Repeat cesarean section at 39w0d for prior low transverse cesarean x 1."
            " Viable male infant delivered.",
            "O34.211 Z37.0 Z3A.39",
        ),
        ("VBAC at 38w6d, live male.", "O34.219 Z37.0 Z3A.38"),
        (
            "Gestational hypertension at 37w0d, admitted for induction, NSVD live female infant.",
            "O13.4 Z37.0 Z3A.37",
        ),
        (
            "SVD at 39w2d of a viable male infant, first degree laceration repaired.",
            "O70.0 Z37.0 Z3A.39",
        ),
        ("NSVD of live male at 39w0d. Hypothyroidism.", "E03.9 O99.284 Z37.0 Z3A.39"),
    ],
)
def test_delivery(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
