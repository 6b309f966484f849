from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.user_table import read_user_table
from cclearn.errors import DataError, DataErrors
from tests.codes.official import TABLE


def write(folder: Path, content: str) -> Path:
    path = folder / "operations.csv"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_table_is_a_code_system(tmp_path: Path) -> None:
    path = write(tmp_path, TABLE)
    system = CodeSystem.load(str(path))
    assert (system.name, system.release) == ("operations", "2031")
    assert system["10.1"].synonyms == ("CABG", "heart bypass")
    assert system["10.2"].description == "Valve, replaced"
    assert system.status("101") == "valid"
    assert system.status("10") == "header"
    assert system.ancestors("10.1") == ["10"]
    assert CodeSystem.load("mine", path).name == "mine"


def test_two_columns_are_enough(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffDescription,Code\r\nOffice visit,A99213\r\n\r\nHome visit,a1\r\n")
    system = CodeSystem.load(str(path))
    assert system.release == "operations"
    assert system.billable_codes() == ["A99213", "a1"]
    assert system.status("A1") == "valid"


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (
            "code,descripton\n1,x\n",
            [
                "unknown column 'descripton'. Did you mean 'description'?",
                "the column 'description' is missing",
            ],
        ),
        ("", ["'code' is missing", "'description' is missing"]),
        ("code,description\n", ["contains no code"]),
        ("code,description\n1,x\n2,\n,y\n", ["csv:3: description: empty", "csv:4: code: empty"]),
        ("code,description\n1,x\n1,y\n", ["csv:3: code: 1 is in line 2 too"]),
        (
            "code,description\n1.0,x\n99213.0,y\n",
            ["csv:2: code: 1.0 was converted to a number", "csv:3"],
        ),
        ("code,description,parent\n1,x,2\n", ["csv:2: parent: 2 has no row"]),
        ("code,description,parent\n1,x,2\n2,y,1\n", ["csv:2: parent: 1 is below itself"]),
        ("code,description,billable\n1,x,maybe\n", ["csv:2: billable: neither 1 nor 0"]),
        ("code,description,release\n1,x,a\n2,x,b\n", ["release: several releases: a, b"]),
        ("code,description\n1\n", ["csv:2: 1 fields, the header has 2"]),
        ('code,description\n1,"x\n', ["not CSV"]),
    ],
)
def test_all_problems_are_reported(tmp_path: Path, content: str, messages: list[str]) -> None:
    with pytest.raises(DataErrors) as error:
        read_user_table(write(tmp_path, content))
    for message in messages:
        assert message in str(error.value)


def test_codes_that_look_like_numbers_may_be_codes(tmp_path: Path) -> None:
    path = write(tmp_path, "code,description\n250.0,x\n250.01,y\n")
    assert read_user_table(path).code == ["250.0", "250.01"]


def test_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        CodeSystem.load(str(tmp_path / "none.csv"))
