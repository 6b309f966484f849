"""Forty actions of a newcomer: wrong files, columns and options, pipes, stops and missing networks.

Each does what a reader of `--help` expects. A mistake is answered in a few lines that name it and say
what to do, and nothing is left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.front_door.desk import Desk, Outcome

Check = Callable[[Outcome], bool]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


REFUSED = [
    # Wrong files.
    ("code gone.txt", "gone.txt: no such file"),
    ("code scan.pdf", "scan.pdf: it is a PDF. Extract its text"),
    ("code letter.docx", "letter.docx: it is a document of Word. Save it as plain text"),
    ("code scan.png", "scan.png: it is a picture. Recognise its text"),
    ("code notes.xlsx", "notes.xlsx: it is a workbook. Save its sheet as CSV"),
    ("code notes.json", "to_json(orient='records', lines=True)"),
    ("code notes.csv.gz", "it is compressed. Decompress it first"),
    ("code nothing", "nothing: contains no .txt file"),
    ("code latin.txt", "latin.txt: not UTF-8 at byte 1. Convert it first."),
    # Wrong columns.
    ("code notes.csv", "text: missing. The fields are note_id, age, note. Name that of the text"),
    ("code notes.csv --text-column nota", "nota: missing. The fields are note_id, age, note."),
    ("code notes.csv --text-column note --id-column number", "number: missing. The fields are"),
    ("code pandas.jsonl", "text: missing. The fields are note_id, age, note."),
    # Wrong options.
    ("code note.txt --modle lexicon", "No such option: --modle"),
    ("code", "Missing argument"),
    ("code note.txt --model nowhere/model/folder", "model (model = nowhere/model/folder)"),
    ("code note.txt --mode spanloop", "there is no such mode. Did you mean 'span_loop'?"),
    ("code note.txt --format xml", "format (name = xml): not known."),
    ("code note.txt --engine batch_sise=3", "batch_sise"),
    ("codes show ZZZ.99", "code (code = ZZZ.99): not in icd10cm"),
    ("code note.txt --system icd11", "code system (name = icd11): not known."),
    ("serve --port seaport", "--port"),
    # Outputs that cannot be written.
    (
        "code note.txt --out coded.json",
        "its suffix is not that of a format. Did you mean '.jsonl'?",
    ),
    ("code note.txt --out gold.jsonl", "gold.jsonl): it exists already. Name another or pass"),
    ("code note.txt --out /proc/coded.jsonl", "/proc/coded.jsonl: No such file or directory"),
    ("code note.txt --out note.txt/", "output (out = note.txt): it is a file. Name a folder."),
    # Evaluation and training.
    (
        "evaluate --gold no.jsonl --pred none",
        "no.jsonl: no such file. Name another.\nnone: no such",
    ),
    ("evaluate --gold gold.jsonl --pred others.jsonl", "others"),
    ("train qwen3-4b/sft_lora", "this machine has no GPU. Train it on a machine with one"),
    ("train tiny/sft_scrach", "no such recipe. Did you mean 'tiny/sft_scratch'?"),
    ("train tiny/sft_scratch", "no such file"),
    ("build icd10cm", "build: --out needed. See `cclearn build --list`."),
]
"""Commands that are refused, and what the message contains."""


@pytest.mark.parametrize(("command", "message"), REFUSED)
def test_a_mistake_is_named_with_what_to_do(
    command: str, message: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    before = sorted(desk.folder.rglob("*"))
    found = desk.run(command)
    assert found.code == 2
    assert found.out == ""
    assert message in found.err
    assert len(found.err.splitlines()) <= 8
    assert "Traceback" not in found.err
    assert "heart failure" not in found.err
    assert sorted(desk.folder.rglob("*")) == before


def test_a_table_of_any_kind_is_coded(desk: Desk) -> None:
    for name in ("notes.csv", "notes.tsv", "excel.csv", "pandas.jsonl", "pandas.parquet"):
        found = desk.run(f"code {name} --text-column note --id-column note_id")
        assert found.code == 0
        assert found.rows[0]["id"] == "1"
        assert found.rows[0]["codes"]
        kept = desk.run(f"code {name} --text-column note --id-column note_id --keep-fields")
        if name not in ("notes.tsv", "excel.csv"):
            assert "not read: age (--keep-fields adds them to the output)." in found.err
            assert kept.rows[0]["metadata"] in ({"age": 64}, {"age": "64"})
        assert kept.err == ""


def test_several_paths_and_folders_are_read(desk: Desk) -> None:
    found = desk.run("code note.txt ward")
    assert [row["id"] for row in found.rows] == ["note", "a", "older/a"]
    assert found.err == "ward: not read: 1 .pdf. Only the .txt files of a folder are.\n"
    twice = desk.run("code ward/a.txt ward/older/a.txt")
    assert twice.code == 2
    assert "id: 'a' occurs twice" in twice.err


def test_standard_input_is_told_by_its_content(desk: Desk) -> None:
    assert desk.run("code -", b"Asthma.").rows[0]["id"] == "stdin"
    assert desk.run("code -", b'{"id": 7, "text": "Asthma."}\n').rows[0]["id"] == "7"
    rows = desk.run("code - --text-column note", b"id,note\n3,Asthma.\n").rows
    assert rows[0]["codes"][0]["code"] == "J45.909"


def test_gold_notes_are_coded_and_scored_without_a_step_between(desk: Desk) -> None:
    assert desk.run("code gold.jsonl --out coded/").code == 0
    found = desk.run("evaluate --gold gold.jsonl --pred coded --draws 0")
    assert found.code == 0
    assert "micro F1" in found.out
    assert "1.000" in found.out


def test_codes_are_looked_up_in_any_spelling(desk: Desk) -> None:
    assert "I21.4" in desk.run("codes show i214 --system ICD-10-CM").out
    assert '"I50.9"' in desk.run(["codes", "search", "heart failure unspecified", "--json"]).out
    assert desk.run("codes search -h").code == 0


def test_an_empty_note_is_flagged(desk: Desk) -> None:
    assert desk.run("code empty.txt").rows[0]["flags"] == ["text: empty"]


def test_a_spreadsheet_is_written(desk: Desk) -> None:
    for name in ("coded.csv", "coded.xlsx"):
        assert desk.run(f"code note.txt --out {name}").code == 0
        assert (desk.folder / name).stat().st_size > 100


def test_unknown_codes_do_not_become_training_rows(desk: Desk) -> None:
    settings = "rows.sources=[{kind: document, path: wrong.jsonl}]"
    found = desk.run(["recipes", "validate", "tiny/sft_scratch", settings, "--dry-run"])
    assert found.code == 2
    assert "1 code is unknown (ZZZ.99)" in found.err
    assert "set rows.invalid to drop" in found.err


def test_a_copied_recipe_names_itself(desk: Desk) -> None:
    assert desk.run("recipes cp qwen3-4b/sft_lora mine.yaml").code == 0
    assert "cclearn train mine.yaml" in (desk.folder / "mine.yaml").read_text()


def test_a_missing_network_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = desk.run("code note.txt --model OWNER/NAME")
    assert found.code == 2
    assert len(found.err.splitlines()) == 1
    assert "OWNER/NAME" in found.err
    recipe = ["recipes", "validate", "qwen3-4b/sft_lora", "--dry-run"]
    rows = "rows.sources=[{kind: document, path: gold.jsonl}]"
    found = desk.run([*recipe, rows, "rows.evaluation=[]"])
    assert found.code == 2
    assert len(found.err.splitlines()) == 1


def test_a_stopped_run_over_a_corpus_continues(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from cclearn.bulk import run as bulk_run

    code_shard = bulk_run.code_shard
    calls = 0

    def stop_at_the_second(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return code_shard(*arguments)  # type: ignore[arg-type]

    command = "code gold.jsonl --out coded --shard-size 1"
    monkeypatch.setattr(bulk_run, "code_shard", stop_at_the_second)
    stopped = desk.run(command)
    assert stopped.code == 130
    assert (
        "Stopped. Finished shards are kept. Run the same command again to continue." in stopped.err
    )
    monkeypatch.setattr(bulk_run, "code_shard", code_shard)
    assert desk.run(command).code == 0
    assert len(list((desk.folder / "coded" / "shards").glob("*.done"))) == 2
