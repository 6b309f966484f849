from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Osteoporotic compression fracture of L1", "M80.08XA"),
        ("Osteoporosis with vertebral compression fracture", "M80.08XA"),
        ("Age-related osteoporosis with hip fracture", "M80.059A"),
        ("Open fracture of left tibia", "S82.202B"),
        ("Open fracture of the right femur shaft", "S72.301B"),
        ("Fracture of left distal radius, follow-up, routine healing", "S52.502D"),
        ("Closed fracture of right tibia, nonunion", "S82.201K"),
        ("Open reduction internal fixation of left tibia fracture", "S82.202A"),
        ("Pathological fracture of right femur due to metastatic prostate cancer", "C61 M84.551A"),
        ("Fragility fracture left distal radius", "M80.032A"),
        ("6 weeks s/p ORIF of right distal radius fracture, routine healing.", "S52.501D"),
        ("Follow-up of right distal radius fracture, 4 weeks, cast removed", "S52.501D"),
        ("Left wrist fracture, follow up with ortho in 1 week", "S62.102A"),
        ("2 weeks post-op ORIF left ankle bimalleolar fracture", "S82.842D"),
        ("ORTHO POST-OP: left tibial plateau fracture.", "S82.142D"),
    ],
)
def test_fractures(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
