"""The model card, which documents the data, the intended use and the limits of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cclearn.errors import visible
from cclearn.runtime.display import markdown_text

_INTENDED = """\
The model proposes {system} codes for clinical notes in the language of its training data. It cites the
words of the note that support each code. A professional coder decides. It is not a medical device. Do
not use it for billing without review, for decisions about a patient, or for codes of another release."""

_LIMITS = """\
- Recall is lower for codes that are rare in the training data or missing from it. `cclearn evaluate`
  reports the scores by frequency, and for seen and unseen codes.
- Scores are lower for notes that differ from the training data in specialty, language, length or form.
- Every citation is a quote of the note, and every code is a code of the release. Neither guarantees that
  the code is correct."""

_GRADES = {
    "gold": "from official sources",
    "silver": "inferred, and not checked by a person",
    "synthetic": "generated",
    None: "coded notes",
}


def model_card(manifest: Mapping[str, Any]) -> str:
    """Return the model card of a run, with the metadata that the hub reads.

    Args:
        manifest: Manifest of the run, which `cclearn.training.manifest.describe_run` returns.
    """
    recipe, system = manifest["recipe"], manifest["code_system"]
    base = recipe["model"]["path"]
    licence = recipe["licence"]
    head = ["---", "library_name: " + ("transformers" if _has_all_weights(recipe) else "peft")]
    if base and not Path(base).is_dir():
        head.append(f"base_model: {visible(base)}")
    if licence:
        head.append(f"license: {visible(licence)}")
    head += ["tags:", "- clinical-coding", f"- {system['name']}", "---", ""]
    origins = sorted({origin for row in manifest["rows"] for origin in row["origins"]})
    lines = [
        *head,
        f"# {markdown_text(recipe['name'])}",
        "",
        f"Assigns {system['name']} codes, release {system['release']}, to clinical notes. "
        + (f"Fine-tuned from {markdown_text(base)}, " if base else "Trained from random weights, ")
        + f"{_method(recipe)}, by the recipe in `manifest.json` with cclearn"
        f" {manifest['versions']['cclearn']}.",
        "",
        "## Intended use",
        "",
        _INTENDED.format(system=system["name"]),
        "",
        "## Data",
        "",
        "| source | kind | grade | origin | rows | tokens | supervised tokens |",
        "| --- | --- | --- | --- | ---: | ---: | ---: |",
        *(_row(row) for row in manifest["rows"]),
        "",
        "Grades: "
        + "; ".join(
            f"{grade or 'none'}: {_GRADES[grade]}"
            for grade in dict.fromkeys(row["grade"] for row in manifest["rows"])
        )
        + ".",
        "",
    ]
    if "restricted" in origins:
        lines += [
            "**Some of the data are restricted.** A model can repeat its training data. Share the"
            " model only with people who may see the data.",
            "",
        ]
    left_out = sum(map(len, manifest["contaminated"].values()))
    evaluation = ", ".join(
        markdown_text(str(file["path"])) for file in recipe["rows"]["evaluation"]
    )
    lines += [
        f"Rows that were left out because an evaluation contains them: {left_out} ({evaluation})."
        if evaluation
        else "The recipe names no evaluation data, so that no row was checked for contamination.",
        "",
        "## Limits",
        "",
        _LIMITS,
        "",
        "## Licence",
        "",
        (markdown_text(licence) if licence else "Not stated by the recipe.")
        + " The licences of the base model and of the data apply as well."
        + _base_licence(manifest),
        "",
        "## Training",
        "",
        f"{manifest['steps']} steps of {manifest['effective_batch']:,} {manifest['batch_unit']} on"
        f" {manifest['processes']} process(es), {manifest['tokens_seen']:,} tokens in"
        f" {manifest['seconds']:,.0f} s;"
        f" {manifest['trained_parameters']:,} of {manifest['parameters']:,} parameters trained.",
        "",
    ]
    return "\n".join(lines)


def _method(recipe: Mapping[str, Any]) -> str:
    """Return how a model was trained, in Markdown."""
    if recipe.get("baseline"):
        return f"head `{recipe['baseline']['head']}`"
    return f"adapter `{recipe['adapter']['kind']}`, stage `{'grpo' if recipe['grpo'] else 'sft'}`"


def _has_all_weights(recipe: Mapping[str, Any]) -> bool:
    return bool(recipe["adapter"]["kind"] == "none")


def _base_licence(manifest: Mapping[str, Any]) -> str:
    licence = manifest.get("base_licence")
    if not licence:
        return ""
    terms = f"{licence['name']}, {licence['url']}"
    return f" That of the base model is: {markdown_text(terms)}."


def _row(row: Mapping[str, Any]) -> str:
    cells = [row["source"], row["kind"], row["grade"] or "", ", ".join(row["origins"])]
    counts = [row["rows"], row["tokens"], row["supervised_tokens"]]
    return (
        "| " + " | ".join([*map(markdown_text, cells), *(f"{count:,}" for count in counts)]) + " |"
    )
