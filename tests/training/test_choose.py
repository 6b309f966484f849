from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.errors import ConfigurationError
from cclearn.notes import AssignedCode, CodedNote, Evidence, SpanPair
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs, write_rows
from cclearn.rows import TrainingRow, encode_rows
from cclearn.training.choose import ChosenRows, choose_rows
from cclearn.training.dry_run import dry_run
from cclearn.training.initial_model import initial_tokenizer
from cclearn.training.prepare import PreparedRows, prepare_rows
from cclearn.training.scratch import make_model
from cclearn.training.sft import run_sft
from tests.models import SHAPE
from tests.training.runs import tiny_recipe


def third(data: Path, **settings: object) -> list[str]:
    """Return what adds span rows of the notes to the recipe's pairs and notes."""
    pairs, notes = (str(data / kind / f"{kind}.jsonl") for kind in ("pairs", "notes"))
    sources = [
        {"kind": "span", "path": pairs},
        {"kind": "document", "path": notes, **{k: v for k, v in settings.items() if k in DOCUMENT}},
        {"kind": "span", "path": notes, **{k: v for k, v in settings.items() if k not in DOCUMENT}},
    ]
    return [f"rows.sources={json.dumps(sources)}"]


DOCUMENT = ("segments", "empty")


def texts(chosen: ChosenRows) -> Counter[str]:
    return Counter("none" if row.completion == "none" else row.kind for row in chosen.rows)


def test_sources_of_notes_give_segments_and_spans(data: Path, system: CodeSystem) -> None:
    notes = list(read_coded_notes(data / "notes" / "notes.jsonl", system))
    recipe = tiny_recipe(data, Path("x"), *third(data, negatives=3, segments="sentence"))
    pairs, documents, spans = choose_rows(recipe, system)
    assert (documents.read, spans.read) == (len(notes), len(notes))
    evidence = sum(len(code.evidence) for note in notes for code in note.codes)
    cited = sum(row.completion.count("- ") for row in documents.rows)
    assert cited == evidence
    assert texts(documents)["none"] > 0
    # Each string and code that a note cites is a span row, and at most three others are.
    expected = {
        (note.id, string_key(e.text), code.code)
        for note in notes
        for code in note.codes
        for e in code.evidence
    }
    assert texts(spans)["span"] == len(expected)
    assert 0 < texts(spans)["none"] <= 3 * len(notes)
    known = {string_key(row.text) for row in pairs.rows} | {string for _, string, _ in expected}
    assert not any(string_key(row.text) in known for row in spans.rows if not row.code)
    assert all(row.kind == "span" for row in spans.rows)
    assert all(system.description(row.code)[:1] for row in spans.rows if row.code)
    assert len({row.id for row in spans.rows}) == len(spans.rows)
    assert choose_rows(recipe, system)[2] == spans
    other = choose_rows(recipe.model_copy(update={"seed": 1}), system)[2]
    assert {row.id for row in other.rows} != {row.id for row in spans.rows}


def test_caps_and_shares_apply_to_rows_of_notes(data: Path, system: CodeSystem) -> None:
    def spans(**settings: object) -> ChosenRows:
        return choose_rows(tiny_recipe(data, Path("x"), *third(data, **settings)), system)[2]

    free = spans(negatives=3)
    per_code = spans(negatives=3, most_per_code=1)
    assert texts(per_code)["none"] == texts(free)["none"]
    assert max(Counter(row.code for row in per_code.rows if row.code).values()) == 1
    assert len(spans(negatives=3, most=7).rows) == 7
    assert texts(spans(negatives=0))["none"] == 0
    recipe = tiny_recipe(data, Path("x"), *third(data, negatives=3, empty=0.0, segments="section"))
    assert texts(choose_rows(recipe, system)[1])["none"] == 0


@pytest.mark.parametrize(
    ("order", "kinds"),
    [
        ("mixed", [{"span", "document"}]),
        ("span_then_document", [{"span"}, {"document"}]),
        ("span_only", [{"span"}]),
        ("document_only", [{"document"}]),
    ],
)
def test_every_order_includes_rows_of_notes(
    data: Path, system: CodeSystem, order: str, kinds: list[set[str]]
) -> None:
    settings = [f"rows.order={order}", "training.steps=null", "training.epochs=1"]
    recipe = tiny_recipe(data, Path("x"), *third(data, negatives=2, segments="section"), *settings)
    chosen = choose_rows(recipe, system)
    tokenizer = initial_tokenizer(recipe, [row for c in chosen for row in c.rows], system)
    prepared = prepare_rows(recipe, chosen, tokenizer)
    assert [{row.kind for row in phase} for phase in prepared.phases] == kinds
    nothing = {row.id for c in chosen for row in c.rows if row.completion == "none"}
    assert nothing
    assert nothing < {row.id for phase in prepared.phases for row in phase}


