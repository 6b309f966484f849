from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError
from cclearn.evaluation.corpora import UnusableRow, corpus_names, find_corpus, options_of
from cclearn.evaluation.corpora.mimic import MIMIC3Options, MIMIC4Options
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import write_rows
from tests.evaluation.notes import note


def read(
    name: str, folder: Path, system: CodeSystem, split: str | None = None, **settings: object
) -> list[CodedNote]:
    corpus = find_corpus(name)
    options = options_of(corpus, settings)
    return list(corpus.read(folder, split or options.split, options, system))


def spans(coded: CodedNote) -> dict[str, list[str]]:
    return {assigned.code: [e.text for e in assigned.evidence] for assigned in coded.codes}


def test_every_corpus_is_found() -> None:
    assert [find_corpus(name).name for name in corpus_names()] == corpus_names()
    with pytest.raises(ConfigurationError, match="Did you mean 'codiesp'"):
        find_corpus("codiesb")
    with pytest.raises(ConfigurationError) as error:
        options_of(find_corpus("codiesp"), {"langage": "en", "procedures": "perhaps"})
    assert "langage: unknown setting. Did you mean 'language'?" in str(error.value)
    assert "procedures: " in str(error.value)


@pytest.fixture
def codiesp(tmp_path: Path) -> Path:
    for name, text in (("text_files", "Dolor de pecho y tos. Año."), ("text_files_en", "Pain.")):
        (tmp_path / "dev" / name).mkdir(parents=True)
        (tmp_path / "dev" / name / "S1.txt").write_text(text, encoding="utf-8")
        (tmp_path / "dev" / name / "S0.txt").write_text("Sano.", encoding="utf-8")
    (tmp_path / "dev" / "devD.tsv").write_text("S1\tr07.9\nS1\tR05.8\n", encoding="utf-8")
    (tmp_path / "dev" / "devP.tsv").write_text("S1\tbt41zzz\n", encoding="utf-8")
    (tmp_path / "dev" / "devX.tsv").write_text(
        "S1\tDIAGNOSTICO\tr07.9\tDolor pecho\t0 5;9 14\n"
        "S1\tDIAGNOSTICO\tr05.8\ttos\t17 20\n"
        "S1\tPROCEDIMIENTO\tbt41zzz\tAño\t22 25\n",
        encoding="utf-8",
    )
    return tmp_path


def test_codiesp_is_read_in_both_languages(codiesp: Path, system: CodeSystem) -> None:
    empty, english = read("codiesp", codiesp, system)
    assert (empty.id, empty.codes, empty.origin) == ("S0", [], "public")
    assert spans(english) == {"R07.9": [], "R05.8": []}
    _, spanish = read("codiesp", codiesp, system, language="es")
    assert spans(spanish) == {"R07.9": ["Dolor de pecho"], "R05.8": ["tos"]}
    _, both = read("codiesp", codiesp, system, language="es", procedures=True)
    assert {a.code: a.status for a in both.codes} == {
        "R07.9": "valid",
        "R05.8": "valid",
        "BT4.1ZZZ": "unknown",
    }


def test_an_error_lists_the_problems_of_codiesp(codiesp: Path, system: CodeSystem) -> None:
    table = codiesp / "dev" / "devX.tsv"
    table.write_text(
        "S1\tDIAGNOSE\tr07.9\tx\t0 5\nS1\tr07.9\nS1\tDIAGNOSTICO\tr07.9\tx\ta b\n", encoding="utf-8"
    )
    with pytest.raises(DataError) as error:
        read("codiesp", codiesp, system, language="es")
    assert str(error.value).replace(str(table), "x").splitlines() == [
        "x:1: neither DIAGNOSTICO nor PROCEDIMIENTO",
        "x:2: 2 fields, not 5 or 4",
        "x:3: offsets are no numbers",
    ]
    table.write_text("S1\tDIAGNOSTICO\tr07.9\tx\t0 99\nS9\tDIAGNOSTICO\tr05\tx\t0 1\n")
    with pytest.raises(DataError) as error:
        read("codiesp", codiesp, system, language="es")
    assert "code r07.9: the evidence is outside the text (0:99)" in str(error.value)
    assert "note S9: code r05: there is no text of this id" in str(error.value)
    with pytest.raises(DataError, match="not a folder of CodiEsp"):
        read("codiesp", codiesp, system, "test")


