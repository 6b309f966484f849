"""FHIR R4 (4.0.1): NDJSON with a `Bundle` for each note, which has a `Condition` for each code.

A Condition names its evidence by the standard extension `derivation-reference`. Conditions that a model
has asserted have the security label AIAST. After a review they are confirmed, and a Provenance names the
program and the reviewers.

Each Bundle is validated with fhirclient's models of R4 before it is written. Values for which R4 has no
element are in extensions, whose URLs begin with `urn:cclearn:fhir:`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from cclearn.codes.traits import traits_of
from cclearn.errors import ConfigurationError
from cclearn.notes import CODED_ASSERTIONS, AssignedCode, CodedNote, Evidence
from cclearn.notes.contract import Review
from cclearn.outputs.output import Output
from cclearn.runtime.files import sha256_of_text

EXTENSION = "urn:cclearn:fhir:"

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_DERIVATION = "http://hl7.org/fhir/StructureDefinition/derivation-reference"
_NAMESPACE = uuid5(NAMESPACE_URL, EXTENSION)

# The specification allows no other white space and no control characters in strings. The attachment
# contains the exact text.
_NOT_ALLOWED = re.compile(r"[^\S \t\r\n]|[\x00-\x08\x0e-\x1f]")

_Element = dict[str, Any]


class FHIR(Output):
    """Writes a Bundle (`collection`) of a `DocumentReference`, which is the note, and its Conditions.

    A code that the note does not assign (negated, family, …) or that a calibration rejects is not a
    Condition of the patient. It is in an extension of the DocumentReference, as are the flags of the
    note and the answers that cannot be used.

    Raises:
        ConfigurationError: fhirclient is missing.
    """

    name = "fhir"

    def __init__(self, out: Path | None = None) -> None:
        super().__init__(out)
        try:
            from fhirclient.models.bundle import Bundle
        except ImportError:
            raise ConfigurationError(
                ["format (format = fhir): fhirclient is missing. `pip install 'cclearn[fhir]'`."]
            ) from None
        self._validated = Bundle

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield a line for each note."""
        for note in notes:
            bundle = bundle_of(note)
            self._validated(bundle)
            yield json.dumps(bundle, ensure_ascii=False, separators=(",", ":")) + "\n"


