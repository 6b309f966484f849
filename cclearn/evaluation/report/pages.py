"""The report: one self-contained HTML page, and its tables as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cclearn.evaluation.bootstrap import Difference, Score
from cclearn.evaluation.evaluate import Comparison, Evaluation
from cclearn.evaluation.lm_eval.retention import Retained
from cclearn.evaluation.report.confusion import Branch, Confusion
from cclearn.evaluation.report.cost import Cost, cost_rows
from cclearn.evaluation.report.plots import plots
from cclearn.evaluation.results import Result
from cclearn.notes import CodedNote
from cclearn.outputs.highlight import Region, highlight
from cclearn.runtime.files import atomic_file
from cclearn.runtime.shown import html_text, markdown_text

SHOWN: tuple[tuple[str, str], ...] = (
    ("micro_f1", "micro F1"),
    ("micro_precision", "micro precision"),
    ("micro_recall", "micro recall"),
    ("macro_f1", "macro F1, codes of the gold"),
    ("macro_any_f1", "macro F1, codes of either"),
    ("exact_match", "exact match"),
    ("category_f1", "category micro F1"),
    ("evidence_span_f1", "evidence F1, exact spans"),
    ("evidence_token_f1", "evidence F1, tokens"),
    ("unseen/micro_recall", "recall, unseen codes"),
    ("decision/accept/right", "precision, accepted codes"),
    ("decision/accept/share", "share accepted"),
    ("decision/reject/right", "right among rejected"),
    ("accuracy", "accuracy of the first code"),
    ("top_5", "right code among the first 5"),
    ("category_accuracy", "category accuracy"),
    ("seen/accuracy", "accuracy, seen codes"),
    ("unseen/accuracy", "accuracy, unseen codes"),
    ("grade/gold/accuracy", "accuracy, gold spans"),
    ("grade/silver/accuracy", "accuracy, silver spans"),
    ("grade/synthetic/accuracy", "accuracy, synthetic spans"),
    ("invalid_rate", "invalid rate"),
    ("ungrounded_rate", "ungrounded rate"),
)
"""The scores that a table shows, where they are defined, and their headings."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid #d0d7de; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.note { border: 1px solid #d0d7de; border-radius: 8px; padding: .4rem 1rem 1rem; margin: 1rem 0; }
.note h3 { font-size: 1rem; margin: .6rem 0; } .note h4 { font-size: .85rem; margin: .8rem 0 .2rem;
       color: #57606a; font-weight: 600; }
.entities { white-space: pre-wrap; line-height: 2.1; }
mark.entity { border-radius: 4px; padding: .15rem .35rem; margin: 0 .1rem; }
mark.entity b { font-weight: inherit; border-bottom: 2px solid; }
mark.entity span { font-size: .72em; font-weight: 700; margin-left: .4rem; vertical-align: middle; }
.right { background: #c8f0d0; } .wrong { background: #ffd7d5; } .gold { background: #dbe9ff; }
.codes { color: #57606a; font-size: .85rem; margin: .3rem 0 0; }
.tree ul { margin: .2rem 0; padding-left: 1.4rem; } .tree i { color: #57606a; font-style: normal; }
figure { margin: 2rem 0; break-inside: avoid; } figcaption { font-weight: 600; margin-bottom: .3rem; }
figure svg { max-width: 100%; height: auto; }
@media print { .note { break-inside: avoid; } }
"""


def score_rows(evaluations: Mapping[str, Evaluation]) -> list[list[str]]:
    """Return the table's rows: a score's heading, and what each system has, with its interval."""
    rows = []
    for name, heading in SHOWN:
        scores = [evaluation.scores.get(name, Score(None)) for evaluation in evaluations.values()]
        if any(score.value is not None for score in scores):
            rows.append([heading, *map(score_text, scores)])
    return rows


def difference_rows(differences: Mapping[str, Difference]) -> list[list[str]]:
    """Return a row for each score that two systems have: its difference with the interval, and the
    p-values of the bootstrap and of the randomisation."""
    rows = []
    for name, heading in SHOWN:
        found = differences.get(name)
        if found is None or found.value is None or found.low is None or found.high is None:
            continue
        difference = f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
        probabilities = (found.p_bootstrap, found.p_randomisation)
        rows.append(
            [heading, difference, *("–" if p is None else f"{p:.3f}" for p in probabilities)]
        )
    return rows


def score_text(score: Score) -> str:
    """Write a score with its 95 % interval: `0.826 (0.791–0.863)`."""
    if score.value is None:
        return "–"
    if score.low is None or score.high is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} ({score.low:.3f}–{score.high:.3f})"


def html_report(
    title: str,
    introduction: Sequence[str],
    evaluations: Mapping[str, Evaluation],
    gold: Sequence[CodedNote] = (),
    predicted: Mapping[str, Mapping[str, CodedNote]] | None = None,
    costs: Mapping[str, Cost] | None = None,
    retained: Sequence[Retained] = (),
    differences: Mapping[tuple[str, str], Mapping[str, Difference]] | None = None,
) -> str:
    """Return the page. It needs no script, no font and no other file.

    Args:
        title: Its heading.
        introduction: Paragraphs below it.
        evaluations: By system.
        gold: The notes to show, with the right codes; none unless the reader may see them.
        predicted: By system and note id, the same notes with the assigned codes.
        costs: By system.
        retained: Scores of general tasks before and after tuning.
        differences: By pair of systems.
    """
    head = "".join(f"<th>{html_text(name)}</th>" for name in evaluations)
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{html_text(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{html_text(title)}</h1>",
        *(f"<p>{html_text(paragraph)}</p>" for paragraph in introduction),
        f"<table><thead><tr><th></th>{head}</tr></thead><tbody>",
        *(_table_row(row) for row in score_rows(evaluations)),
        "</tbody></table>",
    ]
    for (one, two), scores in (differences or {}).items():
        parts.append(f"<h2>{html_text(one)} less {html_text(two)}</h2><table><thead>")
        parts.append(_table_row(_DIFFERENCE_HEAD, "th") + "</thead><tbody>")
        parts += [*map(_table_row, difference_rows(scores)), "</tbody></table>"]
    if costs:
        names = "".join(f"<th>{html_text(name)}</th>" for name in costs)
        parts.append(f"<h2>Cost</h2><table><thead><tr><th></th>{names}</tr></thead><tbody>")
        parts += [*map(_table_row, cost_rows(costs)), "</tbody></table>"]
    for heading, drawing in plots(evaluations, costs):
        parts.append(f"<figure><figcaption>{html_text(heading)}</figcaption>{drawing}</figure>")
    for name, evaluation in evaluations.items():
        if evaluation.confusion_tree:
            parts.append(f"<h2>Taken for a sibling or cousin: {html_text(name)}</h2>")
            parts.append(f"<div class='tree'>{_html_tree(evaluation.confusion_tree)}</div>")
    if retained:
        parts.append("<h2>Before and after tuning</h2><table><thead>")
        parts.append(_table_row(_RETAINED_HEAD, "th") + "</thead><tbody>")
        parts += [*map(_table_row, _retained_rows(retained)), "</tbody></table>"]
    if gold:
        parts.append(
            "<h2>Notes</h2><p>Highlighted is the cited evidence with its code:"
            " <mark class='entity gold'>gold</mark> <mark class='entity right'>right code</mark>"
            " <mark class='entity wrong'>wrong code</mark></p>"
        )
    for note in gold:
        right = {assigned.code for assigned in note.codes}
        parts.append(f"<div class='note'><h3>{html_text(note.id)}</h3><h4>gold</h4>")
        parts.append(_highlighted(note, None))
        for system, notes in (predicted or {}).items():
            parts.append(f"<h4>{html_text(system)}</h4>{_highlighted(notes[note.id], right)}")
        parts.append("</div>")
    parts.append("</body></html>")
    return "".join(parts)


def _highlighted(note: CodedNote, right: set[str] | None) -> str:
    """Render a note and its codes; `right` None marks everything as gold."""

    def verdict(region: Region) -> str:
        if right is None:
            return 'class="entity gold"'
        return f'class="entity {"right" if _cited(note, region) <= right else "wrong"}"'

    def label(region: Region) -> str:
        return html_text(", ".join(sorted(_cited(note, region))))

    codes = "; ".join(
        f"{assigned.code} {assigned.description}"
        + ("" if assigned.score is None else f" ({assigned.score:.2f})")
        for assigned in note.codes
    )
    marked = highlight(note, verdict, label)
    return f"{marked}<p class='codes'>{html_text(codes) or 'no codes'}</p>"


def _cited(note: CodedNote, region: Region) -> set[str]:
    return {note.codes[place].code for place in region.codes}


def markdown_report(
    title: str,
    introduction: Sequence[str],
    evaluations: Mapping[str, Evaluation],
    costs: Mapping[str, Cost] | None = None,
    retained: Sequence[Retained] = (),
    differences: Mapping[tuple[str, str], Mapping[str, Difference]] | None = None,
) -> str:
    """Return the tables of the page as Markdown.

    Args:
        title: Its heading.
        introduction: Paragraphs below it.
        evaluations: By system.
        costs: By system.
        retained: Scores of general tasks before and after tuning.
        differences: By pair of systems.
    """
    lines = [f"# {markdown_text(title)}", ""]
    for paragraph in introduction:
        lines += [markdown_text(paragraph), ""]
    lines += _markdown_table(["", *evaluations], score_rows(evaluations))
    for (one, two), scores in (differences or {}).items():
        lines += ["", f"## {markdown_text(one)} less {markdown_text(two)}", ""]
        lines += _markdown_table(_DIFFERENCE_HEAD, difference_rows(scores))
    if costs:
        lines += ["", "## Cost", "", *_markdown_table(["", *costs], cost_rows(costs))]
    for name, evaluation in evaluations.items():
        if evaluation.confusion_tree:
            lines += ["", f"## Taken for a sibling or cousin: {markdown_text(name)}", ""]
            lines += _markdown_tree(evaluation.confusion_tree)
    if retained:
        lines += ["", "## Before and after tuning", ""]
        lines += _markdown_table(_RETAINED_HEAD, _retained_rows(retained))
    return "\n".join(lines) + "\n"


def write_reports(
    folder: Path,
    title: str,
    comparison: Comparison,
    told: Sequence[str],
    gold: Sequence[CodedNote] = (),
    predicted: Mapping[str, Mapping[str, CodedNote]] | None = None,
    costs: Mapping[str, Cost] | None = None,
    retained: Sequence[Retained] = (),
) -> None:
    """Write `report.html` and `report.md` to a folder; the arguments are those of the reports."""
    evaluations = comparison.evaluations
    for name, page in (
        (
            "report.html",
            html_report(
                title, told, evaluations, gold, predicted, costs, retained, comparison.differences
            ),
        ),
        (
            "report.md",
            markdown_report(title, told, evaluations, costs, retained, comparison.differences),
        ),
    ):
        with atomic_file(folder / name) as stream:
            stream.write(page.encode("utf-8"))


def introduction(result: Result, unit: str = "notes") -> list[str]:
    """Return what a report says first, from a result: what was run, label space, warnings.

    Args:
        result: The result.
        unit: What was scored.
    """
    system, space = result.code_system, result.label_space
    count = max(each.notes_asked for each in result.systems.values())
    draws = result.bootstrap["draws"]
    lines = [
        f"{count:,} {unit}. Any of the {space['billable']:,} billable codes of {system.name}"
        f" {system.release} may be assigned; gold and predictions hold"
        f" {space['in_gold_or_predictions']:,}. "
        + (
            f"Intervals are 95 %, of {draws:,.0f} bootstrap draws over {unit}."
            if draws
            else "There are no intervals: no draws were asked for."
        )
    ]
    benchmark = result.described.get("benchmark")
    if benchmark:
        options = {**benchmark["options"], "shots": benchmark["shots"], "limit": benchmark["limit"]}
        said = ", ".join(f"{key} {value}" for key, value in options.items() if value is not None)
        lines.append(f"Benchmark {benchmark['name']}: {said}.")
    lines += [f"{warning}." for warning in result.warnings]
    for name, described in result.systems.items():
        lines += [f"{name}: {warning}." for warning in described.warnings]
    return lines


_DIFFERENCE_HEAD = ["score", "difference (95 %)", "p, bootstrap", "p, randomisation"]

_RETAINED_HEAD = ["task", "metric", "before", "after"]


def _retained_rows(retained: Sequence[Retained]) -> list[list[str]]:
    def text(value: float, error: float | None) -> str:
        return f"{value:.3f}" + ("" if error is None else f" ± {error:.3f}")

    return [
        [r.task, r.metric, text(r.before, r.before_error), text(r.after, r.after_error)]
        for r in retained
    ]


def _html_tree(branches: Sequence[Branch]) -> str:
    items = []
    for branch in branches:
        items.append(f"<li><b>{html_text(branch.code)}</b> {html_text(branch.title)}")
        items.append(f" <i>{_notes(branch.notes)}</i>{_html_tree(branch.below)}<ul>")
        items += [f"<li>{html_text(_taken(each))}</li>" for each in branch.confusions]
        items.append("</ul></li>")
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _markdown_tree(branches: Sequence[Branch], indent: str = "") -> list[str]:
    lines = []
    for branch in branches:
        code, title = markdown_text(branch.code), markdown_text(branch.title)
        lines.append(f"{indent}- **{code}** {title}: {_notes(branch.notes)}")
        lines += _markdown_tree(branch.below, f"{indent}  ")
        lines += [f"{indent}  - {markdown_text(_taken(each))}" for each in branch.confusions]
    return lines


def _taken(confusion: Confusion) -> str:
    return f"{confusion.missed} taken for {confusion.predicted}: {_notes(confusion.notes)}"


def _notes(count: int) -> str:
    return f"{count} note" if count == 1 else f"{count} notes"


def _table_row(cells: Sequence[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{html_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(markdown_text, cells)) + " |"

    return [line(head), "| --- |" + " ---: |" * (len(head) - 1), *map(line, rows)]