@pytest.fixture
def mdace(tmp_path: Path) -> Path:
    charts = tmp_path / "data" / "Inpatient" / "ICD-10" / "1.0"
    charts.mkdir(parents=True)
    note = {"note_id": 7, "category": "Discharge summary", "description": "Report"}
    codes = [
        {"begin": 4, "end": 6, "code": "I25.2", "code_system": "ICD-10-CM"},
        {"begin": 0, "end": 3, "code": "0BH17EZ", "code_system": "ICD-10-PCS"},
    ]
    other = {"note_id": 8, "category": "Radiology", "annotations": [], "text": "Clear."}
    chart = {"hadm_id": 100, "notes": [{**note, "annotations": codes}, other]}
    (charts / "100-ICD-10.json").write_text(json.dumps(chart), encoding="utf-8")
    (charts / "200-ICD-10.json").write_text(json.dumps({"notes": []}), encoding="utf-8")
    (tmp_path / "splits" / "Inpatient").mkdir(parents=True)
    (tmp_path / "splits" / "Inpatient" / "MDace-ev-test.csv").write_text("hadm_id\n100\n300\n")
    return tmp_path


def test_mdace_takes_its_texts_from_mimic(mdace: Path, system: CodeSystem) -> None:
    with pytest.raises(DataError, match=r"contains no NOTEEVENTS\.csv"):
        read("mdace", mdace, system)
    table = '"ROW_ID","SUBJECT_ID","TEXT"\n6,1,"x"\n7,1,"Old MI,\n""stable""."\n'
    (mdace / "NOTEEVENTS.csv.gz").write_bytes(gzip.compress(table.encode()))
    first, second = read("mdace", mdace, system)
    assert (first.id, first.text, first.origin) == ("7", 'Old MI,\n"stable".', "restricted")
    assert spans(first) == {"I25.2": ["MI"]}
    assert (second.id, second.codes) == ("8", [])
    (only,) = read("mdace", mdace, system, categories=["Radiology"])
    assert only.id == "8"


def test_an_error_lists_the_problems_of_mdace(mdace: Path, system: CodeSystem) -> None:
    (mdace / "NOTEEVENTS.csv").write_text("ROW_ID,TEXT\n7,Old\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"note 7: code I25\.2: the evidence is outside the text \(4:6\)"
    ):
        read("mdace", mdace, system)
    (mdace / "NOTEEVENTS.csv").write_text("ROW_ID,TEXT\n9,Old\n", encoding="utf-8")
    with pytest.raises(DataError, match="note 7: NOTEEVENTS does not contain it"):
        read("mdace", mdace, system)
    chart = next((mdace / "data").rglob("100-*.json"))
    chart.write_text('{"notes": [{"note_id": 1}]}', encoding="utf-8")
    with pytest.raises(DataError, match="not a chart of MDACE"):
        read("mdace", mdace, system)
    with pytest.raises(DataError, match="not the folder of MDACE"):
        read("mdace", mdace / "splits", system)


def test_mimic4_is_read_from_its_tables(tmp_path: Path, system: CodeSystem) -> None:
    (tmp_path / "hosp").mkdir()
    (tmp_path / "note").mkdir()
    (tmp_path / "hosp" / "diagnoses_icd.csv").write_text(
        "subject_id,hadm_id,seq_num,icd_code,icd_version\n"
        "1,11,1,I214,10\n1,11,2,4019,9\n1,12,1,4019,9\n1,13,1,E119,10\n",
        encoding="utf-8",
    )
    (tmp_path / "hosp" / "procedures_icd.csv").write_text(
        "subject_id,hadm_id,icd_code,icd_version\n1,11,0BH17EZ,10\n", encoding="utf-8"
    )
    notes = "note_id,subject_id,hadm_id,text\na,1,11,One.\nb,1,12,Two.\nc,1,13,Three.\n"
    (tmp_path / "note" / "discharge.csv.gz").write_bytes(gzip.compress(notes.encode()))
    (tmp_path / "splits.csv").write_text("_id,split\n11,test\n12,test\n13,train\n")
    (only,) = read("mimic4", tmp_path, system)
    assert (only.id, only.text, list(spans(only))) == ("11", "One.", ["I21.4"])
    (both,) = read("mimic4", tmp_path, system, procedures=True)
    assert len(both.codes) == 2
    (other,) = read("mimic4", tmp_path, system, "train")
    assert list(spans(other)) == ["E11.9"]
    with pytest.raises(DataError, match="no split 'dev'; there are: test, train"):
        read("mimic4", tmp_path, system, "dev")


