from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.audit.report import report_json, report_markdown, write_report
from cclearn.audit.run import AuditInputs, AuditReport, run_audit
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError
from tests.audit.corpora import changed, note_set, random_text

SETTINGS = AuditSettings(draws=50, lexicon_notes=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """A folder with notes, a reference, members and other notes."""
    folder = tmp_path_factory.mktemp("audit")
    real = [f"{random_text(f'real {n}', 60, True)} MRN {7_000_000 + n}." for n in range(40)]
    synthetic = [random_text(f"synthetic {n}", 60, True) for n in range(40)]
    bad = [*synthetic[:-3], real[1], changed(real[2], 25), f"{synthetic[-1]} MRN 7000003."]
    for name, texts in (("real", real), ("good", synthetic), ("bad", bad), ("other", synthetic)):
        note_set(folder / f"{name}.jsonl", texts, system)
    return folder


def audit(folder: Path, system: CodeSystem, name: str) -> AuditReport:
    path = folder / f"{name}.jsonl"
    others = (folder / "real.jsonl", folder / "real.jsonl", folder / "other.jsonl")
    return run_audit(AuditInputs(path, *others), system, SETTINGS)


def test_every_fault_is_found(folder: Path, system: CodeSystem) -> None:
    report = audit(folder, system, "bad")
    failed = {check.name: check.notes for check in report.checks if check.passed is False}
    assert failed == {
        "copies": ("bad-37",),
        "near_duplicates": ("bad-38",),
        "leaks": ("bad-37", "bad-38", "bad-39"),
    }
    assert not report.passed


def test_disjoint_notes_pass(folder: Path, system: CodeSystem) -> None:
    report = audit(folder, system, "good")
    assert report.passed
    assert [check.name for check in report.checks] == [
        "copies",
        "passages",
        "near_duplicates",
        "leaks",
        "membership",
        "code_texts",
        "unsupported",
        "compression",
    ]


def test_reports_have_no_text_and_are_the_same_again(
    folder: Path, system: CodeSystem, tmp_path: Path
) -> None:
    report = audit(folder, system, "bad")
    write_report(tmp_path, report)
    page = (tmp_path / "audit.md").read_text(encoding="utf-8")
    content = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps(report_json(report)))
    assert content["passed"] is False
    assert content["audited"]["size"]["notes"] == 40
    assert {check["name"]: check["passed"] for check in content["checks"]}["copies"] is False
    assert content["leaks"]["places"][0]["note"] == "bad-37"
    assert "# Audit: failed" in page
    assert "- bad-37" in page
    assert "| copies of reference notes | 1 | 0 | FAIL |" in page
    for text in ("7000003", "patient was informed", random_text("real 1", 60).split()[0]):
        assert text not in page
        assert text not in json.dumps(content)
    assert report_markdown(audit(folder, system, "bad")) == page
    assert (tmp_path / "audit.json").stat().st_mode & 0o777 == 0o600


def test_an_audit_without_a_reference_names_what_it_did_not_run(
    folder: Path, system: CodeSystem
) -> None:
    report = run_audit(AuditInputs(folder / "good.jsonl"), system, SETTINGS)
    assert report.passed
    page = report_markdown(report)
    assert "Not run: overlap and leaks. Name --against." in page
    assert report_json(report)["overlap"] is None


def test_incomplete_inputs_are_refused(folder: Path, system: CodeSystem, tmp_path: Path) -> None:
    good = folder / "good.jsonl"
    with pytest.raises(ConfigurationError) as refused:
        run_audit(AuditInputs(good, members=good, model="runs/x"), system)
    assert len(refused.value.problems) == 2
    assert "Name --members and --non-members." in refused.value.problems[0]
    assert "Name --canaries." in refused.value.problems[1]
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(DataError, match="contains no notes"):
        run_audit(AuditInputs(tmp_path / "empty.jsonl"), system)
