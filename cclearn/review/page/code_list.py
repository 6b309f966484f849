"""The codes of a note under review, each with its evidence and the buttons of its decisions."""

from __future__ import annotations

from bisect import bisect_right
from html import escape

from cclearn.codes import CodeSystem
from cclearn.notes.sections import find_sections
from cclearn.review.events import REASON_LENGTH, VERDICTS, Entry
from cclearn.review.session import NoteView
from cclearn.review.shown_text import text_html

_LONGEST_QUOTE = 200
"""Maximum number of characters of a quote in the list. The note has all of it."""

_BUTTONS = (
    ("accept", "Accept", "a"),
    ("reject", "Reject", "x"),
    ("insufficient", "Insufficient evidence", "i"),
    ("defer", "Defer", "d"),
    ("evidence", "Add selection", "e"),
    ("principal", "Principal", "p"),
    ("up", "Up", "K"),
    ("down", "Down", "J"),
)

REASONS = (
    "symptom of a coded condition",
    "negated or ruled out",
    "history, not treated now",
    "not the patient",
    "not documented by the provider",
    "less specific than documented",
    "more specific than documented",
    "excluded by another code",
    "guideline",
)


class CodeList:
    """Renders the codes of one note.

    Args:
        view: The note with its decisions.
        system: Code system in which codes are described.
        hidden: HTML of the hidden fields of every form.
        address: Path that forms are sent to.
    """

    def __init__(self, view: NoteView, system: CodeSystem, hidden: str, address: str) -> None:
        self._view, self._system = view, system
        self._form = f"<form method='post' action='{address}' data-act>{hidden}"
        self._sections = find_sections(view.note.text)
        self._starts = [section.start for section in self._sections]

    def html(self) -> str:
        """Return the list as HTML."""
        items = "".join(map(self._entry, self._view.state.entries.values()))
        listed = (
            f"<ol class='codes'>{items}</ol>" if items else "<p class='quiet'>No codes yet.</p>"
        )
        reasons = "".join(f"<option value='{escape(reason)}'></option>" for reason in REASONS)
        return f"{listed}{self._add_form()}<datalist id='reasons'>{reasons}</datalist>"

    def _add_form(self) -> str:
        return (
            f"<section><h2>Add a code</h2>{self._form}{_code_field('add')}"
            "<button name='action' value='add' aria-keyshortcuts='n'>Add</button>"
            "<p class='quiet'>Selected words become its evidence. Without a selection, the code has no"
            " evidence: it follows from a rule.</p></form></section>"
        )

    def _entry(self, entry: Entry) -> str:
        key, code = escape(entry.key), escape(entry.code)
        description = ""
        if entry.code in self._system:
            description = self._system.description(entry.code)
        score = "" if entry.score is None else f"<span class='score'>score {entry.score:.2f}</span>"
        pressed = "accept" if entry.verdict == "change" else entry.verdict
        buttons = "".join(
            f"<button name='action' value='{action}' aria-keyshortcuts='{shortcut}'"
            f"{_pressed(action, pressed, entry)}>{label}</button> "
            for action, label, shortcut in _BUTTONS
        )
        quotes = "".join(self._quote(start, end) for start, end in entry.evidence)
        field = _code_field(entry.key)
        return (
            f"<li id='{key}' data-key='{key}' data-verdict='{entry.verdict}' class='{entry.verdict}'"
            f" tabindex='-1' aria-label='{code}, {VERDICTS[entry.verdict]}'>"
            f"{self._form}<input type='hidden' name='key' value='{key}'>"
            f"{score}<h3><span class='code'>{code}</span>{escape(description)}</h3>"
            f"<p>{_badges(entry, self._system)}</p>"
            f"<ul class='quotes'>{quotes or '<li>no evidence cited</li>'}</ul>"
            f"<p class='buttons'>{buttons}</p></form>"
            f"<details><summary>Change the code, or give a reason</summary>"
            f"{self._form}<input type='hidden' name='key' value='{key}'>{field}"
            "<button name='action' value='change' aria-keyshortcuts='c'>Change</button></form>"
            f"{self._form}<input type='hidden' name='key' value='{key}'>"
            f"<label>Reason<input id='reason-{key}' name='reason' list='reasons'"
            f" maxlength='{REASON_LENGTH}' autocomplete='off' value='{escape(entry.reason)}'></label>"
            "<button name='action' value='reason' aria-keyshortcuts='r'>Save the reason</button>"
            "</form></details></li>"
        )

    def _quote(self, start: int, end: int) -> str:
        words = self._view.note.text[start:end]
        shown = text_html(words if len(words) <= _LONGEST_QUOTE else f"{words[:_LONGEST_QUOTE]}…")
        index = bisect_right(self._starts, start) - 1
        name = self._sections[index].name if index >= 0 else ""
        section = f"{escape(name)} · " if name else ""
        place = f"{start}-{end}"
        return (
            f"<li><a href='#t{start}'><q dir='auto'>{shown}</q></a>"
            f" <small>{section}{start}–{end}</small>"
            f" <button name='action' value='remove:{place}' aria-label='Remove the evidence at {place}'>"
            f"Remove</button> <button name='action' value='move:{place}'"
            f" aria-label='Move the evidence at {place} to the selection'>Move</button></li>"
        )


def _pressed(action: str, pressed: str, entry: Entry) -> str:
    """Return the attribute that shows which decision was made."""
    if action == "principal":
        return f" aria-pressed='{str(entry.principal).lower()}'"
    if action in ("accept", "reject", "insufficient", "defer"):
        return f" aria-pressed='{str(action == pressed).lower()}'"
    return ""


def _badges(entry: Entry, system: CodeSystem) -> str:
    parts = [f"<span class='decision {entry.verdict}'>{VERDICTS[entry.verdict]}</span>"]
    if entry.principal:
        parts.append("<span class='decision principal'>principal</span>")
    if entry.proposed is None:
        parts.append("<span class='decision'>added</span>")
    elif entry.proposed != entry.code:
        parts.append(f"<span class='decision'>proposed: {escape(entry.proposed)}</span>")
    if entry.proposed_decision is not None:
        parts.append(f"<span class='decision'>coder: {escape(entry.proposed_decision)}</span>")
    flags = list(entry.flags)
    status = system.status(entry.code)
    if status != "valid":
        flags.insert(0, f"{status} in {system.name} {system.release}")
    if entry.assertion != "present":
        flags.insert(0, entry.assertion.replace("_", " "))
    parts += [f"<span class='flag'>{escape(flag)}</span>" for flag in flags]
    if entry.reason:
        parts.append(f"<span class='quiet'>reason: {escape(entry.reason)}</span>")
    return " ".join(parts)


def _code_field(key: str) -> str:
    """Return the field in which a code is searched for (a combobox, if scripts run)."""
    name = f"search-{escape(key)}"
    return (
        f"<label for='{name}'>Code, or words to search for</label>"
        f"<div class='search'><input id='{name}' name='code' autocomplete='off' spellcheck='false'"
        f" maxlength='200' data-search aria-describedby='{name}-about'>"
        f"<div id='{name}-about' class='about' aria-live='polite'></div></div>"
    )
