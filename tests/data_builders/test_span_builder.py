from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError
from cclearn.notes import SpanPair
from data_builders.builder import RejectedRow, configure, find_builder
from data_builders.claims import Claim
from data_builders.output import build
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig
from tests.data_builders.built import built


class ClaimsBuilder(SpanBuilder):
    """Builder with the claims of a test."""

    name = "claims"
    summary = "For tests."
    config_type = SpanBuilderConfig

    def __init__(self, *claims: Claim | RejectedRow) -> None:
        self._claims = claims

    def claims(
        self, config: SpanBuilderConfig, system: CodeSystem
    ) -> Iterator[Claim | RejectedRow]:
        return iter(self._claims)


def built_rows(
    system: CodeSystem, *claims: Claim | RejectedRow, **settings: object
) -> list[object]:
    builder = ClaimsBuilder(*claims)
    rows = builder.rows(configure(builder, settings), system)
    return [
        (row.text, row.code, row.grade)
        if isinstance(row, SpanPair)
        else getattr(row, "reason", row)
        for row in rows
    ]


def claim(text: str, code: str, **fields: str) -> Claim:
    return Claim(text, code, **{"source": "claims/test", **fields})  # type: ignore[arg-type]


def test_a_claim_is_a_pair_in_the_official_spelling(system: CodeSystem) -> None:
    assert built_rows(system, claim("silent MI", "i214")) == [("silent MI", "I21.4", "gold")]
    assert built_rows(system, claim("old", "I99.99"), claim("MI", "I21"), claim("none", "?")) == [
        "unknown code",
        "header code",
        "unknown code",
    ]


def test_a_header_is_assigned_to_its_unspecified_code_on_request(system: CodeSystem) -> None:
    weak_heart = claim("weak heart", "I50")
    assert built_rows(system, weak_heart, headers="unspecified") == [
        ("weak heart", "I50.9", "silver")
    ]


def test_seventh_characters_are_added(system: CodeSystem) -> None:
    # T75.4 "Electrocution" takes A, D and S behind two placeholders.
    assert built_rows(system, claim("shock from a fence", "T75.4")) == [
        ("shock from a fence, initial encounter", "T75.4XXA", "gold"),
        ("shock from a fence, subsequent encounter", "T75.4XXD", "gold"),
        ("shock from a fence, sequela", "T75.4XXS", "gold"),
        ("shock from a fence", "T75.4XXA", "silver"),
    ]


def test_the_code_system_takes_precedence(system: CodeSystem) -> None:
    assert built_rows(system, claim("Heart Failure", "I51.9")) == ["claimed by a stronger source"]
    # Silver, and the title says the same: gold.
    assert built_rows(system, claim("heart failure", "I50.9", grade="silver")) == [
        ("heart failure", "I50.9", "gold")
    ]


def test_a_tie_is_ambiguous_once_and_a_gold_claim_breaks_it(system: CodeSystem) -> None:
    one, two = claim("bad chest", "I50.9"), claim("bad  chest", "J18.9")
    (row,) = built_rows(system, one, two)
    assert row.codes == ("I50.9", "J18.9")  # type: ignore[attr-defined]
    weaker = claim("bad chest", "J18.9", grade="silver")
    assert built_rows(system, one, weaker) == [
        ("bad chest", "I50.9", "gold"),
        "claimed by a stronger source",
    ]
    assert built_rows(system, one, one)[1:] == ["duplicate"]


def test_only_the_requested_codes_are_built(system: CodeSystem) -> None:
    claims = claim("bad chest", "I50.9"), claim("bad lung", "J18.9"), claim("MI", "I21")
    assert built_rows(system, *claims, under="9") == [("bad chest", "I50.9", "gold"), "header code"]
    assert built_rows(system, *claims, codes=["j189"]) == [("bad lung", "J18.9", "gold")]


def test_retired_codes_are_distinguished_from_unknown_ones(tmp_path: Path) -> None:
    new, old = tmp_path / "new.csv", tmp_path / "old.csv"
    new.write_text("code,description\n1,Bypass\n", encoding="utf-8")
    old.write_text("code,description\n1,Bypass\n2,Leeches\n", encoding="utf-8")
    system = CodeSystem.load(str(new), earlier=[old])
    assert built_rows(system, claim("bleeding", "2"), claim("prayer", "3")) == [
        "retired code",
        "unknown code",
    ]


