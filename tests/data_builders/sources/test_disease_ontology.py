from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from data_builders.builder import configure, find_builder
from data_builders.output import build
from data_builders.sources.obo import read_obo
from tests.data_builders.built import built

ONTOLOGY = """format-version: 1.2
ontology: doid

[Term]
id: DOID:4
name: disease

[Term]
id: DOID:114
name: wandering heart
synonym: "roaming \\"heart\\" (disorder)" EXACT [SNOMEDCT:1]
synonym: "pump trouble" RELATED []
synonym: "left wandering heart" NARROW []
xref: ICD10CM:I51.89
xref: ICD9CM:429.89 "a remark"
is_a: DOID:4 ! disease

[Term]
id: DOID:115
name: wandering lung
xref: ICD10CM:J98.4
xref: ICD10CM:J98
is_a: DOID:4

[Term]
id: DOID:116
name: wandering chest
xref: ICD10CM:J98.4
xref: ICD10CM:I51.89
is_a: UBERON:1 ! of another ontology

[Term]
id: DOID:117
name: gone
xref: ICD10CM:I51.89
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""


@pytest.fixture
def ontology(tmp_path: Path) -> Path:
    path = tmp_path / "doid.obo"
    path.write_text(ONTOLOGY, encoding="utf-8")
    return path


def test_labels_and_exact_synonyms_become_pairs(ontology: Path, system: CodeSystem) -> None:
    pairs, rejected, ambiguous = built("disease_ontology", {"file": str(ontology)}, system)
    assert {(p.text, p.code, p.grade, p.source) for p in pairs.values()} == {
        ("wandering heart", "I51.89", "gold", "disease_ontology/label"),
        ('roaming "heart"', "I51.89", "gold", "disease_ontology/exact"),
        ("wandering lung", "J98.4", "silver", "disease_ontology/label"),
    }
    assert [(row.text, row.code, row.reason) for row in rejected] == [
        ("wandering lung", "J98", "header code"),
        ("gone", "I51.89", "obsolete term"),
    ]
    assert {row.text: row.codes for row in ambiguous.values()} == {
        "wandering chest": ("I51.89", "J98.4")
    }


def test_other_scopes_are_silver(ontology: Path, system: CodeSystem) -> None:
    settings = {"file": str(ontology), "scopes": ["RELATED", "NARROW"]}
    pairs, _, _ = built("disease_ontology", settings, system)
    assert "roaming" not in str(list(pairs))
    assert (pairs["pump trouble"].grade, pairs["pump trouble"].source) == (
        "silver",
        "disease_ontology/related",
    )
    assert pairs["left wandering heart"].source == "disease_ontology/narrow"


def test_another_systems_references_are_read(ontology: Path, tmp_path: Path) -> None:
    titles = tmp_path / "titles.txt"
    titles.write_text("42989 Ill-defined heart disease NEC\n", encoding="utf-8")
    system = CodeSystem.load("icd9cm", titles)
    pairs, _, _ = built("disease_ontology", {"file": str(ontology)}, system)
    assert pairs["wandering heart"].code == "429.89"


def test_a_packed_ontology_is_read(ontology: Path, tmp_path: Path) -> None:
    packed = tmp_path / "doid.obo.gz"
    packed.write_bytes(gzip.compress(ontology.read_bytes()))
    assert read_obo(packed) == read_obo(ontology)
    packed.write_bytes(gzip.compress(ontology.read_bytes())[:200])
    with pytest.raises(DataError, match="cannot be read"):
        read_obo(packed)


CYCLES = """[Term]
id: A:1
name: one
is_a: A:3

[Term]
id: A:2
name: two
is_a: A:1

[Term]
id: A:3
name: three
is_a: A:2

[Term]
id: A:4
name: four
is_a: A:4

[Term]
id: A:5

[Term]
id: A:2
name: again
"""


def test_all_problems_are_reported_together(tmp_path: Path, system: CodeSystem) -> None:
    path = tmp_path / "x.obo"
    path.write_text(CYCLES, encoding="utf-8")
    builder = find_builder("disease_ontology")
    config = configure(builder, {"file": str(path)})
    with pytest.raises(DataError) as error:
        build(builder, config, tmp_path / "out", system)
    assert set(str(error.value).replace(str(path), "x").splitlines()) == {
        "x:2: is_a: a term is its own ancestor: A:1, A:2, A:3",
        "x:17: is_a: a term is its own ancestor: A:4",
        "x:22: name: A:5 has no name",
        "x:25: id: A:2 is also defined in line 7",
    }
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[Term]\nid: A:1\nname one\n", r"x\.obo:3: not OBO"),
        ("", "contains no term"),
        ("code,description\n1,2\n", "not OBO|contains no term"),
    ],
)
def test_what_is_no_ontology_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "x.obo"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_obo(path)


@pytest.mark.shared_data
def test_the_whole_ontology_is_read(shared_data: Path) -> None:
    terms = read_obo(shared_data / "disease_ontology" / "doid_2016.obo")
    # As many as the file has lines of each kind (`grep -c`).
    codes = [r for term in terms for r in term.references if r.startswith("ICD10CM:")]
    assert len(codes) == 3_154
    assert sum(" EXACT " in s for term in terms for s in term.synonyms) == 15_759


def test_a_string_of_symbols_is_not_a_pair(tmp_path: Path, system: CodeSystem) -> None:
    path = tmp_path / "x.obo"
    path.write_text(ONTOLOGY.replace("name: wandering heart", "name: -,;()"), encoding="utf-8")
    pairs, rejected, _ = built("disease_ontology", {"file": str(path)}, system)
    assert "pump trouble" not in pairs
    assert 'roaming "heart"' in pairs
    assert ("-,;()", "no words") in {(row.text, row.reason) for row in rejected}
