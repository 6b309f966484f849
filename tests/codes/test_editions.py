from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.codes.editions import PACKAGED, EditionMap
from cclearn.errors import ConfigurationError, DataError

CDC = (
    "ICD-10-CM Conversion Table\t\t\n"
    "Current code assignment\tEffective\tPrevious Code(s) Assignment\n"
    "I48.11\t2019\tI48.1\n"
    'E66.813\t2024\t"E66.01, E66.8"\n'
    "M97.01XA  \t45017\tT84.040A and T84.041A\n"
    "H02.151\t\tH02.101-H02.103; H02.109\n"
    "S06.A0XA\t2022\tS06.9X0A-S06.9X0C\n"
    "U07.1\t04/01/20\tNone\n"
    "T50.916A\t2019\tCategories T36-T50\n"
    "\t\t\n"
    "Codes in this table are those of October 1.\t\t\n"
)


def table(tmp_path: Path, text: str, name: str = "map.csv") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_conversion_table_of_the_cdc_is_read(tmp_path: Path, system: CodeSystem) -> None:
    found = EditionMap.load(table(tmp_path, CDC, "conversion.txt"), system)
    assert found.previous == {
        "I48.11": ("I48.1",),
        "E66.813": ("E66.01", "E66.8"),
        "M97.01XA": ("T84.040A", "T84.041A"),
        "H02.151": ("H02.101", "H02.102", "H02.103", "H02.109"),
        "S06.A0XA": ("S06.9X0A", "S06.9X0B", "S06.9X0C"),
    }
    # The reference to categories, and the sentence below the table.
    assert found.unread == 2


def test_codes_are_read_in_any_spelling_and_through_several_editions(
    tmp_path: Path, system: CodeSystem
) -> None:
    text = "comment,new,old\n,K35200,k35.20\n,K35.20,k352\n,K35.201,K35.20\n"
    found = EditionMap.load(table(tmp_path, text), system)
    assert found.previous == {
        "K35.200": ("K35.20", "K35.2"),
        "K35.20": ("K35.2",),
        "K35.201": ("K35.20", "K35.2"),
    }


def test_codes_that_replace_each_other_end(tmp_path: Path, system: CodeSystem) -> None:
    found = EditionMap.load(table(tmp_path, "old,new\nI48.91,I48.11\nI48.11,I48.91\n"), system)
    assert found.previous == {"I48.11": ("I48.91",), "I48.91": ("I48.11",)}


@given(
    pairs=st.sets(
        st.tuples(st.from_regex("[A-M][0-9]{2}", fullmatch=True), st.just("N18.30")), min_size=1
    )
)
def test_a_table_is_read_as_it_was_written(
    pairs: set[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory, system: CodeSystem
) -> None:
    path = tmp_path_factory.getbasetemp() / "editions.csv"
    rows = sorted(pairs)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("old", "new"), *rows])
    assert EditionMap.load(str(path), system).previous == {"N18.30": tuple(old for old, _ in rows)}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("old,now\nI48.1,I48.11\n", "map.csv: needs the columns old and new, or those of the"),
        ("", "map.csv: needs the columns old and new, or those of the"),
        ("old,new\nI48.1,\n,I48.19\n", "map.csv:2: new: not a code\n*map.csv:3: old: not a code"),
        ("old,new\nI48.1,atrial\n", "map.csv:2: new: not a code"),
        ("old,new\nH02.109-H02.101,H02.151\n", "map.csv:2: old: not a code"),
        ("old,new\nI48.00000001-I48.99999999,I48.11\n", "map.csv:2: old: not a code"),
        ("old,new\nI48.1,I48.11\ni481,I4811\n", "map.csv:3: I48.1 and I48.11 have two rows"),
        ("old,new\nI48.11,I48.11\n", "map.csv: changes no code"),
        ("old,new\n", "map.csv: changes no code"),
        ("old,new\nI48.11,I48.1\n", "map.csv: none of its new codes is billable in icd10cm *"),
        ('old,new\nI48.1,"I48\n', "map.csv:2: not CSV: *"),
    ],
)
def test_wrong_tables_are_refused(
    text: str, problem: str, tmp_path: Path, system: CodeSystem
) -> None:
    with pytest.raises(DataError) as error:
        EditionMap.load(table(tmp_path, text), system)
    lines, wanted = error.value.lines, problem.split("\n")
    assert len(lines) == len(wanted)
    for line, part in zip(lines, wanted, strict=True):
        assert part.strip("*") in line


def test_other_sources_are_refused(tmp_path: Path, system: CodeSystem) -> None:
    with pytest.raises(DataError, match="Save its sheet as CSV"):
        EditionMap.load(table(tmp_path, "", "conversion.xlsx"), system)
    with pytest.raises(DataError, match="no such file"):
        EditionMap.load(str(tmp_path / "none.csv"), system)
    own = CodeSystem.load(table(tmp_path, "code,description\n1,One\n", "own.csv"))
    with pytest.raises(ConfigurationError, match="no table of own comes with cclearn"):
        EditionMap.load(PACKAGED, own)


def test_the_packaged_table_leads_from_codes_of_earlier_editions_to_billable_ones(
    system: CodeSystem,
) -> None:
    previous = EditionMap.load(PACKAGED, system).previous
    assert all(map(system.is_billable, previous))
    # Persistent atrial fibrillation was I48.1 until fiscal year 2019.
    assert previous["I48.11"] == previous["I48.19"] == ("I48.1",)
    assert previous["N18.30"] == ("N18.3",)
    assert previous["K56.609"] == ("K56.60",)
    assert previous["T40.411A"] == ("T40.4X1A",)
    assert previous["H81.4"] == ("H81.41", "H81.42", "H81.43", "H81.49")
    assert previous["F32.A"] == ("F32.9",)
    assert "I10" not in previous
