from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from cclearn.notes import AssignedCode, CodedNote, Evidence, Ungrounded
from cclearn.notes.highlight import Region, regions
from cclearn.outputs import find_output
from tests.outputs.notes import EMPTY, FULL, TEXT, cited, coded_notes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

_VOID = {"meta", "br"}


class Page(HTMLParser):
    """Reads a page: its elements, which must be closed in order, and the text of each note."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.marks: dict[str, str] = {}
        self.texts: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.tags.append(tag)
        self.attributes |= values.keys()
        if "id" in values:
            self.ids.append(values["id"])
        if "href" in values:
            self.links.append(values["href"])
        if values.get("class") == "note":
            self.texts.append("")
        if tag == "br":
            self.handle_data("\n")
        if tag not in _VOID:
            self._open.append((tag, values.get("id", values.get("class", ""))))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag

    def handle_data(self, data: str) -> None:
        names = [tag for tag, _ in self._open]
        in_note = any(name == "note" for _, name in self._open)
        if in_note and not ("mark" in names and "span" in names):
            self.texts[-1] += data
            for tag, name in self._open:
                if tag == "mark":
                    self.marks[name] = self.marks.get(name, "") + data


def written(*notes: CodedNote) -> str:
    return "".join(find_output(None, "html").chunks(notes))


def test_the_policy_forbids_everything_but_its_own_style() -> None:
    page = written(FULL)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    seal = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{seal}'; base-uri 'none'; form-action 'none'"
    )
    assert "<" not in style
    assert not re.search(r"url\(|@import|https?:", page)


def test_a_note_cannot_script_the_page() -> None:
    nasty = "'\"><script>alert(1)</script><img src=x onerror=alert(1)>{label}&lt;"
    piece = Evidence(start=3, end=len(nasty), text=nasty[3:])
    assigned = AssignedCode(
        code=nasty, description=nasty, system=nasty, flags=[nasty], evidence=[piece]
    )
    note = CodedNote(
        id=nasty,
        text=nasty,
        codes=[assigned],
        flags=[nasty],
        ungrounded=[Ungrounded(code=nasty, quote=nasty)],
    )
    page = Page(written(note))
    assert not {"script", "img"} & set(page.tags)
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    assert page.texts == [nasty]


@settings(max_examples=50)
@given(coded_notes())
def test_any_note_stands_on_the_page_as_it_is(note: CodedNote) -> None:
    page = Page(written(note))
    # The parser of HTML takes every line end for one, as displaCy's <br> are.
    assert [_lines(text) for text in page.texts] == [_lines(note.text)]
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    found = [page.marks[f"note-1-evidence-{n}"] for n, _ in enumerate(regions(note), start=1)]
    assert list(map(_lines, found)) == [_lines(note.text[r.start : r.end]) for r in regions(note)]


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def test_codes_and_evidence_lead_to_each_other() -> None:
    page = written(FULL, EMPTY)
    mark = (
        '<mark id="note-1-evidence-2">Acute on chronic systolic <b>heart failure</b>'
        '<span><a href="#note-1-code-2">I50.23</a></span></mark>'
    )
    assert mark in page
    (card,) = re.findall(r"<li id='note-1-code-2'>.*?</ul></li>", page)
    assert "score 0.75" in card
    assert "Acute on chronic systolic (congestive) heart failure" in card
    assert card.count("href='#note-1-evidence-2'") == 2
    assert "<q dir='auto'>heart failure</q></a> <small>35–48</small>" in card
    assert "<span class='flag'>excludes1: I50.9</span>" in card


def test_nothing_vanishes() -> None:
    page = written(FULL, EMPTY)
    for shown in (
        "<span class='flag'>truncated</span>",
        "<span class='flag'>historical</span>",
        "<span class='flag'>family</span>",
        "<span class='flag'>header code</span>",
        "no evidence cited",
        "<li>J18.9 <q dir='auto'>pneumonia</q></li>",
        "<li>I50 <span class='flag'>header</span> </li>",
        "<li>a line <span class='flag'>unreadable</span> </li>",
        "2 lines said again.",
        "<p class='quiet'>No codes.</p>",
        "2 notes, 5 codes",
    ):
        assert shown in page


def test_overlapping_evidence_is_one_region() -> None:
    codes = [
        AssignedCode(code="I50.9", evidence=cited("heart failure")),
        AssignedCode(code="I50.2", evidence=cited("systolic heart", "Old MI")),
    ]
    note = CodedNote(id="1", text=TEXT, codes=codes)
    assert regions(note) == [
        Region(0, 6, (1,), ((0, 6),)),
        Region(26, 48, (0, 1), ((26, 40), (35, 48))),
    ]
    assert "systolic <b>heart</b> failure<span>" in written(note)


def test_a_line_end_of_two_characters_is_one_line() -> None:
    page = written(CodedNote(id="1", text="a\r\nb\nc"))
    assert '<div class="note" dir="auto">a<br>b<br>c</div>' in page


def test_decisions_and_rejected_codes_are_shown() -> None:
    accepted = AssignedCode(code="I25.2", score=0.9, decision="accept", evidence=cited("Old MI"))
    rejected = AssignedCode(code="R52", score=0.01, evidence=cited("pain"))
    page = written(CodedNote(id="1", text=TEXT, codes=[accepted], rejected=[rejected]))
    assert "<span class='decision accept'>accept</span>" in page
    behind = page.partition("Rejected: scores too low")[2]
    assert "R52" in behind
    assert "<q dir='auto'>pain</q> <small>score 0.01</small>" in behind
