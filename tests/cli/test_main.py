from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import CCLEARN, fails, one_line, run

NOTE = "Admitted with İ pneumonia.\r\nNo asthma.\n"


def test_a_text_file_is_coded_as_jsonl(tmp_path: Path) -> None:
    (tmp_path / "visit.txt").write_bytes(NOTE.encode())
    command = [*CCLEARN, "code", str(tmp_path / "visit.txt")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.decode().splitlines()
    row = json.loads(line)
    assert (row["id"], row["text"]) == ("visit", NOTE)
    (code,) = row["codes"]
    assert code["code"] == "J18.9"
    assert code["evidence"] == [{"start": 16, "end": 25, "text": "pneumonia"}]


def test_the_encounter_decides_whether_uncertain_diagnoses_are_coded(tmp_path: Path) -> None:
    (tmp_path / "visit.txt").write_text("Suspected pneumonia. Asthma.")
    for encounter, codes in (("inpatient", ["J18.9", "J45.909"]), ("outpatient", ["J45.909"])):
        done = run("code", tmp_path / "visit.txt", "--encounter", encounter)
        assert done.returncode == 0, done.stderr
        assert [code["code"] for code in json.loads(done.stdout)["codes"]] == codes
    assert run("code", tmp_path / "visit.txt", "--encounter", "ward").returncode == 2


def test_every_kind_of_input_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.txt").write_bytes(NOTE.encode())
    jsonl = tmp_path / "notes.jsonl"
    jsonl.write_text(json.dumps({"id": "x", "text": NOTE}) + "\n" + '{"id": "y", "text": ""}\n')
    ids = [json.loads(line)["id"] for line in run("code", folder).stdout.splitlines()]
    assert ids == ["a", "b"]
    rows = [json.loads(line) for line in run("code", jsonl).stdout.splitlines()]
    assert [(row["id"], len(row["codes"])) for row in rows] == [("x", 1), ("y", 0)]
    (row,) = run("code", "-", stdin=NOTE.encode()).stdout.splitlines()
    assert json.loads(row)["text"] == NOTE


def test_pairs_add_phrases_to_the_lexicon(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    row = {"id": "p", "text": "sugar trouble", "code": "E11.9", "release": "r", "grade": "gold"}
    pairs.write_text(json.dumps({**row, "source": "ours"}) + "\n")
    done = run("code", "-", "--pairs", pairs, stdin=b"Trouble with sugar.")
    assert [code["code"] for code in json.loads(done.stdout)["codes"]] == ["E11.9"]
    message = one_line(fails("code", "-", "--pairs", pairs, "--model", "openai:x", stdin=b"x"))
    assert "a model in single_pass does not use them" in message


def test_an_output_file_is_written_once(tmp_path: Path) -> None:
    out = tmp_path / "coded.jsonl"
    assert run("code", "-", "--out", out, stdin=b"asthma").returncode == 0
    first = out.read_bytes()
    assert "--overwrite" in one_line(fails("code", "-", "--out", out, stdin=b"x"))
    assert out.read_bytes() == first
    assert run("code", "-", "--out", out, "--overwrite", stdin=b"").returncode == 0
    assert json.loads(out.read_text())["codes"] == []


def test_an_error_about_malformed_input_does_not_quote_the_note(tmp_path: Path) -> None:
    secret = "John Doe"
    bad = {
        "latin.txt": (f"{secret} na".encode() + b"\xef", "not UTF-8 at byte 11"),
        "broken.jsonl": (f'{{"id": "a", "text": "{secret}'.encode(), ":1: not JSON"),
        "field.jsonl": (
            f'{{"id": "a", "txt": "{secret}"}}'.encode(),
            ":1: text: missing. The fields are id, txt. Name that of the text with --text-column",
        ),
    }
    for name, (content, expected) in bad.items():
        (tmp_path / name).write_bytes(content)
        message = one_line(fails("code", tmp_path / name, "--out", tmp_path / "out.jsonl"))
        assert name in message
        assert expected in message
        assert secret not in message
    assert "no such file" in one_line(fails("code", tmp_path / "gone.txt"))
    assert not (tmp_path / "out.jsonl").exists()


def test_readable_notes_are_coded_although_others_are_malformed(tmp_path: Path) -> None:
    rows, out = tmp_path / "notes.jsonl", tmp_path / "out.jsonl"
    good = [f'{{"id": "{name}", "text": "Asthma."}}'.encode() for name in "abc"]
    rows.write_bytes(b"\n".join([good[0], b"{", good[1], b"\xff\xfe", good[0], good[2]]))
    message = fails("code", rows, "--out", out)
    assert "3 notes coded" in message
    assert [line.partition("jsonl:")[2].partition(":")[0] for line in message.splitlines()[1:]] == [
        "2",
        "4",
        "5",
    ]
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["a", "b", "c"]
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.txt").write_bytes(b"\x89PNG\x00" if name == "b" else b"Asthma.")
    done = run("code", folder)
    assert (done.returncode, len(done.stdout.splitlines())) == (2, 2)
    assert "b.txt: not UTF-8 at byte 0" in done.stderr.decode()


def test_notes_without_an_answer_are_counted(tmp_path: Path) -> None:
    answers, out = tmp_path / "answers.jsonl", tmp_path / "coded.tsv"
    answers.write_text('{"id": "x", "answer": "none"}\n')
    for arguments in ((), ("--out", out)):
        done = run("code", "-", "--model", f"replay:{answers}", *arguments, stdin=b"<b>x</b> <i>")
        assert done.returncode == 0
        assert done.stderr.decode().endswith("notes flagged no_answer: 1\n")


def test_unknown_names_come_with_a_suggestion(tmp_path: Path) -> None:
    assert "Did you mean 'icd10cm'" in one_line(fails("code", "-", "--system", "icd10"))
    assert "Did you mean 'I21.4'" in one_line(fails("codes", "show", "I21.44"))
    assert "Did you mean 'icd10cm'" in one_line(fails("build", "icd10", "--out", tmp_path / "o"))
    assert "no such folder" in one_line(fails("code", "-", "--model", tmp_path / "none"))
    assert "Did you mean 'lexicon'" in one_line(fails("code", "-", "--model", "lexico"))
    assert "batch_sise: unknown setting. Did you mean 'batch_size'?" in one_line(
        fails("code", "-", "--engine", "batch_sise=3")
    )
    message = fails("build", "icd10cm", "undr=9", "--out", tmp_path / "o")
    assert "undr: unknown setting. Did you mean 'under'?" in one_line(message)


@pytest.mark.slow
def test_a_model_with_unsuitable_options_is_reported_on_one_line(tmp_path: Path) -> None:
    from tests.models import random_engine

    engine = random_engine()
    engine.model.save_pretrained(tmp_path / "model")
    engine.tokenizer.save_pretrained(tmp_path / "model")
    manifest = tmp_path / "model" / "manifest.json"
    model = ("--model", tmp_path / "model", "--engine", "max_new_tokens=8")
    manifest.write_text('{"code_system": {"name": "icd10cm", "release": "2019"}}')
    done = run("code", "-", *model, "--out", tmp_path / "out.jsonl", stdin=b"Asthma.")
    assert done.returncode == 0
    warning, coded, cut = done.stderr.decode().splitlines()
    assert warning.startswith("release (release = ")
    assert "has learnt icd10cm 2019" in warning
    assert coded.startswith("1 note coded with model")
    assert cut == "notes flagged truncated: 1"
    manifest.write_text('{"code_system": {"name": "icd9cm", "release": "2014"}}')
    assert "has learnt icd9cm" in one_line(fails("code", "-", *model, stdin=b"Asthma."))
    (tmp_path / "model" / "adapter_config.json").write_text('{"base_model_name_or_path": "/gone"}')
    (tmp_path / "model" / "adapter_model.safetensors").touch()
    manifest.unlink()
    assert "there is no model /gone" in one_line(fails("code", "-", *model, stdin=b"Asthma."))


def test_unusable_outputs_are_reported_on_one_line(tmp_path: Path) -> None:
    message = one_line(fails("code", "-", "--out", f"{tmp_path}/", "--overwrite"))
    assert "a run that can be continued must read a file" in message
    assert "a run that can be continued" in one_line(
        fails("code", "-", "--out", tmp_path / "corpus")
    )
    (tmp_path / "file").touch()
    message = fails("build", "icd10cm", "under=I21", "--out", tmp_path / "file", "--overwrite")
    assert "it is a file" in one_line(message)
    assert "seed: " in fails("build", "icd10cm", "seed=2024-13-45", "--out", tmp_path / "o")
    assert "not YAML" in fails("build", "icd10cm", "codes=[I10", "--out", tmp_path / "o")
    long = fails("build", "icd10cm", "words of a note " * 50 + "SECRET", "--out", tmp_path / "o")
    assert "not of the form key=value" in long
    assert "SECRET" not in long
    assert (tmp_path / "file").read_bytes() == b""


def test_a_corpus_is_coded_into_a_folder_and_exported(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"n{number}", "text": NOTE}) for number in range(5)]
    (tmp_path / "notes.jsonl").write_text("\n".join([*lines, '{"id": "torn", "te']))
    done = run("code", tmp_path / "notes.jsonl", "--out", "coded/", "--shard-size", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.decode().splitlines()
    assert lines[:2] == [
        "notes coded: 5 (codes: 5, shards: 3): coded",
        "rows rejected, unreadable: 1; row 6: not JSON at column 16 (coded/rejected.jsonl)",
    ]
    assert done.stdout == b""
    for ending in ("jsonl", "tsv"):
        exported = run("export", tmp_path / "coded", "--out", tmp_path / f"all.{ending}")
        assert exported.returncode == 0, exported.stderr
    shards = sorted((tmp_path / "coded" / "shards").glob("*.jsonl"))
    assert (tmp_path / "all.jsonl").read_bytes() == b"".join(map(Path.read_bytes, shards))
    assert "n4\tJ18.9" in (tmp_path / "all.tsv").read_text()
    again = run("code", tmp_path / "notes.jsonl", "--out", tmp_path / "coded", "--shard-size", 3)
    assert "shard_size: 2 there, 3 here" in one_line(again.stderr.decode())
    assert "it exists already" in fails("export", tmp_path / "coded", "--out", tmp_path / "all.tsv")
    (tmp_path / "coded" / "summary.json").unlink()
    message = fails("export", tmp_path / "coded", "--out", tmp_path / "more.jsonl")
    assert "its run is not finished" in one_line(message)


def test_a_corpus_without_a_note_fails(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text('{"id": "torn", "te')
    message = fails("code", tmp_path / "notes.jsonl", "--out", tmp_path / "coded")
    assert "no note was coded" in message
    assert "several processes can only write a folder" in fails(
        "code", tmp_path / "notes.jsonl", "--out", tmp_path / "x.jsonl", "--ray", "local"
    )
    assert "only the shards of a folder can be coded again" in fails(
        "code", tmp_path / "notes.jsonl", "--retry"
    )


@pytest.mark.slow
def test_a_chapter_may_be_a_number(tmp_path: Path) -> None:
    assert run("build", "icd10cm", "under=22", "--out", tmp_path / "o").returncode == 0


def test_building_and_evaluating(tmp_path: Path) -> None:
    pairs, notes = tmp_path / "pairs", tmp_path / "notes"
    assert run("build", "icd10cm", "under=J40-J4A", "--out", pairs).returncode == 0
    done = run(
        *("build", "template_notes", f"pairs={pairs / 'pairs.jsonl'}", "notes=30", "--out", notes)
    )
    assert done.returncode == 0, done.stderr
    gold, coded = notes / "notes.jsonl", tmp_path / "coded.jsonl"
    plain = tmp_path / "plain.jsonl"
    rows = [json.loads(line) for line in gold.read_text().splitlines()]
    plain.write_text("".join(json.dumps({"id": r["id"], "text": r["text"]}) + "\n" for r in rows))
    assert run("code", plain, "--out", coded).returncode == 0
    systems = ("--gold", gold, "--pred", coded, "--pred", gold)
    done = run("evaluate", *systems, "--out", tmp_path / "e", "--edition-map", "packaged")
    assert done.returncode == 0, done.stderr
    assert "micro F1, edition map" in done.stdout.decode()
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    right, coded_ = (metrics["systems"][name]["scores"] for name in ("notes", "coded"))
    assert right["micro_f1"]["value"] == right["evidence_span_f1"]["value"] == 1.0
    assert 0.3 < coded_["micro_f1"]["value"] <= 1.0
    assert coded_["micro_f1"]["low"] <= coded_["micro_f1"]["value"] <= coded_["micro_f1"]["high"]
    page = (tmp_path / "e" / "report.html").read_text()
    assert "micro F1" in page
    assert rows[0]["text"][:40] not in page
    shown = run("evaluate", "--gold", gold, "--pred", coded, "--out", tmp_path / "s", "--show", "3")
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "s" / "report.html").read_text().count("<article>") == 3
    done = run("compare", *systems, "--draws", "50")
    assert done.returncode == 0, done.stderr
    assert "coded − notes" in done.stdout.decode()
    done = run("compare", "--gold", gold, "--pred", coded)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "only one system" in done.stderr.decode()
    listing = run("build", "--list").stdout.decode()
    assert "icd10cm:" in listing
    assert "pairs = required" in listing


def test_codes_are_shown_and_searched() -> None:
    # Standard output is a pipe here, which receives JSON.
    shown = json.loads(run("codes", "show", " i214 ").stdout)
    assert shown["description"] == "Non-ST elevation (NSTEMI) myocardial infarction"
    assert shown["status"] == "valid"
    found = json.loads(run("codes", "search", "htn", "--limit", "2", "--billable").stdout)
    assert [(hit["code"], hit["matched"]) for hit in found] == [
        ("I10", "hypertension"),
        ("I1A.0", "Other hypertension"),
    ]
    within = json.loads(run("codes", "search", "MI", "--chapter", "I30-I52").stdout)
    assert within[0]["code"] == "I34.0"


def test_a_search_without_result_is_an_error() -> None:
    message = one_line(fails("codes", "search", "xyzzyqq", "--billable"))
    assert message.startswith("text: nothing found in icd10cm April-1-2026. ")
    assert "xyzzyqq" not in message
    assert "chapter (chapter = IX)" in one_line(fails("codes", "search", "chf", "--chapter", "IX"))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["code", "-"], ["codes", "show", "I10"]]
)
def test_light_commands_import_neither_torch_nor_spacy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom cclearn.cli import main as cli\nsys.argv = ['cclearn', *sys.argv[1:]]\n"
        "try:\n    cli.main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "heavy = {'torch', 'spacy', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        input=b"asthma",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_import_is_light() -> None:
    program = "import cclearn, sys; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_codes_in_settings_stay_as_they_are_written(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(
        "code,description\n250.1,One\n250.10,Ten\n010,Octal\n8,Eight\n", encoding="utf-8"
    )
    done = run(
        *(
            "build",
            "user_table",
            "codes=[250.10, 010]",
            "--system",
            table,
            "--out",
            tmp_path / "out",
        )
    )
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "out" / "pairs.jsonl").read_text().splitlines()
    assert [json.loads(row)["code"] for row in rows] == ["250.10", "010"]


def test_a_schedulers_stop_cleans_up(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*CCLEARN, "build", "icd10cm", "under=19", "variants=8", "--out", "out"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.partial*/rejected.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_no_folder_around_the_working_directory_is_replaced(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "precious.txt").touch()
    for out in ("..", "."):
        done = run("build", "icd10cm", "under=I21", "--out", out, "--overwrite", cwd=inner)
        assert done.returncode == 2
        assert "the working directory is in it" in done.stderr.decode()
    done = run("build", "icd10cm", "under=I21", "--out", tmp_path / "a", "--overwrite")
    assert "it is no data set that cclearn wrote" in done.stderr.decode()
    assert (tmp_path / "a" / "precious.txt").exists()
