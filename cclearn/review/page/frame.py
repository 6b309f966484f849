"""The frame of the pages of a review, and the pages themselves."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import NamedTuple

from cclearn.codes import CodeSystem
from cclearn.review.page.code_list import CodeList
from cclearn.review.page.note_text import note_html
from cclearn.review.session import FILTERS, Filter, NoteView
from cclearn.runtime.page_style import STYLE

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""The policy of all pages: they load one script and one stylesheet of the server, and nothing else."""

_SHORTCUTS = (
    ("j, k", "next and previous code"),
    ("a", "accept"),
    ("x", "reject"),
    ("i", "insufficient evidence"),
    ("d", "defer"),
    ("c", "change the code"),
    ("r", "give a reason"),
    ("p", "principal diagnosis"),
    ("K, J", "move the code up and down"),
    ("[, ]", "previous and next evidence in the note"),
    ("w", "go to the note: arrow keys choose words, Shift extends, Escape clears"),
    ("e", "add the selected words as evidence"),
    ("n", "add a code"),
    ("u, Backspace", "undo"),
    ("f", "done, and next note"),
    ("?", "show or hide this list"),
)


class Progress(NamedTuple):
    """How far a review is.

    Attributes:
        done: Number of notes that are finished.
        notes: Number of notes.
        reviewer: Name of the reviewer.
        coder: Name of the coder and the release, for the head of the page.
    """

    done: int
    notes: int
    reviewer: str
    coder: str


class ListedNote(NamedTuple):
    """A row in the list of notes.

    Attributes:
        position: Number of the note, from 0.
        id: Id of the note.
        state: `done`, `begun`, `cannot be shown` or empty.
        codes: Number of proposed codes. None for a note that is shown without proposals.
    """

    position: int
    id: str
    state: str
    codes: int | None


def script() -> str:
    """Return the script of the pages."""
    return files(__package__).joinpath("review.js").read_text(encoding="utf-8")


def stylesheet() -> str:
    """Return the stylesheet of the pages: the one of all pages, and what only these pages have."""
    return STYLE + files(__package__).joinpath("review.css").read_text(encoding="utf-8")


def _page(title: str, body: str, attributes: str = "") -> str:
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><link rel='stylesheet' href='/review.css'>"
        "<script src='/review.js' defer></script></head>"
        f"<body class='review'{attributes}>{body}</body></html>\n"
    )


def _header(progress: Progress, token: str, keys: bool, chosen: Filter) -> str:
    options = "".join(
        f"<option{' selected' if kind == chosen.kind else ''}>{kind}</option>" for kind in FILTERS
    )
    hidden = f"<input type='hidden' name='token' value='{token}'>"
    return (
        "<header><div><h1>Review</h1>"
        f"<p class='quiet'>{progress.done:,} of {progress.notes:,} notes done · reviewer"
        f" {escape(progress.reviewer)} · {escape(progress.coder)}</p></div>"
        "<nav aria-label='Review'><a href='/'>Next note</a> <a href='/list'>List of notes</a></nav>"
        f"<form method='post' action='/filter' class='filter'>{hidden}"
        f"<label>Notes<select name='kind'>{options}</select></label>"
        f"<label>Code<input name='code' value='{escape(chosen.code)}' autocomplete='off'></label>"
        "<button>Filter</button></form>"
        f"<form method='post' action='/keys' class='filter'>{hidden}"
        f"<button name='keys' value='{'off' if keys else 'on'}'>Turn keyboard shortcuts"
        f" {'off' if keys else 'on'}</button></form></header>"
    )


