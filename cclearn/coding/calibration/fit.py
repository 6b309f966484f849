"""Fitting the curve and the thresholds of a calibration to codes whose correctness is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cclearn.coding.calibration.features import PROBABILITY, Signals
from cclearn.coding.calibration.model import Isotonic, Method, Platt, Thresholds
from cclearn.errors import ConfigurationError
from cclearn.runtime.files import sha256_of_text

FOLDS = 5
LEAST = 50
"""Minimum number of codes that a calibration needs."""

CONFIDENCE = 0.95
_Z = 1.6448536269514722
"""One-sided quantile of the normal distribution at the confidence."""

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def folds_of(ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the fold of each note, which depends on the hash of its id and not on the order."""
    order = np.argsort([sha256_of_text(identifier) for identifier in ids], kind="stable")
    folds = np.empty(len(ids), np.int64)
    folds[order] = np.arange(len(ids)) % FOLDS
    return folds


def refuse_unfit(
    method: Method, signals: Sequence[Signals], correct: Flags, folds: npt.NDArray[np.int64]
) -> None:
    """Refuse data that no curve can be fitted to.

    Args:
        method: Kind of curve.
        signals: Signals of each code.
        correct: Whether each code is correct.
        folds: Number of the fold that contains the note of each code.

    Raises:
        ConfigurationError: There are too few codes, a signal is not finite, the training part of a
            fold has no correct or no wrong codes, or an isotonic curve lacks scores.
    """
    count, problems = len(signals), []
    if count < LEAST:
        problems.append(f"calibrate (codes = {count}): fewer than {LEAST}. Name more notes.")
    if not all(np.isfinite(list(signal.features().values())).all() for signal in signals):
        problems.append("calibrate (scores): some are not finite. Repair the coder.")
    unscored = sum(signal.probability is None for signal in signals)
    if method == "isotonic" and unscored:
        problems.append(
            f"calibrate (method = isotonic): {unscored} of {count} codes have no score. Use platt, or an"
            " engine that gives log-probabilities."
        )
    for kind, flags in (("correct", correct), ("wrong", ~correct)):
        if count >= LEAST and any(not flags[folds != fold].any() for fold in range(FOLDS)):
            problems.append(
                f"calibrate ({kind} codes = {flags.sum()} of {count}): too few for {FOLDS} folds of"
                " notes. Name more notes, or check that they are coded in this code system."
            )
    if problems:
        raise ConfigurationError(problems)


def fit_curve(method: Method, signals: Sequence[Signals], correct: Flags) -> Platt | Isotonic:
    """Fit the curve with scikit-learn.

    `platt` is a logistic regression on the standardised signals, with an L2 penalty (C = 1), which
    replaces the smoothed targets of Platt (1999). Both keep the curve finite if correct and wrong codes
    do not overlap. The log-odds of the score are omitted if any code has no score; other signals that a
    code does not have are 0. `isotonic` is an isotonic regression on the score alone.

    Args:
        method: Kind of curve.
        signals: Signals of each code.
        correct: Whether each code is correct.
    """
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        raw = [signal.probability for signal in signals]
        isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(raw, correct)
        return Isotonic(
            raw=isotonic.X_thresholds_.tolist(), calibrated=isotonic.y_thresholds_.tolist()
        )
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [signal.features() for signal in signals]
    scored = all(PROBABILITY in row for row in rows)
    names = sorted({name for row in rows for name in row if scored or name != PROBABILITY})
    matrix = [[row.get(name, 0.0) for name in names] for row in rows]
    scaler, model = StandardScaler(), LogisticRegression()
    make_pipeline(scaler, model).fit(matrix, correct)
    slopes = model.coef_[0] / scaler.scale_
    return Platt(
        intercept=float(model.intercept_[0] - slopes @ scaler.mean_),
        coefficients=dict(zip(names, slopes.tolist(), strict=True)),
    )


