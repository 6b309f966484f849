from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError
from cclearn.notes import SpanPair
from data_builders.builder import RejectedRow, configure, find_builder
from data_builders.output import build
from data_builders.sources.index_phrases import phrases
from data_builders.sources.index_xml import Title, read_index
from tests.data_builders.built import built

INDEX = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index>
  <version>2031</version>
  <letter>
    <title>F</title>
    <mainTerm>
      <title>Fall, falling<nemod>(accidental) (from height)</nemod> NEC</title>
      <code>W19</code>
      <term level="1">
        <title>due to, caused by</title>
        <term level="2"><title>ice</title><code>W00.9</code></term>
        <term level="2"><title>snow</title><see>Fall, due to, ice</see></term>
      </term>
    </mainTerm>
    <mainTerm>
      <title>Failure</title>
      <term level="1">
        <title>heart<nemod>(senile) (sudden)</nemod></title>
        <code>I50.9</code>
        <term level="2"><title>with hypertension</title><code>I11.0</code></term>
        <term level="2"><title>systolic</title><code>I50.2-</code></term>
      </term>
      <term level="1"><title>cardiac</title><seeAlso>Failure, heart</seeAlso></term>
      <term level="1"><title>other</title><see>Failure, by site</see></term>
      <term level="1"><title>old</title><code>I99.99</code></term>
      <term level="1"><title>round</title><see>Failure, about</see></term>
      <term level="1"><title>about</title><see>Failure, round</see></term>
    </mainTerm>
  </letter>
