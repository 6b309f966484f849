from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.codes import official
from tests.commands import fails, one_line, run


@pytest.mark.slow
def test_other_releases_and_tables_of_the_users(tmp_path: Path) -> None:
    table = tmp_path / "operations.csv"
    table.write_text(official.TABLE, encoding="utf-8")
    done = run("code", "-", "--system", table, stdin=b"Recovering from CABG. No valve replaced.\n")
    (code,) = json.loads(done.stdout)["codes"]
    assert (code["code"], code["system"]) == ("10.1", "operations")
    titles = tmp_path / "titles.txt"
    titles.write_text(official.ICD9_TITLES, encoding="utf-8")
    nine = ("--system", "icd9cm", "--release", titles)
    done = run("code", "-", *nine, stdin=b"Acute systolic heart failure.\n")
    (code,) = json.loads(done.stdout)["codes"]
    assert (code["code"], code["system"]) == ("428.21", "icd9cm")
    assert "428.2" in run("codes", "show", "42821", *nine).stdout.decode()
    order = tmp_path / "icd10cm-order-2031.txt"
    order.write_text(official.ORDER, encoding="utf-8")
    shown = json.loads(run("codes", "show", "T07", "--release", order).stdout)
    assert (shown["system"], shown["release"], shown["status"]) == ("icd10cm", "2031", "valid")
    old = order.with_name("icd10cm-order-2030.txt")
    old.write_text(official.ORDER.replace("T07 ", "T06 "), encoding="utf-8")
    message = fails("codes", "show", "T06", "--release", order, "--earlier", old)
    assert "not in icd10cm 2031; it was in 2030" in one_line(message)
    order.write_text("nonsense\n" * 30, encoding="utf-8")
    message = fails("codes", "show", "T07", "--release", order)
    assert message.count("\n") == 2
    assert f"{order}:1: not a line of an order file (and 29 more lines: 2, 3, 4, …)" in message
