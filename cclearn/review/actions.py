"""The actions of a reviewer: what each of them changes, and when it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from cclearn.codes import CodeSystem
from cclearn.notes import CODED_ASSERTIONS
from cclearn.review.events import REASON_LENGTH, Entry
from cclearn.review.session import NoteView, Refusal
from cclearn.review.shown_text import shown_text
from cclearn.review.state import Change

Maker = Callable[[NoteView, CodeSystem], Change]

_Decision = Literal["accept", "reject", "defer", "insufficient"]

_DECISIONS: dict[str, _Decision] = {
    "accept": "accept",
    "reject": "reject",
    "defer": "defer",
    "insufficient": "insufficient",
}


def change_of(action: str, fields: Mapping[str, str]) -> Maker:
    """Return the function that makes the change of a form.

    Args:
        action: Name of the action, with an argument after a colon for some: `accept`, `reject`, `defer`,
            `insufficient`, `change`, `add`, `evidence`, `remove:START-END`, `move:START-END`,
            `principal`, `reason`, `up`, `down`, `undo`, `done` and `reopen`.
        fields: Fields of the form: `key` of the entry, `code`, `start`, `end` and `quote` of a
            selection, and `reason`.

    Raises:
        Refusal: There is no such action. The function that is returned raises Refusal if the action is
            not possible.
    """
    name, _, argument = action.partition(":")
    if name in _DECISIONS:
        return partial(_decide, _DECISIONS[name], fields)
    makers: dict[str, Maker] = {
        "change": partial(_change_code, fields),
        "add": partial(_add, fields),
        "evidence": partial(_add_evidence, fields),
        "remove": partial(_remove_evidence, fields, argument),
        "move": partial(_move_evidence, fields, argument),
        "principal": partial(_mark_principal, fields),
        "reason": partial(_give_reason, fields),
        "up": partial(_move_entry, fields, -1),
        "down": partial(_move_entry, fields, 1),
        "undo": _undo,
        "done": _finish,
        "reopen": _reopen,
    }
    if name not in makers:
        raise Refusal("There is no such action. Reload the page.")
    return makers[name]


def _entry(view: NoteView, fields: Mapping[str, str]) -> Entry:
    found = view.state.entries.get(fields.get("key", ""))
    if found is None:
        raise Refusal("There is no such code in this note. Choose a code first.")
    return found


def _reason(fields: Mapping[str, str], entry: Entry) -> str:
    reason = fields.get("reason")
    if reason is None:
        return entry.reason
    if len(reason) > REASON_LENGTH:
        raise Refusal(f"The reason has more than {REASON_LENGTH} characters. Shorten it.")
    return reason.strip()


def _decide(
    verdict: _Decision, fields: Mapping[str, str], view: NoteView, system: CodeSystem
) -> Change:
    entry = _entry(view, fields)
    changes: dict[str, object] = {"verdict": verdict, "reason": _reason(fields, entry)}
    if verdict == "accept":
        _refuse_code(entry.code, system)
        changes["release"] = system.release
        if entry.assertion not in CODED_ASSERTIONS:
            changes["assertion"] = "present"
        if entry.proposed not in (None, entry.code):
            changes["verdict"] = "change"  # It was changed, rejected, and is wanted again.
    else:
        changes["principal"] = False
    return view.state.replace(verdict, entry.model_copy(update=changes))


def _change_code(fields: Mapping[str, str], view: NoteView, system: CodeSystem) -> Change:
    entry = _entry(view, fields)
    code = _new_code(fields, view, system, entry)
    is_proposed = code == entry.proposed or entry.proposed is None
    changes = {
        "code": code,
        "system": system.name,
        "verdict": "accept" if is_proposed else "change",
        "release": system.release,
        "reason": _reason(fields, entry),
        "assertion": entry.assertion if entry.assertion in CODED_ASSERTIONS else "present",
    }
    return view.state.replace("change", entry.model_copy(update=changes))


def _add(fields: Mapping[str, str], view: NoteView, system: CodeSystem) -> Change:
    code = _new_code(fields, view, system, None)
    evidence = (_selection(fields, view),) if fields.get("start") else ()
    entry = Entry(
        key=view.state.next_key(),
        code=code,
        system=system.name,
        release=system.release,
        verdict="accept",
        evidence=evidence,
        reason=fields.get("reason", "").strip()[:REASON_LENGTH],
    )
    return view.state.add(entry)


def _new_code(
    fields: Mapping[str, str], view: NoteView, system: CodeSystem, entry: Entry | None
) -> str:
    given = fields.get("code", "").strip()
    if not given:
        raise Refusal("No code was given. Search for words or type a code.")
    if given not in system:
        raise Refusal(f"{system.name} {system.release} does not contain the code that was given.")
    code = system.canonical(given)
    _refuse_code(code, system)
    for other in view.state.entries.values():
        if other.code == code and (entry is None or other.key != entry.key):
            raise Refusal(f"{code} is in the list already. Decide on it there.")
    return code


def _refuse_code(code: str, system: CodeSystem) -> None:
    status = system.status(code)
    if status != "valid":
        why = {
            "header": "is a header and may not be assigned. Change it to one of its codes",
            "retired": "was retired. Change it to its successor",
        }.get(status, "is not a code of this release. Change it, or start with another --release")
        raise Refusal(f"{code} {why} ({system.name} {system.release}).")


def _selection(fields: Mapping[str, str], view: NoteView) -> tuple[int, int]:
    """Return the offsets of a selection whose words are those of the note."""
    try:
        start, end = int(fields.get("start", "")), int(fields.get("end", ""))
    except ValueError:
        raise Refusal("No words are selected. Select words of the note first.") from None
    text = view.note.text
    if not 0 <= start < end <= len(text) or shown_text(text[start:end]) != fields.get("quote"):
        raise Refusal(
            f"The selection at {start}–{end} differs from the note at these offsets, and was not saved."
            " Reload the page and select the words again."
        )
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        raise Refusal("Only blanks are selected. Select words of the note.")
    return start, end


def _with_evidence(view: NoteView, entry: Entry, evidence: set[tuple[int, int]]) -> Change:
    changed = entry.model_copy(update={"evidence": tuple(sorted(evidence))})
    return view.state.replace("evidence", changed)


def _add_evidence(fields: Mapping[str, str], view: NoteView, system: CodeSystem) -> Change:
    entry = _entry(view, fields)
    selection = _selection(fields, view)
    if selection in entry.evidence:
        raise Refusal("These words are evidence for the code already.")
    return _with_evidence(view, entry, {*entry.evidence, selection})


def _cited(argument: str, entry: Entry) -> tuple[int, int]:
    start, _, end = argument.partition("-")
    for piece in entry.evidence:
        if (str(piece[0]), str(piece[1])) == (start, end):
            return piece
    raise Refusal("The code has no such evidence.")


def _remove_evidence(
    fields: Mapping[str, str], argument: str, view: NoteView, system: CodeSystem
) -> Change:
    entry = _entry(view, fields)
    return _with_evidence(view, entry, set(entry.evidence) - {_cited(argument, entry)})


def _move_evidence(
    fields: Mapping[str, str], argument: str, view: NoteView, system: CodeSystem
) -> Change:
    entry = _entry(view, fields)
    others = set(entry.evidence) - {_cited(argument, entry)}
    return _with_evidence(view, entry, others | {_selection(fields, view)})


def _mark_principal(fields: Mapping[str, str], view: NoteView, system: CodeSystem) -> Change:
    entry = _entry(view, fields)
    if not entry.is_assigned:
        raise Refusal(
            f"{entry.code} is not accepted yet. Accept it before it is the principal one."
        )
    others = [
        other.model_copy(update={"principal": False})
        for other in view.state.entries.values()
        if other.principal and other.key != entry.key
    ]
    marked = entry.model_copy(update={"principal": not entry.principal})
    change = view.state.replace("principal", *others, marked)
    order = [entry.key, *(key for key in change.order if key != entry.key)]
    return Change(
        change.action,
        change.before,
        change.after,
        tuple(order) if marked.principal else change.order,
        change.done,
    )


def _give_reason(fields: Mapping[str, str], view: NoteView, system: CodeSystem) -> Change:
    entry = _entry(view, fields)
    changed = entry.model_copy(update={"reason": _reason(fields, entry)})
    return view.state.replace("reason", changed)


def _move_entry(fields: Mapping[str, str], step: int, view: NoteView, system: CodeSystem) -> Change:
    entry = _entry(view, fields)
    order = list(view.state.entries)
    place = order.index(entry.key)
    if not 0 <= place + step < len(order):
        raise Refusal("The code is at the end of the list already.")
    order[place], order[place + step] = order[place + step], order[place]
    return view.state.reorder(order)


def _undo(view: NoteView, system: CodeSystem) -> Change:
    change = view.state.undo()
    if change is None:
        raise Refusal("There is nothing to undo in this note.")
    return change


def _finish(view: NoteView, system: CodeSystem) -> Change:
    if undecided := len(view.state.undecided):
        codes = "1 code is" if undecided == 1 else f"{undecided} codes are"
        raise Refusal(f"{codes} undecided. Decide on each, or defer it, before the note is done.")
    return view.state.finish(True)


def _reopen(view: NoteView, system: CodeSystem) -> Change:
    return view.state.finish(False)
