from __future__ import annotations

from cclearn.codes import CodeSystem
from cclearn.codes.string_claims import StringClaims
from cclearn.codes.strings import PRECEDENCE as FIELDS
from data_builders.claims import PRECEDENCE, code_system_claims, is_gold, rank


def test_the_strongest_claim_wins() -> None:
    claims = StringClaims()
    claims.add("Cyst  of kidney", "B", 2)
    claims.add("cyst of KIDNEY", "A", 2)
    assert claims.winners("Cyst of kidney") == (2, ("A", "B"))
    claims.add("cyst of kidney", "C", 1)
    claims.add("cyst of kidney", "D", 3)
    assert claims.winners("cyst of kidney") == (1, ("C",))
    assert claims.winners("cyst") is None
    assert "cyst of kidney" in claims
    assert dict(claims) == {"cyst of kidney": ("C",)}


def test_official_titles_are_stronger_than_the_index_and_ontologies() -> None:
    order = [
        "icd10cm/title",
        "icd10cm/inclusion_term",
        "icd10cm_index/index/see",
        "disease_ontology/label",
        "disease_ontology/exact",
        "sssom/mapping",
        "of my own",
    ]
    ranks = [rank(source, "gold") for source in order]
    assert ranks == sorted(set(ranks))
    assert all(map(is_gold, ranks))
    silver = [rank(source, "silver") for source in order]
    assert min(silver) > max(ranks)
    assert rank("icd10cm/title+variant", "gold") > max(silver)
    assert not any(map(is_gold, silver))
    # Both orders of precedence agree on the fields of the code system.
    fields = [n for names in PRECEDENCE for n in names if n in FIELDS]
    assert fields == list(FIELDS)


def test_the_strings_of_the_code_system_are_claims(system: CodeSystem) -> None:
    own = {(text, code): strength for text, code, strength in code_system_claims(system)}
    assert own["Non-ST elevation (NSTEMI) myocardial infarction", "I21.4"] == 0
    assert own["Nontransmural myocardial infarction", "I21.4"] > 0
    assert all(system.is_billable(code) for _, code in own)
