from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cclearn.audit.run import AuditInputs, run_audit
from cclearn.audit.settings import AuditSettings
from cclearn.cli.audit import audit_view
from cclearn.codes import CodeSystem
from tests.audit.corpora import note_set, random_text
from tests.commands import fails, one_line, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """A folder with real notes, and synthetic notes of which one is a copy."""
    folder = tmp_path_factory.mktemp("notes")
    real = [random_text(f"real {n}", 60) for n in range(30)]
    good = [random_text(f"synthetic {n}", 60) for n in range(30)]
    for name, texts in (("real", real), ("good", good), ("bad", [*good[1:], real[0]])):
        note_set(folder / f"{name}.jsonl", texts, system)
    return folder


def test_the_exit_code_is_the_verdict(folder: Path, tmp_path: Path) -> None:
    against = ("--against", folder / "real.jsonl")
    good = run("audit", folder / "good.jsonl", *against)
    assert good.returncode == 0, good.stderr
    assert good.stdout.decode().endswith("verdict: pass\n")
    bad = run("audit", folder / "bad.jsonl", *against, "--out", tmp_path / "report", "--json")
    assert bad.returncode == 1, bad.stderr
    content = json.loads(bad.stdout)
    assert content == json.loads((tmp_path / "report" / "audit.json").read_text("utf-8"))
    assert content["checks"][0]["notes"] == ["bad-29"]
    assert "Report: " in bad.stderr.decode()
    again = fails("audit", folder / "bad.jsonl", *against, "--out", tmp_path / "report")
    assert "--overwrite" in one_line(again)
    allowed = run("audit", folder / "bad.jsonl", *against, "most_copies=1")
    assert allowed.returncode == 0, allowed.stderr


def test_canaries_are_planted_and_found(folder: Path, tmp_path: Path) -> None:
    secrets, out = tmp_path / "canaries.json", tmp_path / "planted"
    planted = run(
        *("audit", folder / "real.jsonl", "--plant", 5, "--secrets", secrets, "--out", out)
    )
    assert planted.returncode == 0, planted.stderr
    found = run("audit", out, "--canaries", secrets)
    assert found.returncode == 1, found.stderr
    assert "canaries in the notes, of 5" in found.stdout.decode()
    for secret in json.loads(secrets.read_text())["secrets"]:
        assert secret not in found.stdout.decode() + planted.stderr.decode()
    assert run("audit", folder / "real.jsonl", "--canaries", secrets).returncode == 0


@pytest.mark.slow
def test_mistakes_are_explained_in_one_line(folder: Path, tmp_path: Path) -> None:
    good = folder / "good.jsonl"
    assert "a folder or a file of notes is needed" in one_line(fails("audit"))
    assert "contains no notes.jsonl" in one_line(fails("audit", folder))
    assert "canaries also need --secrets and --out" in one_line(
        fails("audit", good, "--plant", "3")
    )
    message = one_line(fails("audit", good, "--members", good))
    assert "Name --members and --non-members" in message
    message = one_line(fails("audit", good, "most_copys=3"))
    assert "Did you mean 'most_copies'" in message
    listed = run("audit", "--list")
    assert listed.returncode == 0
    assert "similarity = 0.5" in listed.stdout.decode()


def test_the_tables_fit_a_terminal(folder: Path, system: CodeSystem) -> None:
    inputs = AuditInputs(folder / "bad.jsonl", folder / "real.jsonl")
    report = run_audit(inputs, system, AuditSettings(lexicon_notes=5))
    shown = StringIO()
    for part in audit_view(report):
        Console(width=80, file=shown, no_color=True).print(part)
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (copies,) = [line.split() for line in lines if line.startswith("copies of")]
    assert copies[-3:] == ["1", "0", "FAIL"]
    assert lines[-1] == "verdict: FAIL"