def bundle_of(note: CodedNote) -> _Element:
    """Return the Bundle of a note. The ids in it depend only on the id and the text of the note."""
    document = uuid5(_NAMESPACE, f"{sha256_of_text(note.text)} {note.id}")
    resources = [_document(note, document)]
    conditions = [
        _condition(note, assigned, document)
        for assigned in note.codes
        if assigned.assertion in CODED_ASSERTIONS
    ]
    resources += conditions
    if conditions and note.review is not None:
        resources.append(_provenance(note.review, conditions, document))
    return {
        "resourceType": "Bundle",
        "id": str(uuid5(document, "Bundle")),
        "type": "collection",
        "entry": [
            {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
            for resource in resources
        ],
    }


def _document(note: CodedNote, document: UUID) -> _Element:
    raw = note.text.encode("utf-8")
    attachment: _Element = {"contentType": "text/plain; charset=utf-8", "size": len(raw)}
    if raw:
        attachment["data"] = base64.b64encode(raw).decode("ascii")
    extensions = [
        *_flags(note.flags),
        *(
            _extension(
                EXTENSION + "unassigned",
                {"url": "code", "valueCodeableConcept": _concept(assigned)},
                {"url": "assertion", "valueCode": assigned.assertion},
                *map(_quote, assigned.evidence),
            )
            for assigned in note.codes
            if assigned.assertion not in CODED_ASSERTIONS
        ),
        *(
            _extension(
                EXTENSION + "rejected",
                {"url": "code", "valueCodeableConcept": _concept(assigned)},
                *([] if score is None else [{"url": "score", "valueDecimal": score}]),
                *map(_quote, assigned.evidence),
            )
            for assigned in note.rejected
            for score in [assigned.score]
        ),
        *(_unused("ungrounded", answer.code, answer.quote) for answer in note.ungrounded),
        *(_unused(answer.status, answer.code or "") for answer in note.invalid),
    ]
    if note.repeated:
        extensions.append({"url": EXTENSION + "repeated", "valueUnsignedInt": note.repeated})
    return {
        "resourceType": "DocumentReference",
        "id": str(document),
        **({"extension": extensions} if extensions else {}),
        "identifier": [{"value": _clean(note.id)}],
        "status": "current",
        "subject": _subject(note),
        "content": [{"attachment": attachment}],
    }


def _condition(note: CodedNote, assigned: AssignedCode, document: UUID) -> _Element:
    extensions = [
        {"url": EXTENSION + "assertion", "valueCode": assigned.assertion},
        {"url": EXTENSION + "status", "valueCode": assigned.status},
        *_flags(assigned.flags),
    ]
    if assigned.decision is not None:
        extensions.insert(0, {"url": EXTENSION + "decision", "valueCode": assigned.decision})
    if assigned.score is not None:
        extensions.insert(0, {"url": EXTENSION + "score", "valueDecimal": assigned.score})
    if assigned.principal:
        extensions.append({"url": EXTENSION + "principal", "valueBoolean": True})
    extensions += [_derivation(piece, document) for piece in assigned.evidence]
    evidence = [
        {"extension": [_quote(piece)], "detail": [{"reference": document.urn}]}
        for piece in assigned.evidence
    ]
    label = {"system": _TERMINOLOGY + "v3-ObservationValue", "code": "AIAST"}
    return {
        "resourceType": "Condition",
        "id": str(uuid5(document, f"{assigned.system} {assigned.code}")),
        **({} if assigned.origin == "added" else {"meta": {"security": [label]}}),
        "extension": extensions,
        "clinicalStatus": _coded(
            "condition-clinical", "inactive" if assigned.assertion == "historical" else "active"
        ),
        "verificationStatus": _coded("condition-ver-status", _verification(note, assigned)),
        "category": [_coded("condition-category", "encounter-diagnosis")],
        "code": _concept(assigned),
        "subject": _subject(note),
        **({"evidence": evidence} if evidence else {}),
    }


def _verification(note: CodedNote, assigned: AssignedCode) -> str:
    if note.review is None:
        return "unconfirmed"
    return "provisional" if assigned.assertion == "uncertain" else "confirmed"


def _derivation(piece: Evidence, document: UUID) -> _Element:
    """Return the extension that points to the evidence in the text of the note."""
    return _extension(
        _DERIVATION,
        {"url": "reference", "valueReference": {"reference": document.urn}},
        {"url": "path", "valueString": "DocumentReference.content[0].attachment.data"},
        {"url": "offset", "valueInteger": piece.start},
        {"url": "length", "valueInteger": piece.end - piece.start},
    )


def _provenance(review: Review, conditions: list[_Element], document: UUID) -> _Element:
    """Return who asserted the conditions: the program, and the people who reviewed them."""
    program = {
        "type": _coded("provenance-participant-type", "assembler"),
        "who": {"display": _clean(f"cclearn: {review.model}")},
    }
    people = [
        {
            "type": _coded("provenance-participant-type", "verifier"),
            "who": {"display": _clean(name)},
        }
        for name in review.reviewers
    ]
    return {
        "resourceType": "Provenance",
        "id": str(uuid5(document, "Provenance")),
        "target": [{"reference": f"urn:uuid:{condition['id']}"} for condition in conditions],
        "recorded": review.time,
        "agent": [program, *people],
        "entity": [{"role": "source", "what": {"reference": document.urn}}],
    }


def _subject(note: CodedNote) -> _Element:
    """Return a reference to an unknown patient, because R4 requires one and a note names none."""
    return {
        "extension": [{"url": _ABSENT, "valueCode": "unknown"}],
        "display": f"The patient of note {_clean(note.id)}",
    }


def _concept(assigned: AssignedCode) -> _Element:
    system = traits_of(assigned.system).fhir_uri or f"urn:cclearn:system:{quote(assigned.system)}"
    coding = {"system": system, "code": assigned.code}
    if assigned.description.strip():
        coding["display"] = _clean(assigned.description)
    return {"coding": [coding]}


def _coded(value_set: str, code: str) -> _Element:
    return {"coding": [{"system": _TERMINOLOGY + value_set, "code": code}]}


def _quote(piece: Evidence) -> _Element:
    return _extension(
        EXTENSION + "evidence",
        {"url": "start", "valueUnsignedInt": piece.start},
        {"url": "end", "valueUnsignedInt": piece.end},
        *_string("quote", piece.text),
    )


def _unused(status: str, code: str, quoted: str = "") -> _Element:
    return _extension(
        EXTENSION + "unused",
        {"url": "status", "valueCode": status},
        *_string("code", code),
        *_string("quote", quoted),
    )


def _flags(flags: Iterable[str]) -> list[_Element]:
    return [extension for flag in flags for extension in _string(EXTENSION + "flag", flag)]


def _extension(url: str, *parts: _Element) -> _Element:
    return {"url": url, "extension": list(parts)}


def _string(url: str, text: str) -> list[_Element]:
    """Return an extension with a string, or nothing for an empty string, which FHIR does not allow."""
    clean = _clean(text)
    return [{"url": url, "valueString": clean}] if clean.strip() else []


def _clean(text: str) -> str:
    return _NOT_ALLOWED.sub(" ", text)
