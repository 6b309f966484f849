"""The page that documents the routes and sends requests to them, made from the OpenAPI document.

Swagger UI, ReDoc and RapiDoc are not used: FastAPI loads them from other servers, and they need styles
that the policy of the pages forbids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from cclearn.service.pages import KEY_FIELD, Page

Schema = Mapping[str, Any]

_LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "characters at least",
    "maxLength": "characters at most",
}

_QUOTED = re.compile("`([^`]+)`")
_AS_CODE = r"<code>\1</code>"

_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
"""An entry of the section on attributes in a docstring: the name and its meaning."""

_SCRIPT = """
"use strict";
const key = document.getElementById("key");

function requestOf(form) {
  const headers = {};
  let path = form.dataset.path.slice(1);
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("[data-in]")) {
    const {in: place, name} = field.dataset;
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(field.value));
    else if (place === "query" && field.value !== "") query.set(name, field.value);
    else if (place === "header" && field.value !== "") headers[name] = field.value;
  }
  if (key?.value.trim() && form.dataset.key) headers.Authorization = `Bearer ${key.value.trim()}`;
  const body = form.querySelector("textarea")?.value;
  const address = query.size ? `${path}?${query}` : path;
  return [address, {method: form.dataset.method, headers, body,
    cache: "no-store", credentials: "omit", redirect: "error"}];
}

