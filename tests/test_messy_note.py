from __future__ import annotations

from tests.messy_note import MENTIONS, NOT_FOUND, NOTE, PAGE, page_with_codes


def test_the_page_shows_the_present_codes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_with_codes()


def test_every_reason_is_about_words_of_the_note() -> None:
    text = NOTE.read_text(encoding="utf-8")
    assert [words for words in (*MENTIONS, *NOT_FOUND) if words not in text] == []
