"""Measure baselines: the speed of their heads, the memory of all labels, and their scores.

python -m benchmarks.baselines speed
python -m benchmarks.baselines memory
python -m benchmarks.baselines quality --data FOLDER --language en NAME=MODEL [NAME=MODEL …]

Each part is written into `benchmarks/results/baselines.json`, where the others stay.

- `speed`: seconds of a training step and of scoring, beside those of the encoder alone, for an encoder
  of the size of RoBERTa-base with random weights and 8,000 labels.
- `memory`: peak memory of a training step and of scoring for all billable codes of ICD-10-CM and a note
  of 4,096 tokens, each in a process of its own.
- `quality`: scores of trained models on the development notes of CodiEsp, beside the lexicon and the
  most frequent codes of the training notes. FOLDER contains `codiesp`. `map` is the mean average
  precision of all labels, and not only of those above the threshold. MODEL can also be a folder of
  `cclearn code`, which holds the codes of any system for these notes. Models that are not named keep
  their scores of earlier runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.claim.scoring import predictions
from benchmarks.measure import RESULTS, save, seconds
from cclearn.codes import CodeSystem
from cclearn.coding.identity import rows_sha256
from cclearn.coding.labels.settings import LabelSettings
from cclearn.coding.load import load_coder
from cclearn.coding.settings import CoderSettings
from cclearn.errors import CclearnError
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.bounds import FLOOR, MostFrequentCodes
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.models import model_hash
from cclearn.runtime.memory import peak_mib
from cclearn.runtime.parsing import read_json

RESULT = RESULTS / "baselines.json"

HEADS = ("plm_icd", "plm_ca", "gki_icd")

LABELS = 8_000
TOKENS = 1_024
LONG = 4_096
LABEL_CHUNK = 4_096
REPEATS = 3

SCORES = (
    "micro_f1",
    "macro_f1",
    "category_f1",
    "map",
    "evidence_span_f1",
    "evidence_token_f1",
    "frequency/medium/micro_f1",
    "frequency/tail/micro_f1",
    "frequency/ultra_tail/micro_f1",
    "unseen/micro_recall",
)


def made_model(head: str, labels: int, label_chunk: int) -> Any:
    """Return a model of the size of RoBERTa-base with random weights."""
    import torch
    from transformers import RobertaConfig

    from cclearn.baselines.model import PlmConfig, PlmModel

    torch.manual_seed(0)
    encoder = RobertaConfig(vocab_size=50_265, max_position_embeddings=514)
    codes = [str(label) for label in range(labels)]
    return PlmModel(
        PlmConfig(encoder=encoder.to_dict(), head=head, codes=codes, label_chunk=label_chunk)
    )


def seconds_of(run: Callable[[], object]) -> float:
    """Return the shortest time of a few runs, after one that is not counted."""
    run()
    return seconds(run, REPEATS)["minimum"]


def speed() -> dict[str, Any]:
    """Return the seconds of the heads and of the encoder alone, and the ratios of their speeds."""
    import torch

    found: dict[str, Any] = {"labels": LABELS, "tokens": TOKENS, "threads": torch.get_num_threads()}
    ids = torch.randint(5, 50_000, (1, TOKENS))
    mask = torch.ones_like(ids)
    gold = torch.zeros(1, LABELS)
    gold[0, :15] = 1
    for head in HEADS:
        model = made_model(head, LABELS, 0).train()

        def step(model: Any = model) -> None:
            model.zero_grad()
            model(ids, mask, gold).loss.backward()

        def encoder_step(model: Any = model) -> None:
            model.zero_grad()
            model.hidden_states(ids, mask).sum().backward()

        def score(model: Any = model) -> None:
            with torch.no_grad():
                model(ids, mask)

        def encode(model: Any = model) -> None:
            with torch.no_grad():
                model.hidden_states(ids, mask)

        training, alone = seconds_of(step), seconds_of(encoder_step)
        model.eval()
        scoring, encoding = seconds_of(score), seconds_of(encode)
        found[head] = {
            "training_step": training,
            "encoder_step": alone,
            "training_ratio": round(alone / training, 3),
            "scoring": scoring,
            "encoding": encoding,
            "scoring_ratio": round(encoding / scoring, 3),
        }
    return found


def memory_of(head: str, trains: bool) -> dict[str, Any]:
    """Return the peak memory of this process after a pass over all labels."""
    import torch

    labels = len(CodeSystem.load().billable_codes())
    before = peak_mib()
    model = made_model(head, labels, LABEL_CHUNK)
    ids = torch.randint(5, 50_000, (1, LONG))
    started = time.perf_counter()
    if trains:
        model.train()
        gold = torch.zeros(1, labels)
        gold[0, :15] = 1
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
        model(ids, torch.ones_like(ids), gold).loss.backward()
        optimizer.step()
    else:
        model.eval()
        with torch.no_grad():
            model(ids, torch.ones_like(ids))
    return {
        "labels": labels,
        "peak_mib": peak_mib(),
        "before_mib": before,
        "seconds": round(time.perf_counter() - started, 1),
    }


def memory() -> dict[str, Any]:
    """Return the peak memory of each head, measured in separate processes."""
    found: dict[str, Any] = {"tokens": LONG, "label_chunk": LABEL_CHUNK}
    for head in HEADS:
        for kind in ("training", "scoring"):
            command = [sys.executable, "-m", "benchmarks.baselines", "one", head, kind]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            found[f"{head}, {kind}"] = json.loads(run.stdout.splitlines()[-1])
    return found


def quality(data: Path, language: str, models: dict[str, str]) -> dict[str, Any]:
    """Return the scores of models on the development notes of CodiEsp in a language.

    Args:
        data: Folder that contains `codiesp`.
        language: `en` or `es`.
        models: Folder of a baseline, or of the notes that a system has coded, by the name of the system.
    """
    finished = {name: Path(m) for name, m in models.items() if (Path(m) / "summary.json").exists()}
    system = CodeSystem.load()
    corpus = CodiEsp()
    splits = {
        split: list(
            corpus.read(
                data / "codiesp",
                split,
                CodiEspOptions(split=split, language=language),  # type: ignore[arg-type]
                system,
            )
        )
        for split in ("train", "dev")
    }
    gold, training = splits["dev"], splits["train"]
    counts = Counter(a.code for note in training for a in note.codes)
    coded = {FLOOR: list(MostFrequentCodes.of(counts, len(training)).code_many(gold))}
    taken = {}
    settings = {"lexicon": CoderSettings()} if language == "en" else {}
    # The English notes have no evidence to compare with.
    evidence = LabelSettings(evidence="attingrad" if language == "es" else "none")
    settings |= {
        name: CoderSettings(model=model, labels=evidence)
        for name, model in models.items()
        if name not in finished
    }
    for name, setting in settings.items():
        coder = load_coder(setting, system)
        started = time.perf_counter()
        notes = list(coder.code_many(note.note for note in gold))
        taken[name] = round(time.perf_counter() - started, 1)
        if setting.labels is not None:  # MAP ranks all codes. Their evidence would take long.
            every = LabelSettings(top=10_000, evidence="none")
            whole = load_coder(CoderSettings(model=setting.model, labels=every), system)
            ranked = whole.code_many(note.note for note in gold)
            notes = [
                note.model_copy(update={"rejected": other.rejected})
                for note, other in zip(notes, ranked, strict=True)
            ]
        coded[name] = notes
    coded |= {name: list(predictions(folder)) for name, folder in finished.items()}
    found = evaluate(gold, coded, system, Settings(draws=1_000, training=dict(counts)))
    return {
        "scores": {
            name: {s: asdict(result.scores[s]) for s in SCORES if s in result.scores}
            for name, result in found.evaluations.items()
        },
        "seconds": taken,
        "models": {
            name: rows_sha256(coded[name]) if name in finished else model_hash(model, None)
            for name, model in models.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("speed", "memory", "quality", "one"))
    parser.add_argument("--data", type=Path, help="folder that contains codiesp")
    parser.add_argument("--language", choices=("en", "es"), default="en")
    parser.add_argument("names", nargs="*", metavar="NAME=MODEL")
    arguments = parser.parse_intermixed_args()
    if arguments.part == "one":  # A process of `memory`.
        head, kind = arguments.names
        print(json.dumps(memory_of(head, kind == "training")))
        return
    kept = read_json(RESULT) if RESULT.exists() else {}
    kept = {part: kept[part] for part in ("speed", "memory", "quality") if part in kept}
    try:
        if arguments.part == "quality":
            models = dict(item.split("=", 1) for item in arguments.names)
            found = quality(arguments.data, arguments.language, models)
            earlier = kept.setdefault("quality", {}).get(arguments.language, {})
            kept["quality"][arguments.language] = {
                part: {**earlier.get(part, {}), **values} for part, values in found.items()
            }
        else:
            kept[arguments.part] = {"speed": speed, "memory": memory}[arguments.part]()
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    save("baselines", kept)


if __name__ == "__main__":
    main()