def note_page(
    view: NoteView,
    system: CodeSystem,
    progress: Progress,
    token: str,
    keys: bool,
    chosen: Filter,
    problem: str = "",
) -> str:
    """Return the page of a note.

    Args:
        view: The note with its decisions.
        system: Code system in which codes are described.
        progress: How far the review is.
        token: Token that forms must send.
        keys: Whether keyboard shortcuts are on.
        chosen: Filter of the notes.
        problem: Why the last action was refused. Empty if it was saved.
    """
    state, identifier = view.state, escape(view.note.id)
    address = f"/notes/{view.position + 1}"
    hidden = (
        f"<input type='hidden' name='token' value='{token}'>"
        f"<input type='hidden' name='seen' value='{state.events}'>"
    )
    problem = problem or view.problem
    alert = f"<p class='problem' id='problem'>{escape(problem)}</p>" if problem else ""
    undecided = len(state.undecided)
    remarks = [f"{len(state.entries)} codes, {undecided} undecided"]
    if not view.shown:
        remarks.append("the proposals are not shown for this note: code it yourself")
    if state.done:
        remarks.append("done")
    shown_flags = view.note.flags if view.shown else ()
    flags = "".join(f"<span class='flag'>{escape(flag)}</span> " for flag in shown_flags)
    text = note_html(view.note.text, state.entries.values())
    finish = "reopen" if state.done else "done"
    label = "Reopen" if state.done else "Done and next"
    buttons = (
        f"<form method='post' action='{address}' data-act>{hidden}"
        "<button name='action' value='undo' aria-keyshortcuts='u'>Undo</button> "
        f"<button name='action' value='{finish}' aria-keyshortcuts='f'>{label}</button></form>"
    )
    codes = "" if view.problem else CodeList(view, system, hidden, address).html()
    shortcuts = "".join(f"<dt>{k}</dt><dd>{what}</dd>" for k, what in _SHORTCUTS)
    main = (
        f"<main id='main' data-seen='{state.events}' tabindex='-1'>"
        f"<div class='bar'><h2><bdi>{identifier}</bdi></h2><span class='quiet'>{'; '.join(remarks)}"
        f"</span>{flags}{'' if view.problem else buttons}</div>"
        f"<div role='alert'>{alert}</div><p id='chosen' class='quiet' role='status'></p>"
        "<div class='columns'><section aria-label='Note'>"
        f"<div id='note' class='note' dir='auto' lang='' tabindex='0' role='group'"
        f" aria-label='Text of the note' aria-describedby='help' data-version='{_version(text)}'>"
        f"{text}</div></section>"
        f"<aside id='codes' aria-label='Codes' tabindex='0'>{codes}</aside></div>"
        f"<details id='help'><summary>Keyboard shortcuts</summary><dl>{shortcuts}</dl></details>"
        "<noscript><p class='problem'>Selecting evidence and searching for codes need JavaScript."
        " Decisions and codes that are typed do not.</p></noscript></main>"
    )
    attributes = f" data-keys='{'on' if keys else 'off'}'"
    return _page(
        f"{view.note.id} · review", _header(progress, token, keys, chosen) + main, attributes
    )


def list_page(
    rows: Sequence[ListedNote],
    page: int,
    pages: int,
    progress: Progress,
    token: str,
    keys: bool,
    chosen: Filter,
) -> str:
    """Return a page of the list of notes.

    Args:
        rows: Notes of the page.
        page: Number of the page, from 1.
        pages: Number of pages.
        progress: How far the review is.
        token: Token that forms must send.
        keys: Whether keyboard shortcuts are on.
        chosen: Filter of the notes.
    """
    lines = "".join(
        f"<tr><td><a href='/notes/{row.position + 1}'><bdi>{escape(row.id)}</bdi></a></td>"
        f"<td>{row.state}</td><td>{'' if row.codes is None else row.codes}</td></tr>"
        for row in rows
    )
    links = " ".join(
        f"<a href='/list?page={number}'>{name}</a>"
        for number, name in ((page - 1, "Previous page"), (page + 1, "Next page"))
        if 1 <= number <= pages
    )
    main = (
        f"<main id='main'><section><h2>Notes</h2>"
        f"<p class='quiet'>Page {page:,} of {pages:,}. {links}</p>"
        "<table><thead><tr><th scope='col'>note</th><th scope='col'>state</th>"
        "<th scope='col'>proposed codes</th></tr></thead>"
        f"<tbody>{lines}</tbody></table></section></main>"
    )
    return _page("Notes · review", _header(progress, token, keys, chosen) + main)


def message_page(
    title: str, text: str, progress: Progress, token: str, keys: bool, chosen: Filter
) -> str:
    """Return a page with a message, for example when no note is left.

    Args:
        title: Title of the page.
        text: The message.
        progress: How far the review is.
        token: Token that forms must send.
        keys: Whether keyboard shortcuts are on.
        chosen: Filter of the notes.
    """
    main = (
        f"<main id='main'><section><h2>{escape(title)}</h2><p>{escape(text)}</p></section></main>"
    )
    return _page(f"{title} · review", _header(progress, token, keys, chosen) + main)


def other_site_page() -> str:
    """Return the page for requests that a page of another site has sent."""
    return _page(
        "Review",
        "<main id='main'><section><h1>Review</h1><p>A page of another site has led here, and the request"
        " was refused. <a href='/'>Continue with the next note</a></p></section></main>",
    )


def _version(html: str) -> str:
    """Return a short hash of HTML, by which the script knows whether it has changed."""
    return sha256(html.encode()).hexdigest()[:16]


def login_page(problem: str = "") -> str:
    """Return the page that asks for the key.

    Args:
        problem: Why the last key was refused. Empty at first.
    """
    alert = f"<p class='problem' role='alert'>{escape(problem)}</p>" if problem else ""
    return _page(
        "Key · review",
        f"<main id='main'><section><h1>Review</h1>{alert}<form method='post' action='/login'>"
        "<label>Key of the service<input name='key' type='password' autocomplete='off' required></label>"
        "<button>Continue</button></form></section></main>",
    )