</ICD10CM.index>
"""

TABLE = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index>
  <version>2031</version>
  <indexHeading>
    <head col="1">Substance</head>
    <head col="2">Poisoning Assault</head>
    <head col="3">Adverse effect</head>
  </indexHeading>
  <letter>
    <title>A</title>
    <mainTerm>
      <title>Aspirin<nemod>(soluble)</nemod></title>
      <cell col="2">T39.013</cell>
      <cell col="3">T39.015</cell>
    </mainTerm>
    <mainTerm>
      <title>ASA</title><see>Aspirin</see>
    </mainTerm>
    <mainTerm>
      <title>Water</title>
      <cell col="2">--</cell>
      <cell col="3">--</cell>
    </mainTerm>
  </letter>
</ICD10CM.index>
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    index, table = tmp_path / "index.xml", tmp_path / "drug.xml"
    index.write_text(INDEX, encoding="utf-8")
    table.write_text(TABLE, encoding="utf-8")
    return index, table


def rows_of(system: CodeSystem, *paths: Path) -> tuple[dict[str, SpanPair], list[RejectedRow]]:
    settings = {"files": [str(path) for path in paths]}
    pairs, rejected, _ = built("icd10cm_index", settings, system)
    return pairs, rejected


def test_an_index_becomes_pairs(files: tuple[Path, Path], system: CodeSystem) -> None:
    pairs, rejected = rows_of(system, files[0])
    assert pairs["Failure, heart"].code == "I50.9"
    assert pairs["heart failure"].code == "I50.9"
    assert pairs["heart failure senile"].code == "I50.9"
    assert pairs["heart failure with hypertension"].code == "I11.0"
    assert pairs["heart failure"].source == "icd10cm_index/index"
    # A code that needs a 7th character: each with its meaning, the phrase alone as initial.
    assert pairs["Fall, falling, sequela"].code == "W19.XXXS"
    assert pairs["Fall due to ice, subsequent encounter"].code == "W00.9XXD"
    assert (pairs["Fall due to ice"].code, pairs["Fall due to ice"].grade) == ("W00.9XXA", "silver")
    assert pairs["accidental fall"].code == "W19.XXXA"
    assert pairs["Fall from height"].code == "W19.XXXA"
    # Cross references.
    assert pairs["Fall due to snow"].code == "W00.9XXA"
    assert pairs["Fall due to snow, sequela"].source == "icd10cm_index/index/see"
    also = pairs["cardiac failure"]
    assert (also.code, also.grade, also.source) == (
        "I50.9",
        "silver",
        "icd10cm_index/index/see_also",
    )
    reasons = {(row.text, row.reason) for row in rejected}
    assert reasons == {
        ("Failure, heart, systolic", "incomplete code"),
        ("systolic heart failure", "incomplete code"),
        ("Failure, other", "see: no such term"),
        ("Failure, old", "unknown code"),
        ("old failure", "unknown code"),
        ("Failure, round", "see: a term without a code"),
        ("Failure, about", "see: a term without a code"),
    }


def test_a_table_becomes_pairs(files: tuple[Path, Path], system: CodeSystem) -> None:
    pairs, rejected = rows_of(system, files[1])
    assert not rejected
    assert pairs["Poisoning by aspirin, assault, initial encounter"].code == "T39.013A"
    assert pairs["Poisoning by aspirin, assault, sequela"].grade == "gold"
    assert pairs["Adverse effect of aspirin"].code == "T39.015A"
    assert pairs["Adverse effect of aspirin"].grade == "silver"
    assert pairs["Adverse effect of ASA, sequela"].code == "T39.015S"
    assert not [text for text in pairs if "ater" in text]


def test_a_phrase_of_two_codes_is_ambiguous(
    files: tuple[Path, Path], tmp_path: Path, system: CodeSystem
) -> None:
    other = tmp_path / "other.xml"
    other.write_text(INDEX.replace("I50.9", "I51.9"), encoding="utf-8")
    settings = {"files": [str(files[0]), str(other)]}
    pairs, rejected, ambiguous = built("icd10cm_index", settings, system)
    assert "heart failure senile" not in pairs
    assert ambiguous["heart failure senile"].codes == ("I50.9", "I51.9")
    # The tabular list says what the words alone are.
    assert pairs["heart failure"].code == "I50.9"
    assert ("heart failure", "I51.9") in {(row.text, row.code) for row in rejected}
    assert pairs["Fall due to ice"].code == "W00.9XXA"  # Said twice alike: once.


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["Failure", "kidney", "acute"], ["Failure, kidney, acute", "acute kidney failure"]),
        (["Fall", "from", "ladder"], ["Fall, from, ladder", "Fall from ladder"]),
        (["Asthma"], ["Asthma"]),
        (
            ["Hypertension, hypertensive", "portal"],
            ["Hypertension, hypertensive, portal", "portal hypertension"],
        ),
        (["Block", "a", "b", "c"], ["Block, a, b, c"]),
        (["ST elevation", "late"], ["ST elevation, late", "late ST elevation"]),
        (["Scratched by", "cat"], ["Scratched by, cat", "Scratched by cat"]),
        (["Place of occurrence", "cafe"], ["Place of occurrence, cafe"]),
        (
            ["Contact", "with", "boiling water", "suicide"],
            ["Contact, with, boiling water, suicide", "Contact with boiling water, suicide"],
        ),
        (
            ["Fall, falling", "from, off, out of", "bridge"],
            ["Fall, falling, from, off, out of, bridge", "Fall from bridge"],
        ),
    ],
)
def test_phrases(path: list[str], expected: list[str]) -> None:
    assert list(phrases(tuple(Title(text) for text in path))) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (INDEX[:500], r"index\.xml:\d+: incomplete or malformed XML"),
        ("<ICD10CM.tabular/>", "not an index or a table"),
        (
            "<ICD10CM.index><letter><mainTerm/></letter></ICD10CM.index>",
            "below a letter has no title",
        ),
    ],
)
def test_a_broken_file_leaves_no_folder(
    tmp_path: Path, system: CodeSystem, content: str, message: str
) -> None:
    path = tmp_path / "index.xml"
    path.write_text(content, encoding="utf-8")
    builder = find_builder("icd10cm_index")
    config = configure(builder, {"files": [str(path)]})
    with pytest.raises(DataError, match=message):
        build(builder, config, tmp_path / "out", system)
    assert not (tmp_path / "out").exists()


def test_an_unknown_column_is_refused(files: tuple[Path, Path], system: CodeSystem) -> None:
    files[1].write_text(TABLE.replace("Adverse effect", "Side effect"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="unknown column 'Side effect'"):
        rows_of(system, files[1])


def test_the_folder_names_its_inputs(
    files: tuple[Path, Path], tmp_path: Path, system: CodeSystem
) -> None:
    builder = find_builder("icd10cm_index")
    config = configure(builder, {"files": [str(path) for path in files]})
    for name in ("one", "two"):
        build(builder, config, tmp_path / name, system)
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert set(manifest["inputs_sha256"]) == {str(path) for path in files}
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "terms", "coded", "rows", "cells"),
    [
        ("eindex", 8_090, 6_671, 0, 0),
        ("neoplasm", 1_940, 0, 1_823, 9_020),
        ("drug", 7_430, 0, 7_204, 40_036),
    ],
)
def test_the_official_files_are_read_without_loss(
    shared_data: Path, name: str, terms: int, coded: int, rows: int, cells: int
) -> None:
    file = shared_data / "icd10cm_2026" / f"icd10cm-{name}-April-1-2026-XML.xml"
    entries = read_index(file).entries
    assert len(entries) == terms
    assert sum(entry.code is not None for entry in entries) == coded
    assert sum(entry.columns > 0 for entry in entries) == rows
    assert sum(len(entry.cells) for entry in entries) == cells


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (TABLE.replace('<cell col="2">', "<cell>", 1), "a <cell> has no column number"),
        (TABLE.replace('<head col="2">', '<head col="²">'), "a <head> has no column number"),
        (TABLE.replace('<head col="2">', '<head col="7">'), "column 2 has codes and no heading"),
    ],
)
def test_invalid_columns_are_reported(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "x.xml").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        read_index(tmp_path / "x.xml")