def test_all_of_mimic4_is_read_in_either_version(tmp_path: Path, system: CodeSystem) -> None:
    test_mimic4_is_read_from_its_tables(tmp_path, system)
    first, third = read("mimic4", tmp_path, system, "all")
    assert (first.id, third.id, third.metadata) == ("11", "13", {"patient": "1"})
    # Stays without codes of the version are left out, which is no error of the user.
    rows = list(find_corpus("mimic4").rows(tmp_path, "all", MIMIC4Options(), system))
    (left_out,) = [row for row in rows if isinstance(row, UnusableRow)]
    assert (left_out.note, left_out.line, left_out.expected) == ("12", 3, True)
    titles = tmp_path / "titles.txt"
    titles.write_text("4019  Hypertension NOS\n", encoding="utf-8")
    old = CodeSystem.load("icd9cm", str(titles))
    assert [list(spans(note)) for note in read("mimic4", tmp_path, old, "all")] == [["401.9"]] * 2
    derived = "hadm_id,text\n11,One.\n"
    (tmp_path / "note" / "discharge.csv.gz").write_bytes(gzip.compress(derived.encode()))
    (first,) = read("mimic4", tmp_path, system, "all")
    assert (first.id, first.metadata) == ("11", {})
    notes = "subject_id,hadm_id,text\n1,11,One.\n1,13,Three.\n"
    (tmp_path / "note" / "discharge.csv.gz").write_bytes(gzip.compress(notes.encode()))
    (tmp_path / "other.csv").write_text("hadm_id,split\n13,dev\n")
    (only,) = read("mimic4", tmp_path, system, "dev", splits=tmp_path / "other.csv")
    assert only.id == "13"


def test_mimic3_is_read_from_its_tables(tmp_path: Path, system: CodeSystem) -> None:
    (tmp_path / "DIAGNOSES_ICD.csv").write_text(
        '"ROW_ID","SUBJECT_ID","HADM_ID","SEQ_NUM","ICD9_CODE"\n'
        '1,5,50,1,"4280"\n2,5,50,2,""\n3,6,60,1,"25000"\n',
        encoding="utf-8",
    )
    header = '"ROW_ID","SUBJECT_ID","HADM_ID","CATEGORY","DESCRIPTION","TEXT"\n'
    rows = [
        '1,5,50,"Discharge summary","Report","Admitted with\nheart failure. "',
        '2,5,50,"Discharge summary","Addendum","More."',
        '3,5,50,"Nursing","Report","Stable."',
        '4,6,60,"Discharge summary","Report","Diabetes."',
        '5,6,60,"Discharge summary","Report","Again."',
        '6,7,70,"Discharge summary","Report","No codes."',
    ]
    (tmp_path / "NOTEEVENTS.csv").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    titles = tmp_path / "titles.txt"
    titles.write_text("4280  CHF NOS\n25000 DMII wo cmp\n", encoding="utf-8")
    old = CodeSystem.load("icd9cm", str(titles))
    first, second = read("mimic3", tmp_path, old, "all")
    assert (first.id, first.text) == ("50", "Admitted with\nheart failure. ")
    assert (list(spans(first)), first.metadata) == (["428.0"], {"patient": "5"})
    assert (second.text, list(spans(second))) == ("Diabetes.", ["250.00"])
    found = find_corpus("mimic3").rows(tmp_path, "all", MIMIC3Options(), old)
    left_out = [row for row in found if isinstance(row, UnusableRow)]
    assert [(row.note, row.problem) for row in left_out] == [
        ("60", "another note of the same stay"),
        ("70", "the stay has no codes"),
    ]
    (tmp_path / "splits.csv").write_text("HADM_ID,split\n60,dev\n")
    assert [note.id for note in read("mimic3", tmp_path, old, "dev")] == ["60"]


def test_mimic4_takes_the_published_split(tmp_path: Path, system: CodeSystem) -> None:
    import pyarrow as pa
    from pyarrow import feather

    test_mimic4_is_read_from_its_tables(tmp_path, system)
    table = pa.table({"_id": [11, 13], "split": ["train", "test"]})
    feather.write_feather(table, tmp_path / "mimiciv_icd10_split.feather")
    (only,) = read("mimic4", tmp_path, system)
    assert only.id == "13"


