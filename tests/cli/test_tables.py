from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.table import Table

from cclearn.cli.tables import (
    View,
    code_view,
    coded_note_view,
    difference_table,
    dry_run_view,
    hits_table,
    plain_text,
    recipe_table,
    score_table,
)
from cclearn.codes import CodeSystem
from cclearn.codes.search import Hit
from cclearn.evaluation import Comparison, Settings, evaluate
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.training.prepare import EpochRows

TEXT = "Admitted with [bold]acute\nheart failure, on day 2."


def shown(view: View, width: int = 80) -> tuple[str, str]:
    """Return what a terminal of this width shows, plain and with its colours."""
    plain, coloured = io.StringIO(), io.StringIO()
    for part in view:
        Console(width=width, file=plain, no_color=True).print(part)
        Console(width=width, file=coloured, force_terminal=True).print(part)
    return plain.getvalue(), coloured.getvalue()


def note(**fields: object) -> CodedNote:
    start = TEXT.index("acute")
    evidence = Evidence(start=start, end=start + 19, text=TEXT[start : start + 19])
    code = AssignedCode(code="I50.9", description="Heart failure", score=0.9, evidence=[evidence])
    return CodedNote(id="visit-1", text=TEXT, codes=[code], **fields)  # type: ignore[arg-type]


def test_a_note_cannot_command_the_terminal() -> None:
    text = "an\x1b[2Jemia\x07 \x1b]0;title\x9c"
    evidence = Evidence(start=0, end=10, text=text[:10])
    code = AssignedCode(code="D64.9", description="Anemia", evidence=[evidence])
    plain, _ = shown(coded_note_view(CodedNote(id="\x1b[31mid", text=text, codes=[code])))
    assert "\x1b" not in plain
    assert "\x07" not in plain
    assert "\x9c" not in plain
    assert "an\ufffd[2Jemia" in plain


def test_a_code_that_is_not_present_says_so() -> None:
    code = AssignedCode(code="Z85.3", description="History of cancer", assertion="historical")
    plain, _ = shown(coded_note_view(CodedNote(id="one", text=TEXT, codes=[code])))
    assert "History of cancer [historical]" in plain
    assert "[present]" not in shown(coded_note_view(note()))[0]


def test_quotes_are_highlighted_in_their_surroundings() -> None:
    plain, coloured = shown(coded_note_view(note(flags=["truncated"])), width=120)
    assert "visit-1" in plain
    assert "truncated" in plain
    assert "I50.9" in plain
    assert "0.90" in plain
    assert "20:39" in plain.replace(" ", "")
    # A note cannot style the terminal: its brackets are shown as they are.
    assert "[bold]" in plain
    assert "43m" in coloured


def test_decisions_are_shown_and_rejected_codes_come_last() -> None:
    (code,) = note().codes
    rejected = AssignedCode(code="I10", description="Hypertension", score=0.04)
    coded = CodedNote(
        id="n",
        text=TEXT,
        codes=[
            code.model_copy(update={"decision": "accept"}),
            AssignedCode(code="I11.9", decision="review"),
        ],
        rejected=[rejected],
    )
    plain, _ = shown(coded_note_view(coded), width=120)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in plain.splitlines()]
    assert [(row[0], row[2], row[3]) for row in rows if row and row[0]] == [
        ("I50.9", "0.90", "accept"),
        ("I11.9", "–", "review"),
        ("I10", "0.04", "reject"),
    ]
    plain, _ = shown(coded_note_view(CodedNote(id="n", text=TEXT, rejected=[rejected])))
    assert "no codes" not in plain
    assert "reject" in plain


def test_flags_of_rules_are_shown_with_their_code() -> None:
    coded = note()
    (code,) = coded.codes
    flagged = code.model_copy(update={"flags": ["sex: [bold]for males"]})
    plain, _ = shown(coded_note_view(coded.model_copy(update={"codes": [flagged]})), width=120)
    assert "sex: [bold]for males" in plain


