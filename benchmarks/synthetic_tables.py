"""The tables of `docs/synthetic_data.md` and `docs/audit.md` from the results."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import table
from benchmarks.measure import RESULTS
from cclearn.runtime.parsing import read_json

CORPORA = ("ACI-Bench", "MTS-Dialog", "CodiEsp")

USES = {
    "policies": "`policies`",
    "template_notes": "`template_notes`",
    "template_notes, all templates": "`template_notes`, all templates",
    "template_notes until b895ea9": "`template_notes` until b895ea9",
}
"""Training notes of the recognisers, and what the page calls them."""


def speed_table() -> str:
    """Return the table of the speed of builders of notes."""
    speed = read_json(RESULTS / "synthetic.json")["speed"]
    rare = read_json(RESULTS / "rare_notes.json")
    rows = [
        [f"`{name}`, {speed['notes']:,} notes", f"{speed[name]['notes_a_second']:,}", ""]
        for name in ("policies", "template_notes")
    ]
    kinds = {"templates": "`rare_code_notes`", "answers": "`rare_code_notes`, answers from a file"}
    for part, name in kinds.items():
        found = rare[part]
        speed_of = f"{found['rows'] / found['seconds']:,.0f}"
        rows.append([f"{name}, {found['rows']:,} notes", speed_of, f"{found['peak_mib']:,} MiB"])
    return table(["build", "notes a second", "memory"], rows)


def realism_table() -> str:
    """Return the table of how well a classifier tells corpora apart."""
    found = read_json(RESULTS / "synthetic.json")["realism"]
    rows = []
    for kind, by_corpus in found["accuracy"].items():
        if kind == "real corpora":
            continue
        openings = found["texts"][kind]["distinct_openings"]
        cells = [f"{by_corpus[corpus]:.3f}" for corpus in CORPORA]
        rows.append([f"`{kind}`" if "," not in kind else kind, *cells, f"{openings:.2f}"])
    pairs = found["accuracy"]["real corpora"]
    for corpus in CORPORA:
        cells = [
            next((f"{v:.3f}" for pair, v in pairs.items() if {corpus, other} == _both(pair)), "")
            for other in CORPORA
        ]
        rows.append([corpus, *cells, f"{found['texts'][corpus]['distinct_openings']:.2f}"])
    return table(["notes", *(f"from {corpus}" for corpus in CORPORA), "distinct openings"], rows)


def use_table() -> str:
    """Return the table of what a recogniser learns from notes, beside the lexicon."""
    scores = read_json(RESULTS / "synthetic.json")["use"]["scores"]
    rows = []
    for coder in ("lexicon", *USES):
        hand_written, published = scores["policy notes"][coder], scores["CodiEsp, English"][coder]
        rows.append(
            [
                USES.get(coder, "lexicon, without training"),
                _interval(hand_written["micro_f1"]),
                f"{hand_written['evidence_token_f1']['value']:.3f}",
                _interval(published["micro_f1"]),
            ]
        )
    head = ["trained on", "hand-written notes, micro F1", "evidence F1, tokens"]
    return table([*head, "CodiEsp dev, English, micro F1"], rows)


def _both(pair: str) -> set[str]:
    return set(pair.split(" and "))


def policies_table() -> str:
    """Return the table of models on the hand-written notes, by category."""
    models = read_json(RESULTS / "policies.json")["models"]
    categories = sorted({c for found in models.values() for c in found["micro F1 by category"]})
    rows = []
    for name, found in models.items():
        scores = found["micro F1 by category"]
        by_category = [f"{scores[c]['value']:.3f}" if c in scores else "" for c in categories]
        rows.append([name, _interval(found["scores"]["micro_f1"]), *by_category])
    return table(["model", "micro F1", *(c.replace("_", " ") for c in categories)], rows)


TASKS = {
    ("conversations", "word_perplexity"): "conversations, perplexity of a word",
    ("code_titles", "acc"): "which of four titles a category has, accuracy",
}
"""Tasks of the retention and their metrics, and what the page calls them."""


def retention_table() -> str:
    """Return the table of what the model of the policies can do before and after its training."""
    found = read_json(RESULTS / "policies_retention.json")["retention"]
    scores = {(row["task"], row["metric"]): row for row in found}
    rows = []
    for key, title in TASKS.items():
        digits = 1 if scores[key]["before"] > 1 else 3
        values = [f"{scores[key][when]:,.{digits}f}" for when in ("before", "after")]
        rows.append([title, *values])
    return table(["task", "before", "after"], rows)


def audit_table() -> str:
    """Return the table of what the audit finds of planted faults."""
    result = read_json(RESULTS / "audit.json")
    planted = result["planted_faults"]
    titles = {
        "copies": "copies",
        "near_duplicates": "near-copies, 5 % of the words changed",
        "canaries": "canaries",
        "leaks": "identifiers",
    }
    sets = ("disjoint", "other_notes_of_the_same_codes")
    rows = [
        [
            title,
            f"{planted[name]['found']} of {planted[name]['planted']}",
            *(str(result[run][name]["false_alarms"]) for run in ("planted_faults", *sets)),
        ]
        for name, title in titles.items()
    ]
    head = ["fault", "found", "false alarms", "notes of other codes", "notes of the same codes"]
    return table(head, rows)


def _interval(score: dict[str, Any]) -> str:
    return f"{score['value']:.3f} ({score['low']:.3f}–{score['high']:.3f})"


BLOCKS = {
    "synthetic speed": speed_table,
    "synthetic realism": realism_table,
    "synthetic use": use_table,
    "policies": policies_table,
    "policies retention": retention_table,
    "audit": audit_table,
}
"""Functions that generate the blocks of the pages, by the name of the block."""
