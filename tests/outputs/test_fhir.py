from __future__ import annotations

import base64
import json
import sys
from typing import Any

import pytest
from hypothesis import example, given

from cclearn.errors import ConfigurationError
from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.contract import Review
from cclearn.outputs import find_output
from cclearn.outputs.fhir import bundle_of
from tests.outputs.notes import EMPTY, FULL, TEXT, cited, coded_notes

URL = "urn:cclearn:fhir:"


def resources(note: CodedNote) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle_of(note)["entry"]]


def test_a_condition_is_as_written_by_hand() -> None:
    document, _, condition, *_ = resources(FULL)
    assert condition == {
        "resourceType": "Condition",
        "id": condition["id"],
        "extension": [
            {"url": URL + "score", "valueDecimal": 0.75},
            {"url": URL + "assertion", "valueCode": "present"},
            {"url": URL + "status", "valueCode": "valid"},
            {"url": URL + "flag", "valueString": "excludes1: I50.9"},
            {"url": URL + "flag", "valueString": "low"},
            *(
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/derivation-reference",
                    "extension": [
                        {
                            "url": "reference",
                            "valueReference": {"reference": f"urn:uuid:{document['id']}"},
                        },
                        {
                            "url": "path",
                            "valueString": "DocumentReference.content[0].attachment.data",
                        },
                        {"url": "offset", "valueInteger": start},
                        {"url": "length", "valueInteger": 48 - start},
                    ],
                }
                for start in (9, 35)
            ),
        ],
        "meta": {
            "security": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
                    "code": "AIAST",
                }
            ]
        },
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": "active",
                }
            ]
        },
        "verificationStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                    "code": "unconfirmed",
                }
            ]
        },
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-category",
                        "code": "encounter-diagnosis",
                    }
                ]
            }
        ],
        "code": {
            "coding": [
                {
                    "system": "http://hl7.org/fhir/sid/icd-10-cm",
                    "code": "I50.23",
                    "display": "Acute on chronic systolic (congestive) heart failure",
                }
            ]
        },
        "subject": {
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                    "valueCode": "unknown",
                }
            ],
            "display": "The patient of note visit 7",
        },
        "evidence": [
            {
                "extension": [
                    {
                        "url": URL + "evidence",
                        "extension": [
                            {"url": "start", "valueUnsignedInt": start},
                            {"url": "end", "valueUnsignedInt": 48},
                            {"url": "quote", "valueString": quote},
                        ],
                    }
                ],
                "detail": [{"reference": f"urn:uuid:{document['id']}"}],
            }
            for start, quote in (
                (9, "Acute on chronic systolic heart failure"),
                (35, "heart failure"),
            )
        ],
    }


def test_the_document_is_the_note_and_what_could_not_be_used() -> None:
    document, *conditions = resources(FULL)
    codes = [condition["code"]["coding"][0]["code"] for condition in conditions]
    assert codes == ["I25.2", "I50.23", "R52", "E11"]
    assert "evidence" not in conditions[-1]
    (content,) = document.pop("content")
    assert base64.b64decode(content["attachment"].pop("data")).decode() == TEXT
    size = len(TEXT.encode())
    assert content == {"attachment": {"contentType": "text/plain; charset=utf-8", "size": size}}
    concept = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J45.909"}]}
    asthma = [
        {"url": "start", "valueUnsignedInt": 71},
        {"url": "end", "valueUnsignedInt": 77},
        {"url": "quote", "valueString": "asthma"},
    ]
    assert document["extension"] == [
        {"url": URL + "flag", "valueString": "truncated"},
        {
            "url": URL + "unassigned",
            "extension": [
                {"url": "code", "valueCodeableConcept": concept},
                {"url": "assertion", "valueCode": "family"},
                {"url": URL + "evidence", "extension": asthma},
            ],
        },
        {
            "url": URL + "unused",
            "extension": [
                {"url": "status", "valueCode": "ungrounded"},
                {"url": "code", "valueString": "J18.9"},
                {"url": "quote", "valueString": "pneumonia"},
            ],
        },
        {
            "url": URL + "unused",
            "extension": [
                {"url": "status", "valueCode": "header"},
                {"url": "code", "valueString": "I50"},
            ],
        },
        {"url": URL + "unused", "extension": [{"url": "status", "valueCode": "unreadable"}]},
        {"url": URL + "repeated", "valueUnsignedInt": 2},
    ]


def test_what_a_calibration_decides_is_kept() -> None:
    accepted = AssignedCode(code="I25.2", score=0.9, decision="accept", evidence=cited("Old MI"))
    rejected = AssignedCode(code="R52", score=0.01, evidence=cited("pain"))
    note = CodedNote(id="1", text=TEXT, codes=[accepted], rejected=[rejected])
    document, *conditions = resources(note)
    (condition,) = conditions
    assert condition["extension"][1] == {"url": URL + "decision", "valueCode": "accept"}
    (extension,) = document["extension"]
    assert extension["url"] == URL + "rejected"
    parts = {part["url"]: part for part in extension["extension"]}
    assert parts["code"]["valueCodeableConcept"]["coding"][0]["code"] == "R52"
    assert parts["score"]["valueDecimal"] == 0.01
    assert parts[URL + "evidence"]["extension"][0]["valueUnsignedInt"] == TEXT.index("pain")


