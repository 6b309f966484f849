from __future__ import annotations

import csv
import io
import re

from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes import AssignedCode, CodedNote
from cclearn.outputs import find_output
from tests.outputs.notes import EMPTY, FULL, coded_notes

FORMULA = re.compile(r"'['\s]*[=+\-@＝＋－＠]")


def written(*notes: CodedNote, name: str = "tsv") -> str:
    return "".join(find_output(None, name).chunks(notes))


def rows(text: str) -> list[dict[str, str]]:
    """Read a table as the documentation says it is read."""
    return [
        {key: cell[1:] if FORMULA.match(cell) else cell for key, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text, newline=""), dialect="excel-tab")
    ]


def test_every_line_is_as_computed_by_hand() -> None:
    head, *lines = written(FULL, EMPTY).split("\n")
    assert head == (
        "note_id\tcode\tsystem\tdescription\tscore\tstart\tend\tquote\tassertion\tstatus\tflags\tdecision\tnote_flags"
    )
    failure = (
        "visit 7\tI50.23\ticd10cm\tAcute on chronic systolic (congestive) heart failure\t0.75\t"
    )
    flags = "present\tvalid\texcludes1: I50.9 | low\t\ttruncated"
    assert lines == [
        "visit 7\tI25.2\ticd10cm\tOld myocardial infarction\t0.25\t0\t6\tOld MI\thistorical\tvalid"
        "\t\t\ttruncated",
        f"{failure}9\t48\tAcute on chronic systolic heart failure\t{flags}",
        f"{failure}35\t48\theart failure\t{flags}",
        "visit 7\tR52\ticd10cm\tPain, unspecified\t\t51\t58\t\U0001f9e0  pain\tpresent\tvalid"
        "\t\t\ttruncated",
        "visit 7\tJ45.909\ticd10cm\t\t\t71\t77\tasthma\tfamily\tvalid\t\t\ttruncated",
        "visit 7\tE11\ticd10cm\tType 2 diabetes mellitus\t\t\t\t\tpresent\theader\t\t\ttruncated",
        "visit 7\tJ18.9\t\t\t\t\t\tpneumonia\t\t\tungrounded\t\ttruncated",
        "visit 7\tI50\t\t\t\t\t\t\t\theader\tinvalid\t\ttruncated",
        "visit 7\t\t\t\t\t\t\t\t\tunreadable\tinvalid\t\ttruncated",
        "8\t\t\t\t\t\t\t\t\t\t\t\t",
        "",
    ]


def test_decisions_and_rejected_codes_have_lines() -> None:
    codes = [AssignedCode(code="I10", score=0.95, decision="accept")]
    rejected = [AssignedCode(code="R52", score=0.01)]
    both = CodedNote(id="1", text="x", codes=codes, rejected=rejected)
    only = CodedNote(id="2", text="x", rejected=rejected)
    assert [(row["code"], row["decision"]) for row in rows(written(both, only))] == [
        ("I10", "accept"),
        ("R52", "reject"),
        ("R52", "reject"),
    ]


def test_no_cell_is_a_formula() -> None:
    for text in (
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        " =1",
        "＝1",
        "'=1",
        '=HYPERLINK("x","y")',
    ):
        codes = [AssignedCode(code="I10", description=text)]
        note = CodedNote(id=text, text=text, codes=codes)
        (cells,) = csv.reader(written(note).split("\n")[1:2], dialect="excel-tab")
        assert cells[0] == cells[3] == "'" + text.replace("\t", " ")


@given(st.lists(coded_notes(), max_size=3))
def test_a_table_is_read_back(notes: list[CodedNote]) -> None:
    text = written(*notes)
    read = rows(text)
    assert len(text.split("\n")) == len(read) + 2
    assert not re.search(r"[^\t\n\x20-\x7e\xa0-\U0010ffff]|[\u2028\u2029]", text)
    next_row = 0
    for note in notes:
        for assigned in (*note.codes, *note.rejected):
            for piece in assigned.evidence:
                row = read[next_row]
                next_row += 1
                assert (row["code"], row["system"]) == (assigned.code, assigned.system)
                decided = "reject" if assigned in note.rejected else assigned.decision or ""
                assert row["decision"] == decided
                start, end = int(row["start"]), int(row["end"])
                assert (start, end) == (piece.start, piece.end)
                assert len(row["quote"]) == end - start
                pairs = zip(row["quote"], note.text[start:end], strict=True)
                assert all(a == b or (a == " " and not b.isprintable()) for a, b in pairs)
                assert row["score"] == ("" if assigned.score is None else str(assigned.score))
            next_row += not assigned.evidence
        next_row += len(note.ungrounded) + len(note.invalid)
        next_row += not (note.codes or note.rejected or note.ungrounded or note.invalid)
    assert next_row == len(read)


@given(coded_notes())
def test_csv_has_the_rows_of_tsv(note: CodedNote) -> None:
    tables = [
        list(csv.reader(io.StringIO(written(note, name=name), newline=""), dialect=dialect))
        for name, dialect in (("tsv", "excel-tab"), ("csv", "excel"))
    ]
    assert tables[0] == tables[1]


def test_kept_metadata_has_columns_of_its_own() -> None:
    notes = [FULL.model_copy(update={"metadata": {"ward": "A", "seen": ["x"]}}), EMPTY]
    found = rows(written(*notes))
    assert {row["ward"] for row in found} == {"A", ""}
    assert found[0]["seen"] == '["x"]'
    assert found[-1]["note_id"] == EMPTY.id
