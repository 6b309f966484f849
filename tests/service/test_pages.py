"""The pages: what they load, what their policy allows, and what their scripts do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cclearn.service.docs_page import make_docs_page
from cclearn.service.note_page import make_note_page
from cclearn.service.process import Loaded
from tests.service.served import Reply, Served


class Elements(HTMLParser):
    """The elements of a page.

    Attributes:
        found: Name and attributes of each element.
        content: Text in each script and style.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.content: dict[str, list[str]] = {"script": [], "style": []}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in self.content:
            self.content[self._inside].append(data)

    def values(self, attribute: str) -> list[str]:
        return [str(found[attribute]) for _, found in self.found if attribute in found]


def policy_of(reply: Reply) -> dict[str, str]:
    directives = (part.strip() for part in reply.headers["content-security-policy"].split(";"))
    return dict(directive.split(" ", 1) for directive in directives)


def source(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_and_runs_only_its_own_script(lexicon: Served, path: str) -> None:
    reply = lexicon.ask("GET", path, accept="text/html")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = reply.body.decode()
    elements = Elements(page)
    (script,), (style,) = elements.content["script"], elements.content["style"]
    assert policy_of(reply) == {
        "default-src": "'none'",
        "script-src": source(script),
        "style-src": source(style),
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"https?:|//[a-z]", page)
    for tag, attributes in elements.found:
        assert tag not in ("link", "img", "iframe", "base", "object")
        assert not {"src", "style", "srcset"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|localStorage"
        r"|sessionStorage|cookie|indexedDB",
        script,
    )
    assert "prefers-color-scheme: dark" in style


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_every_link_of_a_page_leads_somewhere(lexicon: Served, path: str) -> None:
    elements = Elements(lexicon.ask("GET", path).body.decode())
    ids = elements.values("id")
    assert len(ids) == len(set(ids))
    links = elements.values("href")
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    for link in {link for link in links if not link.startswith("#")}:
        assert lexicon.ask("GET", "/" + link.removeprefix(".")).status == 200


def test_the_note_page_asks_for_the_key_only_if_there_is_one() -> None:
    loaded = Loaded("<model>", "icd10cm", "2026")
    without, with_key = (
        make_note_page(loaded, has_key).response().body.decode() for has_key in (False, True)
    )
    assert "type='password'" not in without
    assert "type='password' autocomplete='off'" in with_key
    assert "&lt;model&gt; · icd10cm 2026" in without
    assert "<model>" not in without
    # Otherwise a browser could restore a note that was typed.
    assert "<textarea id='text' rows='12' dir='auto' autocomplete='off'" in without


def test_the_documentation_has_every_route_parameter_and_schema(lexicon: Served) -> None:
    document = lexicon.ask("GET", "/openapi.json").json
    page = lexicon.ask("GET", "/docs").body.decode()
    elements = Elements(page)
    forms = [found for tag, found in elements.found if tag == "form"]
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert [(form["data-method"], form["data-path"]) for form in forms] == [
        (method, path) for method, path, _ in operations
    ]
    names = [
        parameter["name"] for *_, found in operations for parameter in found.get("parameters", [])
    ]
    assert set(names) == {"echo", "q", "limit", "billable", "chapter", "code"}
    assert set(names) <= set(elements.values("data-name"))
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= set(
        elements.values("id")
    )
    assert "Score between 0 and 1, None if the coder computes no scores." in page
    assert "integer, at least 1, at most 100, default <code>10</code>" in page


def test_a_document_is_shown_as_text() -> None:
    document = {
        "info": {"title": "<i>", "version": "1"},
        "paths": {
            "/<i>": {
                "get": {
                    "description": "<i> `<i>`",
                    "parameters": [
                        {
                            "name": "<i>'",
                            "in": "query",
                            "schema": {"type": "string", "default": "<i>"},
                            "examples": {"one": {"value": "'<i>"}},
                        }
                    ],
                    "responses": {"200": {"description": "<i>"}},
                }
            }
        },
        "components": {"schemas": {"<i>": {"type": "object", "description": "<i>"}}},
    }
    page = make_docs_page(document).response().body.decode()
    assert "<i>" not in page
    assert "<code>&lt;i&gt;</code>" in page
    assert "value='&#x27;&lt;i&gt;'" in page


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node to run scripts with")


@needs_node
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_script_can_be_parsed(lexicon: Served, path: str, tmp_path: Path) -> None:
    (script,) = Elements(lexicon.ask("GET", path).body.decode()).content["script"]
    file = tmp_path / "script.js"
    file.write_text(script)
    subprocess.run(["node", "--check", str(file)], check=True)


DOCUMENT = """
const document = {
  getElementById: () => ({addEventListener() {}}),
  createElement: (name) => ({name, children: [], append(...parts) { this.children.push(...parts); }}),
};
"""
"""As much of a browser's document as the script of the note page needs to make elements."""


@needs_node
def test_evidence_is_marked_by_code_points_and_once_where_it_overlaps() -> None:
    page = make_note_page(Loaded("m", "icd10cm", "2026"), has_key=False).response().body.decode()
    (script,) = Elements(page).content["script"]
    codes = [
        {"code": "B", "evidence": [{"start": 9, "end": 11}, {"start": 2, "end": 5}]},
        {"code": "A", "evidence": [{"start": 4, "end": 7}]},
        {"code": "C", "evidence": [{"start": 7, "end": 8}]},
    ]
    text = "\U0001f469 abcdef <b>"
    call = f"markedText(Array.from({json.dumps(text)}), {json.dumps(codes)}).children"
    done = subprocess.run(
        ["node", "-e", f"{DOCUMENT}{script}\nconsole.log(JSON.stringify({call}))"],
        check=True,
        capture_output=True,
        text=True,
    )
    shown = []
    for part in json.loads(done.stdout):
        if not isinstance(part, str):
            words, *links = part["children"]
            part = [words, *(link["children"][0] for link in links)]
        shown.append(part)
    assert shown == [
        "\U0001f469 ",
        ["abcde", "B", "A"],
        "",
        ["f", "C"],
        " ",
        ["<b", "B"],
        ">",
    ]
