"""Coders: scores on real notes, the guarantees of the grammar with random weights, and speed.

python benchmarks/coding.py [--data FOLDER] [--only PART ...]     on the CPU
python benchmarks/coding.py --gpu                                 Llama-3.1-8B's shape, random weights
python benchmarks/coding.py --local MODEL [--data FOLDER]         a model of yours, on the CPU or a GPU

FOLDER contains `codiesp`, `aci_bench` and `disease_ontology`. Without it, the quality of the lexicon and
of the candidates is not measured, and the notes come from the builders. The parts are `quality`,
`specialties`, `grounded`, `engine`, `choices` and `candidates`. Variants that are compared run in turn
in one process, and the median round is reported. `phrase_matching.py` measures the speed of the lexicon
in a process without other libraries.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lexicon_quality import quality, specialties
from local_decoding import local
from measure import RESULTS, save
from random_models import (
    SMALL,
    TINY,
    built_notes,
    corpus_notes,
    prevent_short_answers,
    small_engine,
    timed,
)
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel

from cclearn import CodedNote, Note
from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings, string_key
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.single_pass.coder import LLMCoder
from cclearn.coding.span_loop.assigners import ChoosingAssigner, GeneratingAssigner, Mention
from cclearn.coding.span_loop.candidates import Candidates
from cclearn.coding.span_loop.coder import SpanLoopCoder
from cclearn.coding.span_loop.recognisers import LLMRecogniser
from cclearn.engines.local import LocalEngine
from cclearn.engines.tree_scoring import score_answers
from cclearn.notes import Evidence
from cclearn.prompts import Template, span_answer, span_prompt
from cclearn.prompts.encoding import encode_prompt
from cclearn.runtime.progress import quiet_libraries

TEMPLATES: tuple[Template, ...] = ("paired", "listed")


def grounded(notes: list[Note], system: CodeSystem) -> dict[str, Any]:
    """Count the invalid codes and ungrounded quotes of random weights, in both modes and templates."""
    figures = {}
    for template in TEMPLATES:
        engine = small_engine(TINY, notes, template, batch_size=64, max_new_tokens=64)
        prevent_short_answers(engine)
        one = LLMCoder(engine, system, template=template)
        # Random weights would always choose "none", the shortest answer, so the codes are generated.
        loop = SpanLoopCoder(
            LLMRecogniser(LLMCoder(engine, system, template=template)),
            GeneratingAssigner(engine, system, template),
            system,
        )
        for mode, coder in (("single_pass", one), ("span_loop", loop)):
            coded = list(coder.code_many(notes))
            figures[f"{mode} {template}"] = {
                "notes": len(coded),
                "codes": sum(len(note.codes) for note in coded),
                "invalid": sum(len(note.invalid) for note in coded),
                "ungrounded": sum(len(note.ungrounded) for note in coded),
                "flags": sorted({flag for note in coded for flag in note.flags}),
            }
    return figures


def engine(notes: list[Note], system: CodeSystem, rounds: int) -> dict[str, Any]:
    """Compare `code_many` with one call of `generate` per note, and with decoding without a grammar."""
    answer, batch = 96, 64
    notes = notes[:batch]
    batched = small_engine(SMALL, notes, "paired", batch_size=batch, max_new_tokens=answer)
    prevent_short_answers(batched)
    single = LocalEngine(batched.model, batched.tokenizer, batch_size=1, max_new_tokens=answer)
    free = LocalEngine(batched.model, batched.tokenizer, batch_size=batch, max_new_tokens=answer)
    free.grounded = False
    few = notes[:: batch // 8]

    def run(used: LocalEngine, some: list[Note]) -> tuple[float, list[CodedNote], LLMCoder]:
        coder = LLMCoder(used, system)
        coder._codes  # noqa: B018 - it is built once per process
        started = time.perf_counter()
        coded = list(coder.code_many(some))
        return time.perf_counter() - started, coded, coder

    runs = [(run(batched, notes), run(single, few), run(free, notes)) for _ in range(rounds)]
    batched_seconds, single_seconds, free_seconds = (
        statistics.median(round_[variant][0] for round_ in runs) for variant in range(3)
    )
    (_, coded, coder), (_, by_one, _), (_, _, free_coder) = runs[0]
    compared = zip(coded[:: batch // 8], by_one, strict=True)
    same = sum(codes_and_evidence(one) == codes_and_evidence(other) for one, other in compared)
    tokens = coder.usage.answer_tokens / free_coder.usage.answer_tokens
    return {
        "parameters": batched.model.num_parameters(),
        "notes": len(notes),
        "prompt_tokens_a_note": round(coder.usage.prompt_tokens / len(notes), 1),
        "answer_tokens_a_note": round(coder.usage.answer_tokens / len(notes), 1),
        "notes_per_second": round(len(notes) / batched_seconds, 3),
        "notes_per_second_one_by_one": round(len(few) / single_seconds, 3),
        "notes_per_second_unbound": round(len(notes) / free_seconds, 3),
        "ratios": {
            "code_many / one by one": round(
                len(notes) / batched_seconds / (len(few) / single_seconds), 2
            ),
            "same output of those compared": f"{same} of {len(few)}",
            "grammar overhead a token": round(batched_seconds / tokens / free_seconds - 1, 3),
        },
    }


def codes_and_evidence(note: CodedNote) -> list[tuple[str, list[Evidence]]]:
    """Return the codes with their evidence, but without scores, which differ in the last digits."""
    return [(code.code, code.evidence) for code in note.codes]


def candidate_scoring(notes: list[Note], system: CodeSystem, rounds: int) -> dict[str, Any]:
    """Compare scoring candidates as a tree with one forward pass over the prompt and all candidates."""
    used = small_engine(SMALL, notes, "paired")
    text = "type 2 diabetes mellitus with diabetic chronic kidney disease"
    (codes,) = Candidates(LexiconCoder(system)).retrieve([text], 256)
    prompt = encode_prompt(used.tokenizer, span_prompt(text))
    answers = used.tokenizer([span_answer(text, c) for c in codes], add_special_tokens=False)[
        "input_ids"
    ]
    # The tokens that all answers begin with are read once, after the prompt.
    shared = next(
        length
        for length in range(len(answers[0]))
        if len({tuple(a[: length + 1]) for a in answers}) > 1
    )
    row = [*prompt, *answers[0][:shared], *(t for a in answers for t in a[shared:])]
    ids = torch.tensor([row])

    def forward() -> None:
        with torch.inference_mode():
            used.model(input_ids=ids, use_cache=False, logits_to_keep=1)

    def one_by_one() -> None:
        width = len(prompt) + max(map(len, answers))
        padded = torch.tensor([(prompt + a + [0] * width)[:width] for a in answers])
        with torch.inference_mode():
            for part in padded.split(64):
                used.model(input_ids=part, use_cache=False, logits_to_keep=1)

    variants: dict[str, Callable[[], object]] = {
        "weighed": lambda: score_answers(used.model, prompt, answers),
        "forward": forward,
        "one_by_one": one_by_one,
    }
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for action in variants.values():
        action()
    for _ in range(rounds * 5):
        for name, action in variants.items():
            taken[name].append(timed(action))
    median = {name: statistics.median(seconds) for name, seconds in taken.items()}
    return {
        "parameters": used.model.num_parameters(),
        "candidates": len(codes),
        "tokens_of_prompt_and_candidates": len(row),
        "milliseconds": {name: round(1e3 * seconds, 1) for name, seconds in median.items()},
        "ratios": {
            "weighed / forward": round(median["weighed"] / median["forward"], 2),
            "each answer with its prompt / weighed": round(
                median["one_by_one"] / median["weighed"], 2
            ),
        },
    }


def candidates(system: CodeSystem, rounds: int, data: Path | None) -> dict[str, Any]:
    """Measure the speed of retrieval for the inclusion terms of a chapter, and its recall.

    Recall is measured on labels of an ontology that no string of the code system spells.
    """
    retrieved = Candidates(LexiconCoder(system))
    texts = [term for code in system.billable_codes("9") for term in system.synonyms(code)][:500]
    started = time.perf_counter()
    next(retrieved.retrieve(["warm"], 100))
    built = time.perf_counter() - started
    taken = [timed(lambda: sum(1 for _ in retrieved.retrieve(texts, 200))) for _ in range(rounds)]
    figures: dict[str, Any] = {
        "index_seconds": round(built, 2),
        "spans_per_second": round(len(texts) / statistics.median(taken), 1),
    }
    if data is not None:
        labels = ontology_labels(data / "disease_ontology" / "ICD10inDO.tsv", system)
        texts = [label for label, _ in labels]
        figures["labels"] = len(labels)
        figures["share_among_so_many"] = {
            str(most): round(
                sum(
                    code in codes
                    for codes, (_, code) in zip(
                        retrieved.retrieve(texts, most), labels, strict=True
                    )
                )
                / len(labels),
                3,
            )
            for most in (1, 5, 20, 100, 200)
        }
    return figures


def ontology_labels(path: Path, system: CodeSystem) -> list[tuple[str, str]]:
    """Return the labels that have one billable code and that no string of the code system spells."""
    spelt = {string_key(string.text) for string in code_strings(system)}
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            named = [x.partition(":") for x in row["xrefs"].split("|")]
            codes = [code for prefix, _, code in named if prefix == "ICD10CM"]
            billable = len(codes) == 1 and system.is_billable(codes[0])
            if billable and string_key(row["label"]) not in spelt:
                found.append((row["label"], system.canonical(codes[0])))
    return found


def on_gpu(notes: list[Note], system: CodeSystem, rounds: int) -> dict[str, Any]:
    """Measure decoding and the scoring of candidates with a model of Llama-3.1-8B's shape."""
    plain = small_engine(TINY, notes, "paired")
    config = LlamaConfig(
        vocab_size=128_256,
        hidden_size=4_096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=131_072,
        rope_theta=500_000.0,
        tie_word_embeddings=False,
        pad_token_id=plain.tokenizer.pad_token_id,
        eos_token_id=plain.tokenizer.eos_token_id,
    )
    with torch.device("cuda"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    used = LocalEngine(model.eval(), plain.tokenizer, batch_size=128, max_new_tokens=128)
    prevent_short_answers(used)
    figures: dict[str, Any] = {"parameters": model.num_parameters()}
    for name, bound in (("bound", True), ("unbound", False)):
        used.grounded = bound
        coder = LLMCoder(used, system)
        list(coder.code_many(notes[:128]))
        taken = []
        for _ in range(rounds):
            coder.usage.answer_tokens = 0
            taken.append(timed(lambda coder=coder: sum(1 for _ in coder.code_many(notes[:512]))))
        figures[name] = {
            "notes_per_second": round(len(notes[:512]) / statistics.median(taken), 2),
            "answer_tokens_per_second": round(
                coder.usage.answer_tokens / statistics.median(taken), 1
            ),
        }
    used.grounded = True
    assigner = ChoosingAssigner(used, Candidates(LexiconCoder(system)), max_candidates=200)
    mentions = [Mention(str(number), "chronic ischemic heart disease") for number in range(64)]
    list(assigner.assign(mentions))
    seconds = statistics.median(
        timed(lambda: list(assigner.assign(mentions))) for _ in range(rounds)
    )
    figures["spans_of_200_candidates_per_second"] = round(len(mentions) / seconds, 1)
    figures["peak_gpu_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", type=Path, help="folder with codiesp, aci_bench and disease_ontology"
    )
    parser.add_argument("--only", nargs="+", help="parts to run; other stored figures are kept")
    parser.add_argument("--notes", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--local", help="folder of a model")
    arguments = parser.parse_args()
    quiet_libraries()
    system = CodeSystem.load()
    with tempfile.TemporaryDirectory() as folder:
        built = built_notes(arguments.notes, Path(folder), system)
        real = built
        if arguments.data is not None:
            splits = [
                note.note
                for split in ("dev", "train")
                for note in corpus_notes("codiesp", arguments.data, system, split)
            ]
            real = [*splits, *built][: arguments.notes]
    if arguments.local:
        save("coding_local", local(arguments.local, real, system, arguments.rounds))
        return
    if arguments.gpu:
        save("coding_gpu", on_gpu(real, system, arguments.rounds))
        return
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "grounded": lambda: grounded(real, system),
        "engine": lambda: engine(built, system, arguments.rounds),
        "choices": lambda: candidate_scoring(built, system, arguments.rounds),
        "candidates": lambda: candidates(system, arguments.rounds, arguments.data),
    }
    if arguments.data is not None:
        parts["quality"] = lambda: quality(arguments.data, system)
    parts["specialties"] = lambda: specialties(system)
    figures = {name: parts[name]() for name in arguments.only or parts}
    written = RESULTS / "coding.json"
    before = json.loads(written.read_text()) if arguments.only and written.is_file() else {}
    kept = {name: before[name] for name in parts if name in before}
    save("coding", {"notes_from": "codiesp" if arguments.data else "builders", **kept, **figures})


if __name__ == "__main__":
    main()