def test_remarks_on_a_note_have_their_own_lines() -> None:
    flags = ["suggestion: E87.6 [bold]", "truncated"]
    for coded in (note(flags=flags), CodedNote(id="visit-1", text=TEXT, flags=flags)):
        plain, _ = shown(coded_note_view(coded))
        lines = [line.rstrip() for line in plain.splitlines()]
        assert lines[0] == "visit-1  truncated"
        assert lines[-1] == "suggestion: E87.6 [bold]"


def test_a_note_without_codes_is_shown_as_such() -> None:
    plain, _ = shown(coded_note_view(CodedNote(id="empty", text="")))
    assert "no codes" in plain


def test_the_score_tables_fit_a_terminal(system: CodeSystem) -> None:
    systems = {"tiny/sft_scratch": [note()], "lexicon": []}
    found = evaluate([note()], systems, system, Settings(draws=20), compare=True)
    plain, _ = shown(score_table(found.evaluations))
    lines = [line.rstrip() for line in plain.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "…" not in plain
    assert lines[0] == "1 notes"
    assert lines[1].split() == ["tiny/sft_scratch", "lexicon"]
    (line,) = [line for line in lines if line.startswith("micro F1")]
    assert line.split()[2:] == ["1.000", "(1.000–1.000)", "0.000", "(0.000–0.000)"]
    plain, _ = shown(difference_table(found.differences))
    assert "tiny/sft_scratch − lexicon" in plain
    assert "+1.000 (+1.000 to +1.000)" in plain
    assert max(map(len, plain.splitlines())) <= 80


def test_a_code_is_shown_with_its_family(system: CodeSystem) -> None:
    plain, _ = shown(code_view(system, "I50"))
    assert "alone stands for I50.9" in plain
    assert "I50.1 Left ventricular failure" in plain
    assert "header" in plain


def test_a_code_is_shown_with_its_notes(system: CodeSystem) -> None:
    plain, _ = shown(code_view(system, "S72.001"), width=120)
    assert "A initial encounter for closed fracture" in plain
    assert "traumatic amputation of hip and thigh (S78.-)" in plain


@pytest.fixture(scope="module")
def scores(system: CodeSystem) -> Comparison:
    """Two systems, whose names together are wider than a terminal."""
    systems = {name * 12: [note()] for name in ("first-", "second-")}
    return evaluate([note()], systems, system, Settings(draws=20), compare=True)


def all_views(system: CodeSystem, scores: Comparison) -> dict[str, View]:
    """Return every view of the command line, with content that does not fit into 80 columns."""
    hit = Hit(system["I21.4"], "words that match the title of the code " * 3, 90.0)
    share = EpochRows(
        source=Path("0"),
        kind="span",
        grade="gold",
        rows=9,
        distinct=3,
        tokens=99,
        supervised_tokens=9,
    )
    run = SimpleNamespace(
        epoch_rows=[share], lengths=[(0, 64, 9)], times_seen=lambda part: part.rows / part.distinct
    )
    return {
        "note": coded_note_view(note(flags=["truncated"])),
        "scores": score_table(scores.evaluations),
        "differences": difference_table(scores.differences),
        "code": code_view(system, "I21"),
        "hits": hits_table([hit], system),
        "recipes": recipe_table({"a/" + "name_" * 12: ("purpose " * 20, "hardware " * 20)}),
        "dry run": dry_run_view(run),  # type: ignore[arg-type]
    }


def test_a_pipe_gets_every_table_as_plain_text(
    system: CodeSystem, scores: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    for name, view in all_views(system, scores).items():
        text = plain_text(view)
        assert not set(text) & set("│┃─━┏┓└┘├┤\x1b"), name
        assert all(line == line.rstrip() for line in text.splitlines()), name
        for part in view:
            if isinstance(part, Table):
                for column in part.columns:
                    for cell in column.cells:
                        for line in str(cell).splitlines():
                            assert line.strip() in text, (name, line)
