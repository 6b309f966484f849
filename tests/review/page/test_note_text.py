"""The text of a note in the page: every code point stays one, and marks are at their offsets."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from cclearn.review.events import Entry
from cclearn.review.page.note_text import note_html
from cclearn.review.shown_text import shown_text


class Reader(HTMLParser):
    """The text of HTML as a browser has it, and the marked ranges.

    Python's parser does not join CR and LF, so that the test of a real browser is in `test_browser`.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.marks: list[tuple[int, int, str]] = []
        self._open: tuple[int, str] | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "mark"
        self._open = (len(self.text), dict(attrs)["data-keys"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open is not None
        self.marks.append((self._open[0], len(self.text), self._open[1]))

    def handle_data(self, data: str) -> None:
        self.text += data


@st.composite
def marked(draw: st.DrawFn) -> tuple[str, list[Entry]]:
    text = draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
    spans = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text)))
    entries = [
        Entry(
            key=f"p{n}",
            code="R50.9",
            system="icd10cm",
            release="2026",
            evidence=tuple((a, b) for a, b in draw(st.lists(spans, max_size=3)) if a < b),
        )
        for n in range(draw(st.integers(0, 4)))
    ]
    return text, entries


@given(marked())
def test_text_and_marks(case: tuple[str, list[Entry]]) -> None:
    text, entries = case
    assert len(shown_text(text)) == len(text)
    read = Reader(note_html(text, entries))
    assert read.text == shown_text(text)
    covered = {
        (place, entry.key)
        for entry in entries
        for start, end in entry.evidence
        for place in range(start, end)
    }
    assert covered == {
        (place, key)
        for start, end, keys in read.marks
        for key in keys.split()
        for place in range(start, end)
    }


def test_rejected_codes_have_no_marks_and_labels_are_at_the_end_of_a_piece() -> None:
    one = Entry(key="p0", code="A", system="s", release="r", evidence=((0, 5),))
    two = Entry(key="p1", code="B", system="s", release="r", evidence=((3, 8),))
    html = note_html("abcdefghij", [one, two])
    assert [mark[:2] for mark in Reader(html).marks] == [(0, 3), (3, 5), (5, 8)]
    assert html.count('data-label="A"') == html.count('data-label="B"') == 1
    assert 'class="depth2" data-keys="p0 p1" data-label="A"' in html
    assert "<mark" not in note_html("abcdefghij", [one.model_copy(update={"verdict": "reject"})])


def test_a_carriage_return_is_a_reference() -> None:
    assert note_html("a\r\nb", []) == "a&#13;\nb"
    assert shown_text("\x00\x7f\x85\t\n") == "␀␡�\t\n"