def out_of_fold(
    method: Method, signals: Sequence[Signals], correct: Flags, folds: npt.NDArray[np.int64]
) -> Array:
    """Score each code with a curve that was fitted to the codes of the other folds.

    Returns:
        Scores, shape (codes,).
    """
    scores = np.empty(len(signals))
    for fold in np.unique(folds):
        inside = folds == fold
        training = [signals[index] for index in np.flatnonzero(~inside).tolist()]
        held_out = [signals[index] for index in np.flatnonzero(inside).tolist()]
        curve = fit_curve(method, training, correct[~inside])
        scores[inside] = np.array(curve.scores(held_out), float)
    return scores


def find_thresholds(
    scores: Array, correct: Flags, precision: float, rejected_right: float | None, gold: int
) -> Thresholds:
    """Find the widest ranges of scores in which codes are correct, or wrong, as often as required.

    Codes are accepted above the lowest score at which the share of correct codes reaches the precision,
    and which is itself at least the precision: no single code is accepted that is less likely to be
    correct. Codes are rejected below the highest score at which the share of correct codes does not
    exceed its limit. Shares are compared by their Wilson bounds, so that a few codes prove nothing. The
    bounds treat codes as independent, although codes of the same note are not.

    Without a limit, the codes are rejected without which the micro F1 is highest. The number of codes
    that no finding has does not depend on the threshold, but counts for F1.

    Args:
        scores: Scores of codes, from curves that were fitted without their notes.
        correct: Whether each code is correct.
        precision: Minimum share of correct codes among the accepted codes.
        rejected_right: Maximum share of correct codes among the rejected codes. It must be less than the
            precision. None rejects the codes without which the micro F1 is highest.
        gold: Number of gold codes of all notes.
    """
    if rejected_right is None:
        reject = _reject_for_f1(scores, correct, gold)
    else:
        rejected = _reach(-scores, ~correct, 1 - rejected_right)
        reject = None if rejected is None else -rejected
    remaining = scores >= precision
    if reject is not None:
        remaining &= scores > reject
    return Thresholds(
        accept=_reach(scores[remaining], correct[remaining], precision),
        reject=reject,
        precision=precision,
        rejected_right=rejected_right,
        confidence=CONFIDENCE,
    )


def _reject_for_f1(scores: Array, correct: Flags, gold: int) -> float | None:
    """Return the highest score of the codes without which the micro F1 is highest, or None.

    Of equally good thresholds, the one that rejects the fewest codes is chosen.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    f1 = 2 * np.cumsum(correct[order]) / (np.arange(1, len(order) + 1) + gold)
    last = np.append(ordered[:-1] != ordered[1:], True)[: len(order)]
    kept = np.flatnonzero(last & (f1 == f1[last].max())) if len(order) else np.array([], np.int64)
    following = ordered[kept[-1] + 1 :] if len(kept) else ordered
    return float(following[0]) if len(following) else None


def _reach(scores: Array, correct: Flags, share: float) -> float | None:
    """Return the lowest score above which the share of correct codes is reached, or None."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    bounds = wilson_bound(np.cumsum(correct[order]), np.arange(1, len(order) + 1))
    # Codes with equal scores belong together.
    last = np.append(ordered[:-1] != ordered[1:], True)[: len(order)]
    reaching = np.flatnonzero(last & (bounds >= share))
    return float(ordered[reaching[-1]]) if len(reaching) else None


def wilson_bound(hits: npt.ArrayLike, count: npt.ArrayLike) -> Array:
    """Return the lower confidence bound of a share (Wilson 1927, without continuity correction).

    Args:
        hits: Number of correct codes.
        count: Number of all codes, at least 1.
    """
    n = np.asarray(count, float)
    share = np.asarray(hits, float) / n
    spread = _Z * np.sqrt(share * (1 - share) / n + (_Z / (2 * n)) ** 2)
    bound: Array = (share + _Z**2 / (2 * n) - spread) / (1 + _Z**2 / n)
    return bound
