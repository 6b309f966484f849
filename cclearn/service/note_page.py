"""The page on which a user pastes a note and sees its codes."""

from __future__ import annotations

from html import escape

from cclearn.service.pages import KEY_FIELD, Page
from cclearn.service.process import Loaded

# The text of a note reaches the page only as text nodes, never as markup. Offsets count code points,
# and a string of JavaScript consists of UTF-16 units, so the text is split into code points first.
_SCRIPT = """
"use strict";
const find = (id) => document.getElementById(id);

function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function regionsOf(codes) {
  const pieces = codes.flatMap((code, index) => code.evidence.map((piece) => ({...piece, index})));
  pieces.sort((one, other) => one.start - other.start || one.end - other.end);
  const regions = [];
  for (const {start, end, index} of pieces) {
    const last = regions.at(-1);
    if (last && start < last.end) {
      last.end = Math.max(last.end, end);
      last.indices.add(index);
    } else {
      regions.push({start, end, indices: new Set([index])});
    }
  }
  return regions;
}

function markedText(characters, codes) {
  const words = (start, end) => characters.slice(start, end).join("");
  const text = make("div", {className: "note", dir: "auto"});
  let position = 0;
  regionsOf(codes).forEach(({start, end, indices}, number) => {
    const links = [...indices].sort((one, other) => one - other).map((index) =>
      make("a", {href: `#code-${index}`}, codes[index].code));
    text.append(words(position, start),
      make("mark", {id: `evidence-${start}`}, words(start, end), ...links));
    position = end;
  });
  text.append(words(position));
  return text;
}

function flags(list) {
  return list.flatMap((flag) => [make("span", {className: "flag"}, flag), " "]);
}

function remarks(code) {
  const list = code.status === "valid" ? [] : [`${code.status} code`];
  if (code.assertion !== "present") list.push(code.assertion.replace("_", " "));
  if (code.decision) list.push(code.decision);
  return [...list, ...code.flags];
}

function table(characters, codes, prefix) {
  const rows = codes.map((code, index) => {
    const quotes = code.evidence.flatMap(({start, end}) => [
      make("q", {dir: "auto"}, characters.slice(start, end).join("")),
      make("small", {className: "quiet"}, ` ${start}\\u2013${end} `)]);
    return make("tr", {id: `${prefix}-${index}`},
      make("td", {className: "code"}, code.code),
      make("td", {}, code.description),
      make("td", {}, ...(quotes.length ? quotes : ["no evidence cited"])),
      make("td", {}, code.score === null ? "" : code.score.toFixed(2)),
      make("td", {}, ...flags(remarks(code))));
  });
  const head = ["code", "description", "evidence", "score", "flags"];
  return make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((name) => make("th", {scope: "col"}, name)))),
    make("tbody", {}, ...rows));
}

function show(note, characters) {
  const parts = [make("h2", {}, "Codes")];
  if (note.flags.length) parts.push(make("p", {}, ...flags(note.flags)));
  parts.push(note.codes.length ? table(characters, note.codes, "code")
    : make("p", {className: "quiet"}, "No codes."));
  if (note.rejected.length) {
    parts.push(make("h3", {}, "Rejected: scores too low"),
      table(characters, note.rejected, "rejected"));
  }
  for (const [count, what] of [[note.ungrounded.length, "with a quote that is not in the note"],
      [note.invalid.length, "that may not be assigned"]]) {
    if (count) parts.push(make("p", {className: "quiet"}, `Answers ${what}: ${count}`));
  }
  find("coded").replaceChildren(
    make("section", {}, ...parts),
    make("section", {}, make("h2", {}, "Note"), markedText(characters, note.codes)));
}

async function code(text) {
  const headers = {"Content-Type": "application/json", "Accept": "application/json"};
  const key = find("key")?.value.trim();
  if (key) headers.Authorization = `Bearer ${key}`;
  const response = await fetch("code?echo=false", {
    method: "POST", headers, body: JSON.stringify({id: "note", text}),
    cache: "no-store", credentials: "omit", redirect: "error",
  }).catch(() => {
    throw new Error("The service did not answer, or the request could not be sent.");
  });
  const answer = await response.json().catch(() => ({detail: "The response is not JSON."}));
  if (!response.ok) throw new Error(`${response.status}: ${answer.detail}`);
  return answer;
}

find("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [state, button, text] = [find("state"), find("send"), find("text").value];
  button.disabled = true;
  state.className = "quiet";
  state.textContent = "The note is being coded.";
  find("coded").replaceChildren();
  try {
    const note = await code(text);
    show(note, Array.from(text));
    state.textContent = `Codes: ${note.codes.length}`;
  } catch (error) {
    state.className = "problem";
    state.textContent = error.message;
  } finally {
    button.disabled = false;
  }
});
"""


def make_note_page(loaded: Loaded, has_key: bool) -> Page:
    """Return the page on which a note is coded.

    Args:
        loaded: The model and the code system of the coder, which the page names.
        has_key: Whether the service has a key, for which the page then has a field.
    """
    body = (
        "<header><h1>Code a note</h1><p class='quiet'>"
        f"{escape(loaded.model)} · {escape(loaded.system)} {escape(loaded.release)}"
        " · <a href='docs'>routes of the service</a></p></header>"
        "<main><section><form id='form'>"
        + (KEY_FIELD if has_key else "")
        + "<label>Note<textarea id='text' rows='12' dir='auto' autocomplete='off' spellcheck='false'"
        " required placeholder='Admitted with acute heart failure.'></textarea></label>"
        "<button id='send'>Code</button> <span id='state' class='quiet' role='status'></span></form>"
        "<p class='quiet'>The page sends the note to this service only, and does not store it."
        " Codes are proposals until a coder has reviewed them.</p>"
        "<noscript><p class='problem'>This page needs JavaScript.</p></noscript></section>"
        "<div id='coded'></div></main>"
    )
    return Page("Code a note", body, _SCRIPT)
