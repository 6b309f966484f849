from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.order_file import read_order_file
from cclearn.errors import DataError, DataErrors
from tests.codes.official import ORDER, TABULAR

NAME = "icd10cm-order-April-2031.txt"


def test_columns(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(ORDER, encoding="utf-8")
    rows = read_order_file(path)
    assert len(rows) == 8
    assert rows[5].code == "S72001A"
    assert rows[5].billable
    assert not rows[0].billable
    assert rows[5].short_title == "Fx neck of right femur, init"
    assert rows[6].title == "Fracture of neck of right femur, sequela"


def test_a_release_of_the_order_file_alone(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.gz"
    path.write_bytes(gzip.compress(ORDER.encode()))
    system = CodeSystem.load("icd10cm", path)
    assert system.release == "April-2031"
    assert system.status("s72001a") == "valid"
    assert system.status("S72.00XS") == "unknown"
    assert system.ancestors("S72.001A") == [
        "S72.001",
        "S72.00",
        "S72.0",
        "S72",
        "S70-S79",
        "19",
    ]
    assert system["S72.001A"].short_title == "Fx neck of right femur, init"
    assert system.seventh_characters("S72.001")["S"] == "sequela"
    # Loaded again it comes from the cache; another content of the same name does not.
    assert CodeSystem.load("icd10cm", path) is system
    path.write_bytes(gzip.compress(ORDER.replace("00008 T07     1", "00008 T07     0").encode()))
    assert CodeSystem.load("icd10cm", path).status("T07") == "header"


def test_order_file_and_tabular_list_together(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(ORDER, encoding="utf-8")
    (tmp_path / "icd10c-tabular-April-1-2031.xml").write_text(TABULAR, encoding="utf-8")
    system = CodeSystem.load("icd10cm", tmp_path)
    assert system.status("S72.00XS") == "unknown"
    assert system.synonyms("S72.0") == ("Fractured neck", "Hip fracture NOS")
    assert system["S72.00XA"].short_title == "Fracture of neck of femur, init"
    (tmp_path / NAME).write_text(ORDER.replace("T07 ", "T08 "), encoding="utf-8")
    with pytest.raises(DataError, match=r"another release .* 2 codes .* T07, T08"):
        CodeSystem.load("icd10cm", tmp_path)


def test_every_wrong_line_is_reported(tmp_path: Path) -> None:
    path = tmp_path / NAME
    lines = ORDER.splitlines()
    lines[1] = "nonsense"
    lines[3] = lines[3][:70]
    lines.append(lines[0])
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataErrors) as error:
        read_order_file(path)
    text = str(error.value)
    assert f"{NAME}:2: not a line of an order file" in text
    assert f"{NAME}:4: not a line of an order file" in text
    assert f"{NAME}:9: code: S72 occurs twice" in text
    assert len(error.value.problems) == 3


@pytest.mark.parametrize("content", [b"", gzip.compress(ORDER.encode())[:-9], b"no gzip"])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"{NAME}.gz"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_order_file(path)


def test_a_retired_code_is_not_an_unknown_one(tmp_path: Path) -> None:
    old = ORDER + ORDER.splitlines()[-1].replace("00008 T07 ", "00009 T99 ") + "\n"
    (tmp_path / NAME).write_text(ORDER, encoding="utf-8")
    (tmp_path / "icd10cm-order-2030.txt").write_text(old, encoding="utf-8")
    system = CodeSystem.load("icd10cm", tmp_path / NAME, [tmp_path / "icd10cm-order-2030.txt"])
    assert system.status("t99") == "retired"
    assert system.status("T98") == "unknown"
    assert "T99" not in system
    assert CodeSystem.load("icd10cm", tmp_path / NAME).status("T99") == "unknown"


@pytest.mark.shared_data
def test_the_official_file_of_2025(shared_data: Path) -> None:
    path = shared_data / "icd10cm_2025" / "icd10cm-order-April-2025.txt.gz"
    rows = read_order_file(path)
    assert len(rows) == 97_584
    assert sum(row.billable for row in rows) == 74_260
    system = CodeSystem.load("icd10cm", path)
    assert len(system.billable_codes()) == 74_260
    assert {system.chapter(code) for code in system.billable_codes()} == {
        str(number) for number in range(1, 23)
    }
    now = CodeSystem.load("icd10cm", earlier=[path])
    assert now.status("S30.1XXA") == "retired"
