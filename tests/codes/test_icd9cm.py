from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataErrors
from tests.codes.official import ICD9_TITLES


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_title_file(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "CMS32_DESC_LONG_DX.txt"
    path.write_bytes(ICD9_TITLES.encode(encoding))
    system = CodeSystem.load("icd9cm", path)
    assert (system.name, system.release) == ("icd9cm", "CMS32_DESC_LONG_DX")
    assert system["38600"].description == "M\u00e9ni\u00e8re's disease, unspecified"
    assert system.canonical("428.21") == system.canonical("42821") == "428.21"
    assert system.canonical("e8000") == "E800.0"
    assert system.canonical("v1582") == "V15.82"
    assert system.status("428.2") == system.status("428") == "header"
    assert system.status("42821") == "valid"
    assert system.status("428.9") == "unknown"
    assert system.ancestors("428.21") == ["428.2", "428", "7"]
    assert system.siblings("428.0") == ["428.2"]
    assert system.chapter("E800.0") == "19"
    assert system.description("18") == (
        "Factors influencing health status and contact with health services"
    )


def test_all_wrong_lines_are_reported_together(tmp_path: Path) -> None:
    path = tmp_path / "titles.txt"
    path.write_text("0010 Cholera\n0010 Cholera\nI10 Hypertension\n12\n", encoding="utf-8")
    with pytest.raises(DataErrors) as error:
        CodeSystem.load("icd9cm", path)
    assert [str(problem).split(":")[1] for problem in error.value.problems] == ["2", "3", "4"]


def test_a_title_file_is_required() -> None:
    with pytest.raises(ConfigurationError, match="Name its title file"):
        CodeSystem.load("icd9cm")