function shown(text, type) {
  if (!type.startsWith("application/json")) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = form.querySelector("pre");
    const button = form.querySelector("button");
    button.disabled = true;
    output.hidden = false;
    output.textContent = "Waiting for the response.";
    try {
      const response = await fetch(...requestOf(form));
      const type = response.headers.get("Content-Type") ?? "";
      const text = shown(await response.text(), type);
      output.textContent = `${response.status} ${response.statusText}\\n${type}\\n\\n${text}`;
    } catch {
      output.textContent = "The service did not answer.";
    } finally {
      button.disabled = false;
    }
  });
}
"""


def make_docs_page(document: Schema) -> Page:
    """Return the page that documents the routes.

    Args:
        document: The OpenAPI document of the service.
    """
    info = document["info"]
    components = document.get("components", {})
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    links = "".join(
        f"<li><a href='#{_anchor(path, method)}'><code>{method.upper()} {escape(path)}</code></a></li>"
        for path, method, _ in operations
    )
    key = f"<section>{KEY_FIELD}</section>" if components.get("securitySchemes") else ""
    schemas = "".join(
        f"<section id='schema-{escape(name)}'><h3>{escape(name)}</h3>{_schema(schema)}</section>"
        for name, schema in sorted(components.get("schemas", {}).items())
    )
    body = (
        f"<header><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"{_prose(info.get('description', ''))}<p class='quiet'><a href='.'>Code a note</a> ·"
        f" <a href='openapi.json'>OpenAPI document</a></p></header><main><nav><ul>{links}</ul></nav>"
        f"{key}{''.join(map(_operation, operations))}<h2>Schemas</h2>{schemas}</main>"
    )
    return Page(f"{info['title']}: routes", body, _SCRIPT)


def _anchor(path: str, method: str) -> str:
    return f"{method}{re.sub('[^a-z]+', '-', path)}".rstrip("-")


def _prose(text: str) -> str:
    """Return paragraphs of text as HTML, with words between backticks as code."""
    paragraphs = (escape(part.strip()) for part in re.split(r"\n\s*\n", text) if part.strip())
    return "".join(f"<p>{_QUOTED.sub(_AS_CODE, part)}</p>" for part in paragraphs)


def _operation(named: tuple[str, str, Schema]) -> str:
    path, method, operation = named
    parameters, body = operation.get("parameters", []), operation.get("requestBody", {})
    responses = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{_prose(response['description'])}</td>"
        f"<td>{_contents(response)}</td></tr>"
        for status, response in sorted(operation["responses"].items())
    )
    return (
        f"<section id='{_anchor(path, method)}'>"
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>{_prose(operation['description'])}"
        + (f"<h3>Parameters</h3>{_parameters(parameters)}" if parameters else "")
        + (f"<h3>Body</h3>{_body(body)}" if body else "")
        + "<h3>Responses</h3><table><thead><tr><th>status</th><th>meaning</th><th>body</th></tr>"
        f"</thead><tbody>{responses}</tbody></table>"
        f"<details><summary>Try it</summary>{_form(path, method, operation)}</details></section>"
    )


def _contents(described: Schema) -> str:
    return "<br>".join(
        f"<code>{escape(kind)}</code> {_type(content.get('schema', {}))}"
        for kind, content in described.get("content", {}).items()
    )


def _parameters(parameters: list[Schema]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
        f"<td>{_type(parameter['schema'])}{_default(parameter['schema'])}</td>"
        f"<td>{'yes' if parameter.get('required') else 'no'}</td>"
        f"<td>{_prose(parameter.get('description', ''))}</td></tr>"
        for parameter in parameters
    )
    head = "".join(f"<th>{name}</th>" for name in ("name", "in", "type", "required", "meaning"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _body(body: Schema) -> str:
    inline = {
        found["title"]: found
        for content in body["content"].values()
        for found in _inline_objects(content["schema"])
    }
    tables = "".join(f"<h3>{escape(name)}</h3>{_schema(found)}" for name, found in inline.items())
    return f"{_prose(body.get('description', ''))}<p>{_contents(body)}</p>{tables}"


def _inline_objects(schema: Schema) -> Iterator[Schema]:
    """Yield the objects that a schema describes in place, and not by a reference."""
    if "properties" in schema:
        yield schema
    inner_schemas = [*schema.get("anyOf", ())]
    if "items" in schema:
        inner_schemas.append(schema["items"])
    for inner in inner_schemas:
        yield from _inline_objects(inner)


def _schema(schema: Schema) -> str:
    required = schema.get("required", ())
    summary, _, section = schema.get("description", "").partition("\n\nAttributes:")
    meanings = {name: " ".join(text.split()) for name, text in _ENTRY.findall(section)}
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(field)}{_default(field)}</td>"
        f"<td>{'yes' if name in required else 'no'}</td>"
        f"<td>{_prose(field.get('description', meanings.get(name, '')))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    head = "".join(f"<th>{name}</th>" for name in ("field", "type", "required", "meaning"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return _prose(summary) + (table if rows else f"<p>{_type(schema)}</p>")


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return ""
    return f", default <code>{escape(json.dumps(schema['default']))}</code>"


def _type(schema: Schema) -> str:
    """Return the type that a schema describes, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#schema-{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)
    if schema.get("type") == "array":
        return f"list of ({_type(schema.get('items', {}))})"
    if "properties" in schema:
        return escape(schema.get("title", "object"))
    limits = (f", {words} {schema[name]:g}" for name, words in _LIMITS.items() if name in schema)
    return escape(schema.get("type", "any value")) + "".join(limits)


def _form(path: str, method: str, operation: Schema) -> str:
    fields = "".join(map(_field, operation.get("parameters", [])))
    contents = operation.get("requestBody", {}).get("content", {})
    if contents:
        options = "".join(f"<option>{escape(kind)}</option>" for kind in contents)
        example: Any = next(
            (content["example"] for content in contents.values() if "example" in content), {}
        )
        fields += (
            f"<label>Content-Type<select data-in='header' data-name='Content-Type'>{options}</select>"
            f"</label><label>Body<textarea autocomplete='off' spellcheck='false'>"
            f"{escape(json.dumps(example))}</textarea></label>"
        )
    secured = " data-key='yes'" if operation.get("security") else ""
    return (
        f"<form data-method='{method.upper()}' data-path='{escape(path)}'{secured}>{fields}"
        "<button>Send</button><pre hidden role='status'></pre></form>"
    )


def _field(parameter: Schema) -> str:
    examples = parameter.get("examples", {})
    value = next((str(example["value"]) for example in examples.values()), "")
    required = " required" if parameter.get("required") else ""
    name = escape(parameter["name"])
    return (
        f"<label>{name}<input data-in='{escape(parameter['in'])}' data-name='{name}'"
        f" value='{escape(value)}' autocomplete='off' spellcheck='false'{required}></label>"
    )