def test_rows_of_notes_that_occur_in_an_evaluation_are_dropped(
    data: Path, tmp_path: Path, system: CodeSystem
) -> None:
    notes = list(read_coded_notes(data / "notes" / "notes.jsonl"))
    pair = next(iter(read_span_pairs(data / "pairs" / "pairs.jsonl")))
    source = third(data, negatives=3, segments="sentence")
    before = choose_rows(tiny_recipe(data, tmp_path, *source), system)[2]
    cited = [row for row in before.rows if row.code][-1]
    evaluation_pairs = [pair.model_copy(update={"id": "evaluation", "text": cited.text.upper()})]
    write_rows(tmp_path / "pairs.jsonl", evaluation_pairs)
    write_rows(tmp_path / "notes.jsonl", notes[:5])
    files = [{"kind": k, "path": str(tmp_path / f"{n}.jsonl")} for k, n in KINDS]
    recipe = tiny_recipe(data, tmp_path, *source, f"rows.evaluation={json.dumps(files)}")
    _, documents, spans = choose_rows(recipe, system)
    out = {note.id for note in notes[:5]}
    assert out == set(documents.contaminated)
    # No segment of a note that is left out is trained on, and every one of the others is.
    assert {row.id.split("#")[0] for row in documents.rows} == {note.id for note in notes} - out
    assert cited.id.split("@")[0] not in out
    assert {*out, cited.id} <= set(spans.contaminated)
    assert cited.text not in {row.text for row in spans.rows}
    # Two sources name the notes' file: what is left out of either is contaminated.
    contaminated = PreparedRows([], [], [documents, spans], [], []).contaminated_ids()
    assert {path: set(ids) for path, ids in contaminated.items()} == {
        str(data / "notes" / "notes.jsonl"): {*documents.contaminated, *spans.contaminated}
    }
    assert len(contaminated[str(data / "notes" / "notes.jsonl")]) == len(set(spans.contaminated))


KINDS = (("span", "pairs"), ("document", "notes"))


def test_the_rows_of_a_note_stay_on_one_side_of_the_split(data: Path, system: CodeSystem) -> None:
    settings = ["development={share: 0.3, every: 2}"]
    recipe = tiny_recipe(data, Path("x"), *third(data, negatives=3, segments="sentence"), *settings)
    _, documents, spans = choose_rows(recipe, system)

    def notes(rows: list[TrainingRow]) -> set[str]:
        return {row.id.split("#")[0].split("@")[0] for row in rows}

    assert notes(documents.development) == notes(spans.development) != set()
    assert not notes(documents.development) & notes(documents.rows)
    assert not notes(spans.development) & notes(spans.rows)


def test_a_note_that_is_all_evidence_has_no_other_words(tmp_path: Path, system: CodeSystem) -> None:
    text = "Acute heart failure"
    evidence = [Evidence(start=0, end=len(text), text=text)]
    note = CodedNote(id="n", text=text, codes=[AssignedCode(code="I50.9", evidence=evidence)])
    pair = SpanPair(id="p", text="gout", code="M10.9", release="r", grade="gold", source="x")
    for name, row in (("notes", note), ("pairs", pair)):
        (tmp_path / name).mkdir()
        write_rows(tmp_path / name / f"{name}.jsonl", [row])
    _, _, spans = choose_rows(
        tiny_recipe(tmp_path, tmp_path, *third(tmp_path, negatives=5)), system
    )
    assert [row.code for row in spans.rows] == ["I50.9"]
    write_rows(tmp_path / "notes" / "notes.jsonl", [CodedNote(id="n", text="Seen today.")])
    with pytest.raises(ConfigurationError, match="no row of it is left"):
        choose_rows(tiny_recipe(tmp_path, tmp_path, *third(tmp_path, negatives=5)), system)


def test_a_run_learns_the_answer_none(data: Path, tmp_path: Path, system: CodeSystem) -> None:
    settings = [*third(data, negatives=3, segments="sentence"), "training.steps=60"]
    recipe = tiny_recipe(data, tmp_path / "run", *settings)
    dry = dry_run(recipe)
    folder = run_sft(recipe)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [(row["kind"], row["grade"]) for row in manifest["rows"]] == [
        ("span", "gold"),
        ("document", None),
        ("span", None),
    ]
    assert [part.rows for part in dry.epoch_rows] == [row["rows"] for row in manifest["rows"]]
    assert set(manifest["contaminated"]) == {str(source.path) for source in recipe.rows.used}
    assert "| span |  | synthetic |" in (folder / "README.md").read_text()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    before = make_model(SHAPE, tokenizer, 512).eval()
    after = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    _, documents, spans = choose_rows(recipe, system)
    for rows in (documents.rows, spans.rows):
        nothing = [row for row in rows if row.completion == "none"][:8]
        first, last = (_loss(model, tokenizer, nothing) for model in (before, after))
        assert last < 0.5 * first


