from __future__ import annotations

import re

import pytest

from cclearn.codes import CodeSystem
from cclearn.evaluation import evaluate
from cclearn.evaluation.report.content import Report
from cclearn.evaluation.report.html_page import html_report
from cclearn.evaluation.report.markdown_page import markdown_report
from cclearn.notes import AssignedCode, CodedNote, Evidence

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SCRIPT = "<script>alert('x')</script> & sepsis\nasthma"


SEPSIS = (SCRIPT.index("sepsis"), SCRIPT.index("sepsis") + 6)
ASTHMA = (SCRIPT.index("asthma"), SCRIPT.index("asthma") + 6)


def note(*cited: tuple[int, int, str]) -> CodedNote:
    codes = [
        AssignedCode(
            code=code,
            description="a <b> & c",
            score=0.5,
            evidence=[Evidence(start=start, end=end, text=SCRIPT[start:end])],
        )
        for start, end, code in cited
    ]
    return CodedNote(id="<i>1</i>", text=SCRIPT, codes=codes)


def test_a_note_cannot_script_the_page(system: CodeSystem) -> None:
    gold = note((0, 8, "A41.9"), (*ASTHMA, "J45.909"))
    answer = note((0, 8, "A41.9"), (4, 12, "I10"), (*ASTHMA, "E11.9"))
    scores = evaluate([gold], {"<model>": [answer]}, system).evaluations
    page = html_report(
        Report(
            "<title>",
            ["<p>"],
            scores,
            gold=[gold],
            predicted={"<model>": {gold.id: answer}},
        )
    )
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<i>" not in page
    assert "&lt;model&gt;" in page
    assert "a &lt;b&gt; &amp; c" in page
    assert not re.search(r"(?:src|href)\s*=\s*['\"]?(?!['\"]?#)|url\((?!#)|@import", page)


def test_highlights_distinguish_correct_from_wrong_codes(system: CodeSystem) -> None:
    gold = note((*SEPSIS, "A41.9"))
    answer = note((*SEPSIS, "A41.9"), (*ASTHMA, "J45.909"))
    scores = evaluate([gold], {"m": [answer]}, system).evaluations
    page = html_report(Report("t", [], scores, gold=[gold], predicted={"m": {gold.id: answer}}))
    marks = re.findall(r'<mark class="(\w+)">(.*?)<span>(.*?)</span>', page)
    assert marks == [
        ("gold", "sepsis", "A41.9"),
        ("right", "sepsis", "A41.9"),
        ("wrong", "asthma", "J45.909"),
    ]
    assert "0.667" in page


def test_confusions_are_shown_as_a_tree(system: CodeSystem) -> None:
    gold = note((*SEPSIS, "A41.9"), (*ASTHMA, "J45.909"))
    answer = note((*SEPSIS, "A41.89"), (*ASTHMA, "J45.901"))
    scores = evaluate([gold], {"m": [answer]}, system).evaluations
    page_text = markdown_report(Report("t", [], scores))
    assert (
        f"- **J45.90** {system.description('J45.90')}: 1 note\n  - J45.909 Unspecified" in page_text
    )
    page = html_report(Report("t", [], scores))
    confusion = (
        "J45.909 Unspecified asthma, uncomplicated, taken for J45.901 Unspecified asthma with"
    )
    assert f"<li>{confusion} (acute) exacerbation: 1 note</li>" in page
    assert page.count("<ul>") == page.count("</ul>")
