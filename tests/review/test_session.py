"""Sessions: proposals, notes without proposals, changed texts, filters, and continuing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.notes import Note
from cclearn.notes.columns import NoteColumns
from cclearn.notes.jsonl import write_rows
from cclearn.review.folder import ReviewFolder
from cclearn.review.run import make_session
from cclearn.review.session import LONGEST_PAUSE, Filter, Refusal, Session
from tests.review.reviews import TEXT, code, coded_note, decide_all, do, start


def test_a_note_is_opened_once_with_its_proposals(tmp_path: Path, system: CodeSystem) -> None:
    negated = code(TEXT, "R50.9", "fever", assertion="negated")
    session = start(tmp_path, system, [coded_note(codes=[*coded_note().codes, negated])])
    for _ in range(2):
        state = session.open(0).state
        assert [entry.code for entry in state.entries.values()] == ["I50.9", "E11.9"]
        assert state.events == 1
    assert [entry.code for entry in state.opened.proposed] == ["I50.9", "E11.9"]


def test_a_share_of_the_notes_is_shown_without_proposals(
    tmp_path: Path, system: CodeSystem
) -> None:
    notes = [coded_note(f"n{n}") for n in range(300)]
    session = start(tmp_path, system, notes, without_proposals=0.1)
    without = [n for n in range(300) if session.is_without_proposals(f"n{n}")]
    assert 15 <= len(without) <= 45
    view = session.open(without[0])
    assert not view.shown
    assert view.state.entries == {}
    # They are recorded all the same, for the scores of the coder.
    assert len(view.state.opened.proposed) == 2
    assert not next(iter(session.log.events(view.note.id))).shown


def test_a_session_continues_where_it_was_stopped(tmp_path: Path, system: CodeSystem) -> None:
    notes = [coded_note(f"n{n}") for n in range(5)]
    session = start(tmp_path, system, notes)
    first = session.next()
    do(session, "accept", first, key="p0")
    session.log.close()
    session = start(tmp_path, system, notes)
    assert session.next() == first
    assert session.open(first).state.entries["p0"].verdict == "accept"
    decide_all(session, lambda code: "accept")
    assert session.done.all()
    assert session.next() is None
    session.log.close()
    assert start(tmp_path, system, notes).done.all()


def test_a_changed_text_is_not_reviewed_and_nothing_is_lost(
    tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note()])
    do(session, "accept", key="p0")
    session.log.close()
    changed = "Two days ago: " + TEXT
    write_rows(tmp_path / "coded.jsonl", [coded_note(text=changed)])
    session = start(tmp_path, system, [])
    view = session.open(0)
    assert "has changed since its review began" in view.problem
    assert view.state.entries == {}
    with pytest.raises(Refusal, match="has changed"):
        do(session, "accept", key="p0")
    assert len([*session.log.events("n1")]) == 2


def test_evidence_that_is_not_in_the_note_is_an_error(tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note()])
    path = tmp_path / "coded.jsonl"
    session.log.close()
    path.write_text(path.read_text().replace("Acute heart", "acute Heart"))
    session = start(tmp_path, system, [])
    with pytest.raises(CclearnError, match="the quote is not in the note at 6:19"):
        session.open(0)


def test_another_corpus_is_refused(tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note()])
    session.open(0)
    session.log.close()
    write_rows(tmp_path / "coded.jsonl", [coded_note("other")])
    with pytest.raises(CclearnError, match="none of the 1 reviewed notes is among these notes"):
        start(tmp_path, system, [])


def test_notes_may_be_added_and_missing_ones_are_reported(
    tmp_path: Path, system: CodeSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    session = start(tmp_path, system, [coded_note("n1"), coded_note("n2")])
    session.open(0)
    session.open(1)
    session.log.close()
    write_rows(tmp_path / "coded.jsonl", [coded_note("n2"), coded_note("n3")])
    session = start(tmp_path, system, [])
    assert "Reviewed notes that are not among these notes: 1." in capsys.readouterr().err
    assert session.opened.tolist() == [True, False]


def test_filters(tmp_path: Path, system: CodeSystem) -> None:
    plain = coded_note("n1", codes=[code(TEXT, "I50.9", "heart failure", score=0.9)])
    low = coded_note("n2")
    flagged = coded_note("n3", codes=[code(TEXT, "R05.9", flags=["rule: x"])], flags=["rule: y"])
    session = start(tmp_path, system, [plain, low, flagged])
    chosen = {}
    for kind in ("all", "flagged", "low", "undecided"):
        session.filter = Filter(kind)
        chosen[kind] = session.allowed().tolist()
    assert chosen == {
        "all": [True, True, True],
        "flagged": [False, False, True],
        "low": [False, True, False],
        "undecided": [False, False, False],
    }
    session.filter = Filter("all", "E11")
    assert session.allowed().tolist() == [False, True, False]
    assert session.next() == 1
    session.open(1)
    session.filter = Filter("undecided")
    assert session.allowed().tolist() == [False, True, False]


def test_a_long_pause_does_not_count_as_work(
    tmp_path: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("cclearn.review.session.time.monotonic", lambda: now)
    session = start(tmp_path, system, [coded_note()])
    seen = session.open(0).state.events
    now = 40.0
    session.act(0, seen, lambda view, _: view.state.finish(False))
    now = 40_000.0
    state = session.act(0, seen + 1, lambda view, _: view.state.finish(False)).state
    assert state.seconds == 40 + LONGEST_PAUSE


def test_notes_without_codes_are_coded_when_they_are_opened(
    tmp_path: Path, system: CodeSystem
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.txt").write_text(TEXT)
    (tmp_path / "notes" / "two.txt").write_text("Cough.")
    folder = ReviewFolder.start(
        tmp_path / "reviewed", {"without_proposals": 0.0}, [tmp_path / "notes"], NoteColumns()
    )
    loads = []

    def load() -> tuple[object, str]:
        from cclearn.coding import Coder

        loads.append(1)
        return Coder.lexicon(system), "f" * 64

    session, _label = make_session(folder, "anna", system, "random", load)  # type: ignore[arg-type]
    assert not loads
    assert session.corpus.ids == ["one", "two"]
    view = session.open(0)
    assert "I50.9" in {entry.code for entry in view.state.entries.values()}
    assert (view.state.opened.model, view.state.opened.model_sha256) == ("lexicon", "f" * 64)
    session.open(1)
    assert len(loads) == 1
    assert session.next() == 0
    assert (tmp_path / "reviewed" / "notes.jsonl").stat().st_mode & 0o777 == 0o600


def test_settings_of_a_review_do_not_change(tmp_path: Path, system: CodeSystem) -> None:
    start(tmp_path, system, [coded_note()], kept_apart=0.2).log.close()
    start(tmp_path, system, [], kept_apart=0.2).log.close()
    with pytest.raises(
        ConfigurationError, match=r"kept_apart \(given: 0.3\): the review began with 0.2"
    ):
        start(tmp_path, system, [], kept_apart=0.3)
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "file").touch()
    with pytest.raises(CclearnError, match="not the folder of a review"):
        ReviewFolder.start(tmp_path / "else", {}, [tmp_path / "coded.jsonl"], NoteColumns())


def test_an_order_that_needs_codes_or_scores_is_refused_without_them(
    tmp_path: Path, system: CodeSystem
) -> None:
    write_rows(tmp_path / "coded.jsonl", [Note(id="n1", text=TEXT)])
    with pytest.raises(ConfigurationError, match="the notes have no codes"):
        start(tmp_path, system, [], order="value")
    (tmp_path / "coded.jsonl").unlink()
    unscored = coded_note(codes=[code(TEXT, "I50.9", "heart failure")])
    with pytest.raises(ConfigurationError, match="no code has a score"):
        start(tmp_path, system, [unscored], order="uncertain")


def test_a_note_that_cannot_be_shown_does_not_stop_the_review(
    tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note(f"n{n}") for n in range(3)])
    first = session.next()
    assert first is not None
    session.open(first)
    session.log.close()
    # The text of the begun note changes, and another line gets a field that no note has.
    other = (first + 1) % 3
    lines = (tmp_path / "coded.jsonl").read_text().splitlines(keepends=True)
    lines[first] = lines[first].replace("no fever.", "no fever!")
    lines[other] = lines[other].replace('"id":', '"unit":"x","id":')
    (tmp_path / "coded.jsonl").write_text("".join(lines))
    session = start(tmp_path, system, [])
    assert session.next() == first
    assert session.open(first).problem
    with pytest.raises(CclearnError, match="unknown field"):
        session.open(other)
    assert session.next() == 3 - first - other
    assert session.blocked.sum() == 2


def test_the_coder_may_fail_for_a_note(tmp_path: Path, system: CodeSystem) -> None:
    (tmp_path / "notes").mkdir()
    for name in ("a", "b"):
        (tmp_path / "notes" / f"{name}.txt").write_text(TEXT)
    folder = ReviewFolder.start(tmp_path / "reviewed", {}, [tmp_path / "notes"], NoteColumns())

    def load() -> tuple[object, str]:
        raise CclearnError("the model does not answer")

    session, _ = make_session(folder, "anna", system, "random", load)  # type: ignore[arg-type]
    first = session.next()
    assert first is not None
    with pytest.raises(CclearnError, match="does not answer"):
        session.open(first)
    # The other note is next, and then the coder may answer again.
    assert session.next() == 1 - first
    with pytest.raises(CclearnError, match="does not answer"):
        session.open(1 - first)
    assert session.next() == first
    assert session.log.notes == {}


def test_a_failed_first_start_can_be_corrected(tmp_path: Path, system: CodeSystem) -> None:
    (tmp_path / "notes.csv").write_text(f'id,text\nn1,"{TEXT}"\n')

    def begin(order: str, reviewer: str = "anna") -> Session:
        paths = [tmp_path / "notes.csv"]
        folder = ReviewFolder.start(tmp_path / "reviewed", {}, paths, NoteColumns())
        return make_session(folder, reviewer, system, order, lambda: 1 / 0)[0]  # type: ignore[arg-type]

    with pytest.raises(ConfigurationError, match="the notes have no codes"):
        begin("value")
    with pytest.raises(CclearnError, match="--reviewer"):
        begin("random", "a b")
    one = begin("random")
    # A second reviewer starts: the copy of the first one stays readable.
    other = begin("random", "bob")
    assert one.corpus.read(0).text == other.corpus.read(0).text == TEXT
    names = {path.name for path in (tmp_path / "reviewed").iterdir()}
    assert names == {"review.json", "notes.jsonl", "decisions", ".lock"}
    one.log.close()
    other.log.close()


def test_codes_in_another_spelling_are_the_same_code(tmp_path: Path, system: CodeSystem) -> None:
    codes = [code(TEXT, "i509", "heart failure"), code(TEXT, "I50.9", "Acute")]
    session = start(tmp_path, system, [coded_note(codes=codes)])
    (entry,) = session.open(0).state.entries.values()
    assert (entry.code, entry.proposed, entry.evidence) == ("I50.9", "I50.9", ((0, 5), (6, 19)))
    with pytest.raises(Refusal, match="in the list already"):
        do(session, "add", code="I509")
    session.filter = Filter("all", "I50.9")
    assert session.allowed().all()


@pytest.mark.parametrize(
    "row",
    [
        '{"id": "a", "text": 5}',
        '{"id": "a", "text": "x", "codes": [{"code": "I10", "score": "x"}]}',
        '{"id": "a", "text": "x", "codes": ["I10"]}',
        '{"id": "a", "text": "x", "codes": [{"code": "I10", "system": null}]}',
        '{"id": "a", "text": "x", "codes": 7}',
        "[]",
        "{",
    ],
)
def test_lines_that_are_no_notes_are_named(tmp_path: Path, system: CodeSystem, row: str) -> None:
    (tmp_path / "coded.jsonl").write_text(coded_note().model_dump_json() + "\n" + row + "\n")
    with pytest.raises(CclearnError, match=r"coded\.jsonl:2: "):
        start(tmp_path, system, [])


def test_minutes_are_not_lost_by_reloading_or_refused_actions(
    tmp_path: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("cclearn.review.session.time.monotonic", lambda: now)
    session = start(tmp_path, system, [coded_note("n1"), coded_note("n2")])
    session.open(0)
    now = 100.0
    with pytest.raises(Refusal):
        do(session, "done")
    session.open(0)
    assert do(session, "accept", key="p0").state.seconds == 100.0
    session.open(1)
    now = 150.0
    assert session.open(0).state.seconds == 100.0
    now = 160.0
    assert do(session, "accept", key="p1").state.seconds == 110.0


def test_several_files_a_bom_parquet_and_fhir(tmp_path: Path, system: CodeSystem) -> None:
    import base64
    import json

    import pyarrow.parquet

    from cclearn.review.note_index import index_notes

    write_rows(tmp_path / "a.jsonl", [coded_note("n1")])
    write_rows(tmp_path / "b.ndjson", [coded_note("n2")])
    (tmp_path / "b.ndjson").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "b.ndjson").read_bytes())
    copy = tmp_path / "copy.jsonl"
    index = index_notes([tmp_path / "a.jsonl", tmp_path / "b.ndjson"], NoteColumns(), copy)
    assert (index.ids, index.is_coded, len(index.proposed.codes)) == (["n1", "n2"], True, 4)
    assert [index.read(n).id for n in range(2)] == ["n1", "n2"]
    rows = [json.loads(coded_note("n3").model_dump_json())]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "c.parquet")
    index = index_notes([tmp_path / "c.parquet"], NoteColumns(), copy)
    assert (index.ids, index.is_coded) == (["n3"], True)
    attachment = {"contentType": "text/plain", "data": base64.b64encode(TEXT.encode()).decode()}
    resource = {
        "resourceType": "DocumentReference",
        "id": "resource",
        "identifier": [{"value": "visit"}],
        "content": [{"attachment": attachment}],
    }
    (tmp_path / "d.ndjson").write_text(json.dumps(resource))
    index = index_notes([tmp_path / "d.ndjson"], NoteColumns(), copy)
    assert (index.ids, index.is_coded, index.read(0).text) == (["visit"], False, TEXT)


def test_a_file_that_changes_during_the_review_is_noticed(
    tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note("n1"), coded_note("n2")])
    with (tmp_path / "coded.jsonl").open("a") as stream:
        stream.write("\n")
    assert session.corpus.read(1).id == "n2"
    write_rows(tmp_path / "coded.jsonl", [coded_note("a longer name"), coded_note("n2")])
    with pytest.raises(CclearnError, match="the file was changed"):
        session.corpus.read(1)


def test_a_refused_start_changes_nothing(tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note()])
    session.open(0)
    session.log.close()
    settings = tmp_path / "reviewed" / "review.json"
    before = settings.read_bytes()
    for reviewer in ("anna", "bob"):
        write_rows(tmp_path / "other.jsonl", [coded_note("other")])
        folder = ReviewFolder.start(
            tmp_path / "reviewed", {}, [tmp_path / "other.jsonl"], NoteColumns()
        )
        with pytest.raises(CclearnError, match="It is another corpus"):
            make_session(folder, reviewer, system, "random", lambda: 1 / 0)  # type: ignore[arg-type]
        folder = ReviewFolder.start(tmp_path / "reviewed", {}, [tmp_path / "none"], NoteColumns())
        with pytest.raises(CclearnError, match="no such file"):
            make_session(folder, reviewer, system, "random", lambda: 1 / 0)  # type: ignore[arg-type]
    assert settings.read_bytes() == before


def test_codes_of_another_system_and_similar_names_are_refused(
    tmp_path: Path, system: CodeSystem
) -> None:
    session = start(tmp_path, system, [coded_note()], "Anna")
    with pytest.raises(CclearnError, match="there is a reviewer Anna"):
        start(tmp_path, system, [], "anna")
    session.log.close()
    (tmp_path / "coded.jsonl").unlink()
    other = code(TEXT, "I50.9", "heart failure", system="icd10")
    with pytest.raises(ConfigurationError, match="the notes have codes of icd10"):
        start(tmp_path, system, [coded_note(codes=[other])])


def test_filters_do_not_tell_what_is_hidden(tmp_path: Path, system: CodeSystem) -> None:
    session = start(tmp_path, system, [coded_note(flags=["rule: x"])], without_proposals=1.0)
    for chosen in (Filter("flagged"), Filter("low"), Filter("all", "I50")):
        session.filter = chosen
        assert not session.allowed().any()
    session.filter = Filter()
    assert session.allowed().all()
