"""Notes in resources of FHIR."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cclearn.errors import DataError
from cclearn.notes.inputs import read_notes
from cclearn.outputs.fhir import bundle_of
from tests.outputs.notes import FULL

TEXT = "Fièvre.\r\nToux \U0001f637"


def document(**fields: Any) -> dict[str, Any]:
    attachment = {
        "contentType": "text/plain; charset=utf-8",
        "data": base64.b64encode(TEXT.encode()).decode(),
    }
    return {
        "resourceType": "DocumentReference",
        "id": "abc",
        "content": [{"attachment": {"contentType": "application/pdf"}}, {"attachment": attachment}],
    } | fields


def read(tmp_path: Path, *resources: dict[str, Any]) -> list[tuple[str, str]]:
    path = tmp_path / "documents.ndjson"
    path.write_text("".join(json.dumps(resource) + "\n" for resource in resources))
    return [(note.id, note.text) for note in read_notes(path)]


def test_inline_text_and_identifiers(tmp_path: Path) -> None:
    named = document(identifier=[{"system": "x"}, {"value": "N-7"}])
    assert read(tmp_path, document(), named) == [("abc", TEXT), ("N-7", TEXT)]


def test_what_cclearn_writes_is_read(tmp_path: Path) -> None:
    resource = bundle_of(FULL)["entry"][0]["resource"]
    assert read(tmp_path, resource) == [(FULL.id, FULL.text)]


@pytest.mark.parametrize(
    ("resource", "problem"),
    [
        ({"resourceType": "Patient", "id": "p"}, "only DocumentReference contains a note"),
        (document(content=[]), "no attachment has text/plain"),
        (document(content=None), "no attachment has text/plain"),
        (
            document(content=[{"attachment": {"contentType": "text/plain", "url": "http://x"}}]),
            "There is: text/plain. Export the texts inline",
        ),
        (
            document(content=[{"attachment": {"contentType": "text/plain", "data": "4pyT*"}}]),
            "not UTF-8 in Base64",
        ),
        (
            document(content=[{"attachment": {"contentType": "text/plain", "data": "/w=="}}]),
            "not UTF-8 in Base64",
        ),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, resource: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        read(tmp_path, resource)
