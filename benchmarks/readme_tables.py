"""Write the tables of the README and of pages of `docs/` from the results.

python -m benchmarks.readme_tables [--quickstart FOLDER]

FOLDER is a finished quickstart, whose scores are first copied to `benchmarks/results/quickstart.json`.
`tests/test_readme.py` compares the pages with the results, and a slow test codes the held-out notes of
the quickstart with the lexicon again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks import baseline_tables, review_tables, synthetic_tables
from benchmarks.claim.arm_tables import summary_table
from benchmarks.markdown import filled, table
from cclearn.cli.tables import plain_text, score_table
from cclearn.evaluation.bootstrap import Score
from cclearn.evaluation.evaluate import Evaluation
from cclearn.evaluation.report.content import SHOWN
from cclearn.runtime.files import write_json
from cclearn.runtime.parsing import read_json

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent
PAGES = (
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("evaluation", "builders", "synthetic_data", "audit", "baselines", "review")
    ),
)
QUICKSTART = RESULTS / "quickstart.json"


def copy_quickstart(folder: Path) -> None:
    """Copy the scores that tables show from the result file of a quickstart."""
    result = read_json(folder / "metrics.json")
    names = [name for name, _ in SHOWN]
    systems = {
        system: {
            "notes": found["notes_asked"],
            "scores": {name: found["scores"][name] for name in names if name in found["scores"]},
        }
        for system, found in result["systems"].items()
    }
    kept = {key: result[key] for key in ("cclearn", "code_system", "bootstrap")}
    write_json(QUICKSTART, {**kept, "systems": systems})


def quickstart_table() -> str:
    """Return the table that the quickstart prints."""
    systems = read_json(QUICKSTART)["systems"]
    # The model comes before the lexicon, as the quickstart prints them.
    evaluations = {
        system: Evaluation(
            notes=found["notes"],
            missing=(),
            scores={name: Score(**score) for name, score in found["scores"].items()},
            warnings=(),
        )
        for system, found in sorted(systems.items(), reverse=True)
    }
    return f"```\n{plain_text(score_table(evaluations, 'notes'))}```"


def arms_table() -> str:
    """Return the table of the arms that show what span rows contribute."""
    arms = read_json(RESULTS / "span_centric.json")["arms"]
    scores = ("micro_f1", "evidence_span_f1", "unseen/micro_recall")
    rows = []
    for name, title in (("mixed", "mixed"), ("document", "documents only")):
        values = [f"{arms[name]['scores'][score]['value']:.3f}" for score in scores]
        rows.append([title, f"{arms[name]['tokens_seen'] / 1e6:.1f} M", *values])
    head = ["arm", "tokens read", "micro F1", "evidence F1", "recall, unseen codes"]
    return table(head, rows)


def codiesp_table() -> str:
    """Return the table of the lexicon on CodiEsp in English and on the notes of eight specialties."""
    scores = read_json(RESULTS / "coding.json")["quality"]["codiesp_dev_english"]["scores"]

    def cells(prefix: str) -> list[str]:
        f1, *others = (
            scores[prefix + name]
            for name in ("micro_f1", "micro_precision", "micro_recall", "category_f1")
        )
        with_interval = f"{f1[0]:.3f} ({f1[1]:.3f}–{f1[2]:.3f})"
        return [with_interval, *(f"{values[0]:.3f}" for values in others)]

    others = read_json(RESULTS / "coding.json")["specialties"]
    own = [others["micro_f1"]["all"], others["precision"], others["recall"]]
    rows = [
        ["CodiEsp, 250 cases", *cells("")],
        ["the same, in the edition of their codes (2018)", *cells("edition_map/")],
        ["eight specialties, 40 notes", *(f"{value:.3f}" for value in own), ""],
    ]
    return table(["notes", "micro F1", "precision", "recall", "category F1"], rows)


def editions_table() -> str:
    """Return the table of what the change of edition costs the lexicon on CodiEsp."""
    quality = read_json(RESULTS / "coding.json")["quality"]
    rows = []
    for split in ("dev", "train"):
        found = quality[f"codiesp_{split}_english"]
        counts = found["gold_codes"]
        total = sum(count for count, _ in counts.values())
        never = counts["incomplete"][0] + counts["other"][0]
        row = [f"{split}, {found['notes']} cases", f"{total:,}"]
        row += [f"{count:,} ({count / total:.1%})" for count in (counts["replaced"][0], never)]
        for name in ("micro_f1", "macro_f1", "category_f1"):
            plain, mapped = (found["scores"][p + name][0] for p in ("", "edition_map/"))
            row.append(f"{plain:.3f} → {mapped:.3f}")
        rows.append(row)
    head = ["split", "gold codes", "replaced since", "never billable"]
    return table([*head, "micro F1 → with the map", "macro F1", "category F1"], rows)


def scale_table() -> str:
    """Return the table of the speed of bulk runs and of the service."""
    bulk, serve = read_json(RESULTS / "bulk.json"), read_json(RESULTS / "serve.json")
    long, kills = bulk["long"], bulk["killed"]
    one = long["one_process"]
    bare = _range([f"{value:.0f}" for value in serve["bare_notes_a_second"]])

    def served(*clients: str) -> str:
        runs = [run for number in clients for run in serve["clients"][number]]
        speed = _range([f"{run['notes_a_second']:.0f}" for run in runs])
        share = _range([f"{run['to_bare']:.2f}" for run in runs])
        return f"{speed} notes a second ({share} of the bare coder, {bare} in the same run)"

    level = f"memory level at {one['mib_most'] / 1024:.2f} GiB"
    share = f"{long['one_by_bare']:.2f} of the bare coder"
    rows = [
        [
            f"{long['notes']:,} notes, one process",
            f"{one['notes_per_second']:,.0f} notes a second ({share}), {level}",
        ],
        [
            f"{long['notes']:,} notes, two processes",
            f"{long['two_processes']['notes_per_second']:,.0f} notes a second",
        ],
        [
            f"{kills['kills']} times `kill -9`",
            "the same bytes" if kills["same_bytes"] else "other bytes",
        ],
        ["service, 16 and 64 clients", served("16", "64")],
        ["service, one client", served("1")],
        [
            f"service, {_overload(serve):.0f} times as many requests as it can code",
            f"429 for the rest, as before after {serve['overload']['seconds_until_recovered']:.1f} s",
        ],
    ]
    scripts = [f"bulk.py --notes {long['notes']}"] * 3 + ["serve.py"] * 3
    commands = [f"`python benchmarks/{script}`" for script in scripts]
    cells = [[*row, command] for row, command in zip(rows, commands, strict=True)]
    return table(["what", "result", "command"], cells)


def _overload(serve: dict[str, Any]) -> float:
    overload = serve["overload"]
    return float(overload["sent_a_second"] / overload["coded_a_second"])


def _range(values: list[str]) -> str:
    """Return the smallest and the largest of values that have the same number of digits."""
    return f"{min(values)} to {max(values)}"


def silver_table() -> str:
    """Return the table of the evidence that is found without a model."""
    result = read_json(RESULTS / "silver.json")
    names = ["found", "span_precision", "span_recall", "token_f1"]
    least = str(result["least"])
    scores = {
        "training, 100 notes": result["training"][least],
        f"development, {result['notes']} notes": result["development"],
    }
    rows = [
        [notes, least, *(f"{found[name]:.3f}" for name in names)] for notes, found in scores.items()
    ]
    head = ["notes", "least score", "codes with evidence", "exact precision", "exact recall"]
    return table([*head, "token F1"], rows)


def silver_worth_table() -> str:
    """Return the table of what silver evidence is worth beside gold evidence."""
    rows = []
    for system, found in read_json(RESULTS / "silver_worth.json")["systems"].items():
        for arm, scores in found["arms"].items():
            cells = [
                f"{score['value']:.3f} ({score['low']:.3f}–{score['high']:.3f})"
                for score in (scores[name] for name in ("micro_f1", "macro_f1", "evidence_span_f1"))
            ]
            rows.append([system, arm, *cells])
    return table(["system", "evidence of", "micro F1", "macro F1", "evidence F1"], rows)


def imports_table() -> str:
    """Return the table of the time and memory of builds at scale."""
    result = read_json(RESULTS / "imports.json")
    tables, cited = result["mimic4"], result["silver_replay"]
    what = {
        f"`corpus`, MIMIC-IV's tables of {tables['gigabytes']} GB, {tables['rows']:,} notes": tables,
        f"`silver` with answers from a file, {cited['rows'] // 4:,} notes of three codes": cited,
    }
    rows = [[name, f"{r['seconds']:.0f} s", f"{r['peak_mib']:,} MiB"] for name, r in what.items()]
    return table(["build", "time", "memory"], rows)


BLOCKS = {
    **baseline_tables.BLOCKS,
    **review_tables.BLOCKS,
    **synthetic_tables.BLOCKS,
    "quickstart": quickstart_table,
    "span rows": arms_table,
    "lexicon on CodiEsp": codiesp_table,
    "editions": editions_table,
    "claim": summary_table,
    "scale": scale_table,
    "silver": silver_table,
    "silver worth": silver_worth_table,
    "imports": imports_table,
}
"""Functions that generate the blocks of the pages, by the name of the block."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quickstart", type=Path, help="folder of a finished quickstart")
    arguments = parser.parse_args()
    if arguments.quickstart is not None:
        copy_quickstart(arguments.quickstart)
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), BLOCKS), encoding="utf-8")
        print(page)


if __name__ == "__main__":
    main()
