"""The review page in a real browser."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote
from cclearn.review.session import Session
from cclearn.review.shown_text import shown_text
from tests.review.browsing import press, served, settled
from tests.review.reviews import TEXT, code, coded_note, start

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]

NOTES = 1_000
"""Number of notes in which offsets are compared."""

PIECES = (
    "fever", "0.5 mg", "é", "s\u0326", "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d", "漢字", "…",
    "\U0001f637", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u202e", "\u200b", "\ufeff", "\xad",
    "\t", "\r\n", "\n", "\r", " ", "\u00a0", "\u2028", "\x00", "\x07", "\x7f", "\x85", "\x9f",
    "<b>", "&amp;", "'\"",
)  # fmt: skip
"""Parts of notes: scripts, emoji, combining marks, ends of lines, control characters and markup."""


SELECT = """([start, end]) => {
  // Offsets in UTF-16 units; the selection is made as a user's would be, from place to place.
  getSelection().setBaseAndExtent(...place(start), ...place(end));
  readSelection();
  return chosen && [chosen.start, chosen.end, chosen.quote];
}"""


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_offsets_are_exact(page: Any, tmp_path: Path, system: CodeSystem) -> None:
    rng = random.Random(0)
    notes = []
    for number in range(NOTES):
        count = 30_000 if number == 0 else rng.randint(1, 40)  # The first one has about 100 kB.
        text = "".join(rng.choice(PIECES) for _ in range(count)) + "x"
        notes.append(CodedNote(id=f"n{number}", text=text, codes=[code(text, "R50.9", "x")]))
    assert len(notes[0].text.encode()) > 100_000
    session = start(tmp_path, system, notes)
    with served(session) as address:
        for number, note in enumerate(notes):
            page.goto(f"{address}/notes/{number + 1}")
            text = note.text
            assert page.evaluate("() => find('note').textContent") == shown_text(text)
            first = rng.randrange(len(text))
            last = rng.randint(first + 1, min(len(text), first + 30))
            if text[first:last].strip() in ("", text[-1]):
                continue  # Blanks are refused, and the last character is evidence already.
            before, inside = shown_text(text[:first]), shown_text(text[first:last])
            offsets = [units(before), units(before + inside)]
            assert page.evaluate(SELECT, offsets) == [first, last, inside]
            page.locator("li[data-key=p0] button[value=evidence]").click()
            settled(page)
            assert page.locator("#problem").count() == 0
            evidence = session.open(number).state.entries["p0"].evidence
            strip = text[first:last].strip()
            start_ = first + len(text[first:last]) - len(text[first:last].lstrip())
            assert (start_, start_ + len(strip)) in evidence


def test_a_selection_that_a_page_reports_wrongly_is_refused(
    page: Any, tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note()])
    with served(session) as address:
        page.goto(address)
        page.evaluate(SELECT, [0, 5])
        page.evaluate("() => { chosen.start += 1; }")
        page.locator("li[data-key=p0] button[value=evidence]").click()
        settled(page)
        assert "differs from the note at these offsets" in page.inner_text("#problem")
        assert session.open(0).state.entries["p0"].evidence == ((6, 19),)


def test_a_note_is_reviewed_with_the_keyboard_alone(
    page: Any, tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note("n1"), coded_note("n2")])
    with served(session) as address:
        page.goto(f"{address}/notes/1")

        def state() -> dict[str, Any]:
            return dict(session.open(0).state.entries)

        press(page, "a")  # The first undecided code is chosen.
        assert state()["p0"].verdict == "accept"
        press(page, "x")  # The next one is chosen then.
        assert state()["p1"].verdict == "reject"
        press(page, "u")
        assert state()["p1"].verdict == "undecided"
        press(page, "d")
        assert state()["p1"].verdict == "defer"
        press(page, "k", "j", "i")
        assert state()["p1"].verdict == "insufficient"
        # Words are chosen and added, and moved elsewhere.
        press(page, "k", "w", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "e")
        assert state()["p0"].evidence == ((0, 19), (6, 19)) or state()["p0"].evidence == ((6, 19),)
        press(page, "w", "End", "ArrowLeft", "e")
        assert (47, 52) in state()["p0"].evidence
        page.locator('li[data-key=p0] button[value="remove:47-52"]').focus()
        press(page, "Enter")
        assert (47, 52) not in state()["p0"].evidence
        # Evidence leads to its code.
        press(page, "]", "Enter")
        assert page.locator("li.current").get_attribute("data-key") == "p0"
        press(page, "p")
        assert state()["p0"].principal
        press(page, "J")
        assert list(state()) == ["p1", "p0"]
        press(page, "K")
        assert list(state()) == ["p0", "p1"]
        # A code is changed by words.
        press(page, "c")
        page.keyboard.type("acute systolic heart failure")
        page.wait_for_selector("[role=listbox]:not([hidden]) [role=option]")
        press(page, "ArrowDown", "Enter")
        page.wait_for_selector(".about h4")
        assert "billable" in page.inner_text("#search-p0-about")
        press(page, "Enter")
        assert state()["p0"].code == "I50.21"
        press(page, "r")
        page.keyboard.type("guideline")
        press(page, "Enter")
        assert state()["p0"].reason == "guideline"
        press(page, "Escape", "n")
        page.keyboard.type("R50.9")
        press(page, "Escape", "Escape")
        page.locator("#search-add").focus()
        press(page, "Enter")
        assert state()["a0"].code == "R50.9"
        press(page, "Escape")
        page.evaluate("() => document.activeElement.blur()")
        press(page, "?")
        assert page.locator("#help").get_attribute("open") is not None
        press(page, "f")
        page.wait_for_url("**/notes/2")
        assert session.done.tolist() == [True, False]


def test_keys_mean_what_the_page_shows(page: Any, tmp_path: Path, system: CodeSystem) -> None:
    notes = [coded_note(f"n{n}") for n in range(3)]
    session = start(tmp_path, system, notes)
    with served(session) as address:
        page.goto(f"{address}/notes/1")
        # Without a pause: the second key was for a code that nobody has read, and does nothing.
        page.evaluate(
            "() => { for (const key of 'ax') document.body.dispatchEvent("
            "new KeyboardEvent('keydown', {key, bubbles: true})); }"
        )
        settled(page)
        verdicts = [entry.verdict for entry in session.open(0).state.entries.values()]
        assert verdicts == ["accept", "undecided"]
        assert "did nothing" in page.inner_text("#problem")
        press(page, "x")
        verdicts = [entry.verdict for entry in session.open(0).state.entries.values()]
        assert verdicts == ["accept", "reject"]
        # A second f does not finish the next note, and a key that is held decides once.
        page.evaluate(
            "() => { for (const key of 'ff') document.body.dispatchEvent("
            "new KeyboardEvent('keydown', {key, bubbles: true})); }"
        )
        page.wait_for_url(lambda url: not url.endswith("/notes/1"))
        settled(page)
        assert session.done.sum() == 1
        page.goto(f"{address}/notes/2")
        page.evaluate(
            "() => { for (const repeat of [false, true, true]) document.body.dispatchEvent("
            "new KeyboardEvent('keydown', {key: 'a', repeat, bubbles: true})); }"
        )
        settled(page)
        assert len(session.open(1).state.undecided) == 1


def test_typed_text_is_kept(page: Any, tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note()])
    with served(session) as address:
        page.goto(f"{address}/notes/1")
        press(page, "r")
        page.keyboard.type('the patient says "no"')
        press(page, "Enter")
        assert session.open(0).state.entries["p0"].reason == 'the patient says "no"'
        press(page, "Escape", "n")
        page.keyboard.type("renal failure")
        press(page, "Enter")
        assert "does not contain the code" in page.inner_text("#problem")
        assert page.input_value("#search-add") == "renal failure"
        # The field has the focus still, so that letters are no decisions.
        page.keyboard.type("ad")
        settled(page)
        assert len(session.open(0).state.undecided) == 2
        page.fill("#search-add", "R52")
        press(page, "Escape", "Escape")
        page.locator("#search-add").focus()
        press(page, "Enter")
        assert page.locator("li.current").get_attribute("data-key") == "a0"
        page.evaluate("() => document.activeElement.blur()")
        press(page, "x")
        assert session.open(0).state.entries["a0"].verdict == "reject"


def test_typing_during_a_slow_answer_is_no_decision(
    page: Any, tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note()])
    act = session.act

    def slow(*arguments: Any) -> Any:
        time.sleep(0.8)
        return act(*arguments)

    session.act = slow  # type: ignore[method-assign]
    with served(session) as address:
        page.goto(f"{address}/notes/1")
        page.locator("li[data-key=p0] button[value=defer]").click()
        page.locator("#search-add").click()
        page.keyboard.type("gout ad", delay=200)
        settled(page)
        page.keyboard.type("x")
        settled(page)
        assert page.input_value("#search-add") == "gout adx"
        verdicts = [entry.verdict for entry in session.open(0).state.entries.values()]
        assert verdicts == ["defer", "undecided"]


def test_a_selection_beyond_the_note_ends_with_it(
    page: Any, tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note()])
    with served(session) as address:
        page.goto(f"{address}/notes/1")
        page.evaluate(SELECT, [0, 5])
        page.evaluate("() => getSelection().setBaseAndExtent(...place(40), find('codes'), 1)")
        page.wait_for_function("() => chosen && chosen.start === 40")
        assert page.evaluate("() => [chosen.end, chosen.quote]") == [len(TEXT), TEXT[40:]]
        page.evaluate("() => getSelection().selectAllChildren(find('codes'))")
        page.wait_for_function("() => chosen === null")


def test_shortcuts_can_be_switched_off(page: Any, tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note()])
    with served(session) as address:
        page.goto(address)
        page.get_by_role("button", name="Turn keyboard shortcuts off").click()
        page.wait_for_selector("body[data-keys=off]")
        press(page, "a", "x")
        assert session.open(0).state.undecided
        page.locator("li[data-key=p0] button[value=accept]").focus()
        press(page, "Enter")
        assert session.open(0).state.entries["p0"].verdict == "accept"


def test_code_and_evidence_lead_to_each_other(
    page: Any, tmp_path: Path, system: CodeSystem
) -> None:
    overlapping = [
        code(TEXT, "I50.9", "Acute heart failure"),
        code(TEXT, "R52", "heart failure. Known"),
    ]
    session = start(tmp_path, system, [coded_note(codes=overlapping)])
    with served(session) as address:
        page.goto(address)
        marks = page.locator("mark")
        assert [marks.nth(n).get_attribute("data-keys") for n in range(3)] == ["p0", "p0 p1", "p1"]
        page.locator("li[data-key=p1] h3").click()
        assert page.locator("mark.on").count() == 2
        marks.nth(0).click()
        assert page.locator("li.current").get_attribute("data-key") == "p0"
        # Words of two pieces lead to one code after the other.
        marks.nth(1).click()
        assert page.locator("li.current").get_attribute("data-key") == "p1"


def test_the_page_says_that_the_server_does_not_answer(
    page: Any, tmp_path: Path, system: CodeSystem
) -> None:
    session: Session = start(tmp_path, system, [coded_note()])
    with served(session) as address:
        page.goto(f"{address}/notes/1")
    press(page, "a")
    assert "The server did not answer, and the action may not be saved" in page.inner_text(
        "#problem"
    )