def test_aci_bench_takes_a_file_of_codes(tmp_path: Path, system: CodeSystem) -> None:
    (tmp_path / "valid.csv").write_text(
        'dataset,encounter_id,dialogue,note\nv,D1,"[doctor] hi","Old MI."\nv,D2,x,"Well."\n'
    )
    (tmp_path / "codes.csv").write_text("id,code\nD1,i252\nD1,I10\n", encoding="utf-8")
    one, two = read("aci-bench", tmp_path, system, codes="codes.csv")
    assert (one.id, one.text, list(spans(one))) == ("D1", "Old MI.", ["I25.2", "I10"])
    assert two.codes == []
    with pytest.raises(ConfigurationError, match="codes"):
        read("aci-bench", tmp_path, system)
    (tmp_path / "codes.csv").write_text("code\nI10\n", encoding="utf-8")
    with pytest.raises(DataError, match="there is no column 'id'"):
        read("aci-bench", tmp_path, system, codes="codes.csv")


def test_notes_of_ones_own_are_read(tmp_path: Path, system: CodeSystem) -> None:
    notes = [note("1", {"i10": []})]
    write_rows(tmp_path / "test.jsonl", notes)
    (only,) = read("jsonl", tmp_path, system)
    assert list(spans(only)) == ["I10"]
    assert read("jsonl", tmp_path / "test.jsonl", system) == [only]
    write_rows(tmp_path / "held_out" / "notes.jsonl", notes)
    assert read("synthetic", tmp_path, system, "held_out") == [only]
    with pytest.raises(DataError, match=r"contains none of: dev\.jsonl, dev\.parquet"):
        read("jsonl", tmp_path, system, "dev")


@pytest.mark.shared_data
def test_the_whole_of_codiesp_is_read(shared_data: Path, system: CodeSystem) -> None:
    folder = shared_data / "codiesp"
    for split, cases, codes in (("train", 500, 5_639), ("dev", 250, 2_677)):
        english = read("codiesp", folder, system, split)
        assert (len(english), sum(len(n.codes) for n in english)) == (cases, codes)
        spanish = read("codiesp", folder, system, split, language="es")
        assert {a.code for n in spanish for a in n.codes} == {
            a.code for n in english for a in n.codes
        }


def test_errors_about_damaged_tables_do_not_quote_them(
    mdace: Path, tmp_path: Path, system: CodeSystem
) -> None:
    chart = next((mdace / "data").rglob("100-*.json"))
    annotation = {"begin": "secret", "end": 3, "code": "I10", "code_system": "ICD-10-CM"}
    note = {"note_id": 1, "category": "x", "annotations": [annotation], "text": "Old MI."}
    for fields in (
        {"notes": [note]},
        {"notes": [{**note, "annotations": {}}]},
        {"notes": ["secret"]},
    ):
        chart.write_text(json.dumps(fields), encoding="utf-8")
        with pytest.raises(DataError, match="not a chart of MDACE"):
            read("mdace", mdace, system)
    chart.write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"not JSON \(RecursionError"):
        read("mdace", mdace, system)
    split = mdace / "splits" / "Inpatient" / "MDace-ev-test.csv"
    for number in ("²", "9" * 5_000):
        split.write_text(f"hadm_id\n{number}\n", encoding="utf-8")
        with pytest.raises(DataError, match="not a chart's number"):
            read("mdace", mdace, system)
    visits = tmp_path / "aci"
    visits.mkdir()
    (visits / "valid.csv").write_text("encounter_id,note\n,secret\n", encoding="utf-8")
    (visits / "codes.csv").write_text("id,code\n,I10\n", encoding="utf-8")
    with pytest.raises(DataError, match="the note has no id"):
        read("aci-bench", visits, system, codes="codes.csv")
    stays = tmp_path / "mimic"
    stays.mkdir()
    (stays / "mimiciv_icd10_split.feather").write_bytes(b"secret")
    with pytest.raises(DataError, match=r"not a table of splits \(ArrowInvalid in"):
        read("mimic4", stays, system)
    (stays / "mimiciv_icd10_split.feather").unlink()
    (stays / "splits.csv").write_text("_id,split\n1,test\n")
    (stays / "diagnoses_icd.csv").write_text("hadm_id,icd_code,icd_version\n1,I10,10\n")
    packed = bytearray(gzip.compress(b"hadm_id,text\n1,secret\n", mtime=0))
    packed[10] ^= 255
    (stays / "discharge.csv.gz").write_bytes(packed)
    with pytest.raises(DataError, match=r"cannot be read \(") as error:
        read("mimic4", stays, system)
    assert "secret" not in str(error.value)
