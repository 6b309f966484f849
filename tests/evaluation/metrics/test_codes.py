from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    f1_score,
    jaccard_score,
    precision_recall_fscore_support,
    roc_auc_score,
)
from sklearn.preprocessing import MultiLabelBinarizer

from cclearn.codes import CodeSystem
from cclearn.evaluation import Settings, evaluate
from cclearn.notes import CodedNote
from tests.evaluation.notes import note, of_labels, scored

CODES = ["E11.9", "I10", "I21.4", "I21.9", "Q99.98"]  # The last is none.
labels = st.sets(st.sampled_from(CODES))
documents = st.lists(st.tuples(labels, labels), min_size=1, max_size=8)
TIGHT = pytest.approx


def dense(pairs: list[tuple[set[str], set[str]]]) -> tuple[np.ndarray, np.ndarray]:
    binarizer = MultiLabelBinarizer(classes=CODES)
    return binarizer.fit_transform([g for g, _ in pairs]), binarizer.transform(
        [p for _, p in pairs]
    )


@settings(deadline=None, max_examples=60)
@given(documents)
def test_flat_scores_agree_with_scikit_learn(
    system: CodeSystem, pairs: list[tuple[set[str], set[str]]]
) -> None:
    ours = scored(*of_labels(pairs), system)
    truth, guess = dense(pairs)
    for average in ("micro", "weighted"):
        expected_scores = precision_recall_fscore_support(
            truth, guess, average=average, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), expected_scores, strict=False):
            assert ours.value(f"{average}_{name}") == TIGHT(value, abs=1e-9)
    present = np.flatnonzero(truth.any(axis=0))
    either = np.flatnonzero((truth | guess).any(axis=0))
    for reading, columns in (("macro", present), ("macro_any", either)):
        if not len(columns):
            assert ours.value(f"{reading}_f1") == 0
            continue
        expected_scores = precision_recall_fscore_support(
            truth, guess, average="macro", labels=columns, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), expected_scores, strict=False):
            assert ours.value(f"{reading}_{name}") == TIGHT(value, abs=1e-9)
    rows = [row for row, (g, p) in enumerate(pairs) if g or p]
    if rows:
        blank = len(pairs) - len(rows)
        for name, value in (
            ("sample_f1", f1_score(truth[rows], guess[rows], average="samples", zero_division=0)),
            ("jaccard", jaccard_score(truth[rows], guess[rows], average="samples")),
        ):
            expected = (value * len(rows) + blank) / len(pairs)
            assert ours.value(name) == TIGHT(expected, abs=1e-9)
    assert ours.value("exact_match") == TIGHT(np.mean([g == p for g, p in pairs]), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(documents)
def test_hierarchical_scores_agree_with_a_plain_count(
    system: CodeSystem, pairs: list[tuple[set[str], set[str]]]
) -> None:
    ours = scored(*of_labels(pairs), system)
    levels = {
        "chapter": {"E11.9": "4", "I10": "9", "I21.4": "9", "I21.9": "9", "Q99.98": "?"},
        "category": {code: code[:3] for code in CODES},
        "prefix_4": {code: code.replace(".", "")[:4] for code in CODES},
    }
    for name, level in levels.items():
        hits = predicted = gold = 0
        for right, found in pairs:
            above, guessed = {level[c] for c in right}, {level[c] for c in found}
            hits += len(above & guessed)
            predicted += len(guessed)
            gold += len(above)
        expected = 2 * hits / (predicted + gold) if predicted + gold else 0
        assert ours.value(f"{name}_f1") == TIGHT(expected, abs=1e-9)
    shares = []
    for right, found in pairs:
        for code in right:
            bare = code.replace(".", "")
            shared = [
                next((n for n in range(len(bare), 0, -1) if o.startswith(bare[:n])), 0)
                for o in (other.replace(".", "") for other in found)
            ]
            shares.append(max(shared, default=0) / len(bare))
    expected = TIGHT(np.mean(shares), abs=1e-9) if shares else None
    assert ours.value("prefix_overlap") == expected


ranked = st.lists(
    st.tuples(labels, st.dictionaries(st.sampled_from(CODES), st.sampled_from([0.2, 0.5, 0.9]))),
    min_size=1,
    max_size=7,
)


def ranked_notes(
    rows: list[tuple[set[str], dict[str, float]]],
) -> tuple[list[CodedNote], list[CodedNote]]:
    gold = [note(str(n), {code: [] for code in sorted(g)}) for n, (g, _) in enumerate(rows)]
    return gold, [note(str(n), {c: [] for c in p}, p) for n, (_, p) in enumerate(rows)]


def test_areas_do_not_depend_on_other_systems(system: CodeSystem) -> None:
    rows = [({"I10"}, {"I10": 0.4, "R52": 0.5}), ({"R52"}, {"I10": 0.6, "R52": 0.3})]
    gold, one = ranked_notes(rows)
    _, two = ranked_notes([(g, {"E11.9": 0.5, "J44.9": 0.4, "I25.2": 0.1}) for g, _ in rows])
    alone = evaluate(gold, {"one": one}, system, Settings(draws=0)).evaluations["one"]
    beside = evaluate(gold, {"one": one, "two": two}, system, Settings(draws=0))
    for score in ("auc_micro", "auc_macro"):
        assert beside.evaluations["one"].value(score) == alone.value(score)


@settings(deadline=None, max_examples=60)
@given(ranked)
def test_areas_agree_with_scikit_learn(
    system: CodeSystem, rows: list[tuple[set[str], dict[str, float]]]
) -> None:
    ours = scored(*ranked_notes(rows), system)
    if not any(scores for _, scores in rows):
        assert ours.value("auc_micro") is None
        return
    occurring = sorted({code for g, p in rows for code in (*g, *p)})
    truth = np.array([[code in g for code in occurring] for g, _ in rows], int)
    score = np.array([[p.get(code, 0.0) for code in occurring] for _, p in rows])
    if truth.all() or not truth.any():
        assert ours.value("auc_micro") is None
    else:
        expected = roc_auc_score(truth.ravel(), score.ravel())
        assert ours.value("auc_micro") == TIGHT(expected, abs=1e-9)
    both = [n for n in range(len(occurring)) if 0 < truth[:, n].sum() < len(rows)]
    if both:
        areas = [roc_auc_score(truth[:, n], score[:, n]) for n in both]
        assert ours.value("auc_macro") == TIGHT(np.mean(areas), abs=1e-9)
    else:
        assert ours.value("auc_macro") is None


@settings(deadline=None, max_examples=60)
@given(ranked)
def test_ranked_scores_agree_with_a_plain_count(
    system: CodeSystem, rows: list[tuple[set[str], dict[str, float]]]
) -> None:
    ours = scored(*ranked_notes(rows), system)
    average, precision, recall = [], [], []
    for right, scores in rows:
        order = sorted(scores, key=lambda code: -scores[code])  # Stable, as the note has them.
        at_five = len(right & set(order[:5]))
        precision.append(at_five / 5)
        if right:
            recall.append(at_five / len(right))
            ranks = [n for n, code in enumerate(order, start=1) if code in right]
            average.append(sum((k + 1) / n for k, n in enumerate(ranks)) / len(right))
    assert ours.value("precision_at_5") == TIGHT(np.mean(precision), abs=1e-9)
    if recall:
        assert ours.value("recall_at_5") == TIGHT(np.mean(recall), abs=1e-9)
        assert ours.value("map") == TIGHT(np.mean(average), abs=1e-9)
        answered = sum(bool(scores) for _, scores in rows)
        expected = sum(average) / answered if answered else 0
        assert ours.value("codiesp_map") == TIGHT(expected, abs=1e-9)
    else:
        assert ours.value("map") is None


def test_codes_are_scored_in_groups(system: CodeSystem) -> None:
    pairs = [({"I21.4", "E11.9"}, {"I21.4", "I10"}), ({"I10"}, {"I10", "E11.9"}), (set(), {"I10"})]
    training = {"I10": 100, "I21.4": 99, "E11.9": 1}
    ours = scored(*of_labels(pairs), system, training=training)
    assert ours.value("chapter/9/micro_precision") == 0.5  # I21.4 I10 of I21.4 I10 I10 I10.
    assert ours.value("chapter/9/micro_recall") == 1.0
    assert ours.value("chapter/4/micro_f1") == 0.0
    assert ours.value("frequency/head/micro_precision") == pytest.approx(1 / 3)
    assert ours.value("frequency/medium/micro_f1") == 1.0
    assert ours.value("frequency/ultra_tail/micro_recall") == 0.0
    assert ours.value("seen/micro_recall") == pytest.approx(2 / 3)
    assert ours.value("unseen/micro_f1") is None
    assert ours.value("over_coding") == pytest.approx(5 / 3)


def test_a_code_of_the_same_category_is_found_in_the_family(system: CodeSystem) -> None:
    pairs = [({"I21.4", "E11.9"}, {"I21.01", "I10"}), ({"I21.4"}, {"I10"}), ({"R52"}, {"R52"})]
    training = {"I21.4": 1, "E11.9": 12, "R52": 3}
    ours = scored(*of_labels(pairs), system, training=training)
    assert ours.value("frequency/ultra_tail/family_recall") == 0.5
    assert ours.value("frequency/ultra_tail/micro_recall") == 0.0
    assert ours.value("frequency/medium/family_recall") == 0.0
    assert ours.value("frequency/tail/family_recall") == 1.0
    assert ours.value("seen/family_recall") == 0.5
    assert ours.value("unseen/family_recall") is None


def test_gold_codes_with_and_without_evidence_have_separate_recalls(system: CodeSystem) -> None:
    gold = [note("1", {"I21.4": [(4, 6)], "I10": [], "E11.9": []})]
    ours = scored(gold, [note("1", {"I21.4": [], "I10": []})], system)
    assert ours.value("supported_recall") == 1.0
    assert ours.value("unsupported_recall") == 0.5


def test_a_note_without_gold_and_predicted_codes_is_correct(system: CodeSystem) -> None:
    ours = scored(*of_labels([(set(), set())]), system)
    assert ours.value("exact_match") == ours.value("sample_f1") == ours.value("jaccard") == 1.0
    assert ours.value("micro_f1") == ours.value("macro_f1") == 0.0
    assert ours.value("map") is None