def test_other_systems_and_empty_notes() -> None:
    (document,) = resources(EMPTY)
    assert document["content"][0]["attachment"] == {
        "contentType": "text/plain; charset=utf-8",
        "size": 0,
    }
    codes = [
        AssignedCode(code="412", system="icd9cm", evidence=cited("Old MI")),
        AssignedCode(code="A1", system="my ward"),
    ]
    _, *conditions = resources(CodedNote(id="x", text=TEXT, codes=codes))
    systems = [condition["code"]["coding"][0]["system"] for condition in conditions]
    assert systems == ["http://hl7.org/fhir/sid/icd-9-cm", "urn:cclearn:system:my%20ward"]


def test_ids_follow_from_note_and_text() -> None:
    changed = FULL.model_copy(update={"text": TEXT + " ", "repeated": 0})
    ids = [[resource["id"] for resource in resources(note)] for note in (FULL, FULL, changed)]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    assert len({*ids[0], bundle_of(FULL)["id"]}) == 6


@given(coded_notes())
@example(CodedNote(id="\x85", text="", flags=["a\u2028b\xa0\x0b\x00"]))
def test_any_note_is_valid_by_two_libraries(note: CodedNote) -> None:
    """fhirclient has R4's (4.0.1) models; fhir.resources has R4B's, which are the same for these
    resources, and checks the forms of ids, addresses, codes and strings besides."""
    from fhir.resources.R4B.bundle import Bundle
    from fhirclient.models.bundle import Bundle as ClientBundle

    (line,) = find_output(None, "fhir").chunks([note])
    assert line.count("\n") == 1
    bundle = json.loads(line)
    assert ClientBundle(bundle).as_json() == bundle
    read = Bundle.model_validate_json(line)
    assert len(read.entry) == 1 + len(note.ranked)
    for entry, assigned in zip(bundle["entry"][1:], _conditions(note), strict=True):
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
        pieces = entry["resource"].get("evidence", [])
        found = [
            tuple(part["valueUnsignedInt"] for part in piece["extension"][0]["extension"][:2])
            for piece in pieces
        ]
        assert found == [(e.start, e.end) for e in assigned.evidence]


def _conditions(note: CodedNote) -> list[AssignedCode]:
    return [assigned for assigned in note.codes if assigned in note.ranked]


def test_the_second_library_would_tell() -> None:
    from fhir.resources.R4B.bundle import Bundle
    from fhirclient.models.bundle import Bundle as ClientBundle
    from fhirclient.models.fhirabstractbase import FHIRValidationError

    bundle = bundle_of(FULL)
    del bundle["entry"][1]["resource"]["subject"]
    with pytest.raises(FHIRValidationError):
        ClientBundle(bundle)
    with pytest.raises(ValueError, match="subject"):
        Bundle.model_validate(bundle)


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fhirclient.models.bundle", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'cclearn\[fhir\]'"):
        find_output(None, "fhir")


def test_a_review_confirms_the_conditions_and_names_the_people() -> None:
    review = Review(
        reviewers=["anna", "carla"],
        time="2026-05-01T10:00:00.000+00:00",
        model="runs/mine",
        shown=True,
    )
    codes = [
        AssignedCode(code="I50.23", origin="proposed", principal=True),
        AssignedCode(code="R52", origin="added"),
    ]
    note = CodedNote(id="n", text=TEXT, codes=codes, review=review)
    "".join(find_output(None, "fhir").chunks([note]))  # It is valid.
    document, first, second, provenance = resources(note)
    for condition in (first, second):
        assert condition["verificationStatus"]["coding"][0]["code"] == "confirmed"
    assert {"url": URL + "principal", "valueBoolean": True} in first["extension"]
    # What a person added, no program has asserted.
    assert "meta" in first
    assert "meta" not in second
    assert provenance["recorded"] == review.time
    assert [agent["who"]["display"] for agent in provenance["agent"]] == [
        "cclearn: runs/mine",
        "anna",
        "carla",
    ]
    assert [target["reference"] for target in provenance["target"]] == [
        f"urn:uuid:{condition['id']}" for condition in (first, second)
    ]
    assert provenance["entity"][0]["what"]["reference"] == f"urn:uuid:{document['id']}"
    unreviewed = resources(note.model_copy(update={"review": None}))
    assert [r["resourceType"] for r in unreviewed] == [
        "DocumentReference",
        "Condition",
        "Condition",
    ]