def _loss(model: torch.nn.Module, tokenizer: object, rows: list[TrainingRow]) -> float:
    """Return the mean loss on the answers of rows."""
    encoded, _ = encode_rows(rows, tokenizer, 4096)  # type: ignore[arg-type]
    losses = []
    for row in encoded:
        ids = torch.tensor([row.input_ids])
        labels = ids.masked_fill(~torch.tensor([row.completion_mask], dtype=torch.bool), -100)
        with torch.no_grad():
            losses.append(float(model(input_ids=ids, labels=labels, use_cache=False).loss))
    return sum(losses) / len(losses)


def test_codes_that_are_not_billable_are_refused_dropped_or_replaced(
    data: Path, tmp_path: Path, system: CodeSystem
) -> None:
    notes = list(read_coded_notes(data / "notes" / "notes.jsonl", system))
    first, second = notes[0].codes[0], notes[1].codes[0]
    for note, assigned, code in ((notes[0], first, "ZZZ.99"), (notes[1], second, "I50")):
        note.codes[note.codes.index(assigned)] = assigned.model_copy(update={"code": code})
    write_rows(tmp_path / "notes.jsonl", notes)
    path = json.dumps(str(tmp_path / "notes.jsonl"))
    settings = [f"rows.sources.1.path={path}"]
    recipe = tiny_recipe(data, tmp_path / "x", *settings)
    with pytest.raises(
        ConfigurationError, match=r"1 code is a header \(I50\) and 1 code is unknown"
    ):
        dry_run(recipe)
    # Notes that are only coded are checked too.
    write_rows(tmp_path / "apart.jsonl", notes[:2])
    apart = json.dumps(str(tmp_path / "apart.jsonl"))
    development = f"development={{path: {apart}, every: 2}}"
    with pytest.raises(ConfigurationError, match=r"development \(path = .*1 code is unknown"):
        dry_run(tiny_recipe(data, tmp_path / "x", development))
    dropped = dry_run(tiny_recipe(data, tmp_path / "x", *settings, "rows.invalid=drop"))
    assert (dropped.invalid, dropped.replaced) == (2, 0)
    recipe = tiny_recipe(data, tmp_path / "x", *settings, "rows.invalid=unspecified")
    replaced = dry_run(recipe)
    assert (replaced.invalid, replaced.replaced) == (1, 1)
    rows = {row.id: row for row in choose_rows(recipe, system)[1].rows}
    assert "I50.9" in rows[notes[1].id].completion


def test_codes_without_evidence_are_refused_dropped_or_trained_on(
    data: Path, tmp_path: Path, system: CodeSystem
) -> None:
    notes = list(read_coded_notes(data / "notes" / "notes.jsonl", system))
    with_codes = [number for number, note in enumerate(notes) if len(note.codes) > 1]
    for number in with_codes[:2]:
        bare = notes[number].codes[0].model_copy(update={"evidence": []})
        notes[number] = notes[number].model_copy(update={"codes": [bare, *notes[number].codes[1:]]})
    first, second = notes[with_codes[0]], notes[with_codes[1]]
    all_bare = [a.model_copy(update={"evidence": []}) for a in second.codes]
    notes[with_codes[1]] = second.model_copy(update={"codes": all_bare})
    write_rows(tmp_path / "notes.jsonl", notes)
    path = json.dumps(str(tmp_path / "notes.jsonl"))
    settings = [f"rows.sources.1.path={path}"]
    count = 1 + len(all_bare)
    with pytest.raises(ConfigurationError, match=f"{count} codes have no evidence, in 2 notes"):
        dry_run(tiny_recipe(data, tmp_path / "x", *settings))

    def rows(*changes: str) -> dict[str, TrainingRow]:
        recipe = tiny_recipe(data, tmp_path / "x", *settings, *changes)
        run = dry_run(recipe)
        assert (run.uncited, run.uncited_notes) == (count, 2)
        return {row.id: row for row in choose_rows(recipe, system)[1].rows}

    kept = rows("rows.uncited=drop_code")
    assert len(kept) == len(notes) - 1  # No code of the second note is left.
    assert first.codes[0].code not in kept[first.id].completion
    assert first.codes[1].code in kept[first.id].completion
    kept = rows("rows.uncited=drop_note")
    assert len(kept) == len(notes) - 2
    assert first.id not in kept
    kept = rows("rows.uncited=answer_only", "rows.template=codes")
    assert len(kept) == len(notes)
    codes = [assigned.code for assigned in second.codes]
    assert kept[second.id].completion == "\n".join(["Codes:", *(f"- {code}" for code in codes)])
    for wrong in (
        ["rows.uncited=answer_only"],
        ["rows.template=codes"],
        ["rows.uncited=answer_only", "rows.template=codes", "rows.overflow=window"],
        ["rows.uncited=answer_only", "rows.template=codes", "rows.sources.1.segments=sentence"],
    ):
        with pytest.raises(ConfigurationError, match="codes"):
            tiny_recipe(data, tmp_path / "x", *settings, *wrong)