@pytest.mark.slow
def test_variants_are_the_same_in_any_number_of_processes(
    tmp_path: Path, system: CodeSystem
) -> None:
    builder = find_builder("icd10cm")
    for workers in (1, 3):
        config = configure(builder, {"under": "9", "variants": 2, "workers": workers})
        build(builder, config, tmp_path / str(workers), system)
    for file in (tmp_path / "1").iterdir():
        assert file.read_bytes() == (tmp_path / "3" / file.name).read_bytes(), file.name


@pytest.mark.slow
def test_variants_differ_from_the_strings_of_other_codes(system: CodeSystem) -> None:
    pairs, _, _ = built("icd10cm", {"under": "I20-I25", "variants": 12}, system)
    own = {" ".join(t.casefold().split()) for t, p in pairs.items() if "+" not in p.source}
    texts = [text for text, pair in pairs.items() if pair.source.endswith("+variant")]
    assert len(texts) > 500
    for text in texts:
        origin = pairs[text].id.partition("-variant-")[0]
        (of,) = (t for t, p in pairs.items() if p.id == origin)
        key = " ".join(text.casefold().split())
        assert key == " ".join(of.casefold().split()) or key not in own


def test_equal_variants_of_several_codes_are_ambiguous(tmp_path: Path, system: CodeSystem) -> None:
    # Without their small words they are alike.
    builder = ClaimsBuilder(claim("stiff of the zzz", "I50.9"), claim("stiff in the zzz", "J18.9"))
    config = configure(builder, {"variants": 8, "noise": {"stop_words": 1}})
    result = build(builder, config, tmp_path / "out", system)
    lines = (tmp_path / "out" / "ambiguous.jsonl").read_text().splitlines()
    aside = {row["text"]: row["codes"] for row in map(json.loads, lines)}
    assert aside == {text: ["I50.9", "J18.9"] for text in ("stiff the zzz", "stiff zzz")}
    texts = [json.loads(line)["text"] for line in result.data.read_text().splitlines()]
    assert sorted(texts) == [
        "stiff in the zzz",
        "stiff of the zzz",
    ]
    assert result.stats["rows"] == len(texts)
    assert result.stats["ambiguous strings"] == 2
    assert sum(result.stats[f"source claims/test{end}"] for end in ("", "+variant")) == len(texts)


def test_a_builder_of_one_system_refuses_another(tmp_path: Path) -> None:
    table = tmp_path / "operations.csv"
    table.write_text("code,description\n1,Bypass\n", encoding="utf-8")
    system = CodeSystem.load(str(table))
    builder = find_builder("icd10cm")
    with pytest.raises(ConfigurationError, match="Use user_table"):
        list(builder.rows(configure(builder, {}), system))


def test_a_users_table_becomes_pairs(tmp_path: Path) -> None:
    table = tmp_path / "operations.csv"
    table.write_text(
        "code,description,synonyms,parent\n"
        "10,Heart operations,,\n10.1,Bypass (any),CABG | heart bypass,10\n10.2,Valve,bypass (ANY),10\n",
        encoding="utf-8",
    )
    pairs, rejected, _ = built("user_table", {"variants": 1}, CodeSystem.load(str(table)))
    assert {(p.text, p.code, p.source) for p in pairs.values() if "+" not in p.source} == {
        ("Bypass (any)", "10.1", "user_table/title"),
        ("CABG", "10.1", "user_table/synonym"),
        ("heart bypass", "10.1", "user_table/synonym"),
        ("Valve", "10.2", "user_table/title"),
    }
    assert [(row.text, row.reason) for row in rejected] == [
        ("Heart operations", "header code"),
        ("bypass (ANY)", "claimed by a stronger source"),
    ]


@pytest.mark.slow
def test_a_broken_table_of_abbreviations_is_reported_in_any_number_of_processes(
    tmp_path: Path, system: CodeSystem
) -> None:
    table = tmp_path / "short.csv"
    table.write_text("abbreviation\nHTN\n", encoding="utf-8")
    builder = find_builder("icd10cm")
    for settings in ({"workers": 2, "variants": 1}, {"variants": 0}):
        config = configure(builder, {"under": "I21", "abbreviations": str(table), **settings})
        with pytest.raises(DataError, match="needs the columns"):
            list(builder.rows(config, system))


def test_an_interrupt_of_all_processes_ends_the_build(tmp_path: Path) -> None:
    command = "from cclearn.cli.main import main; main()"
    arguments = ["build", "icd10cm", "under=19", "variants=8", "workers=2", "--out", "out"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Shells start jobs in the background with it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.partial*/rejected.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1.5)  # The workers are being started, or are at work.
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
