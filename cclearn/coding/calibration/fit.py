"""Fitting a calibration's curve and thresholds to codes that are known to be right or wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cclearn.coding.calibration.features import Signals
from cclearn.coding.calibration.model import Isotonic, Method, Platt, Thresholds
from cclearn.errors import ConfigurationError
from cclearn.runtime.files import sha256_of_text

FOLDS = 5
LEAST = 50
"""Codes that a calibration needs, and no curve should be drawn through fewer."""

CONFIDENCE = 0.95
_Z = 1.6448536269514722
"""The normal distribution's quantile at the confidence, one-sided."""

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def folds_of(ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Deal notes into folds of like size by the hashes of their ids: no order in a file decides it."""
    order = np.argsort([sha256_of_text(identifier) for identifier in ids], kind="stable")
    folds = np.empty(len(ids), np.int64)
    folds[order] = np.arange(len(ids)) % FOLDS
    return folds


def refuse_unfit(
    method: Method, signals: Sequence[Signals], right: Flags, folds: npt.NDArray[np.int64]
) -> None:
    """Refuse what no curve can be fitted to.

    Args:
        method: The kind of curve.
        signals: Of each code.
        right: Whether it is.
        folds: In which fold its note is.

    Raises:
        ConfigurationError: There are too few codes, a signal is not finite, right or wrong ones are
            missing in what a fold leaves for the fit, or an isotonic curve lacks scores.
    """
    count, problems = len(signals), []
    if count < LEAST:
        problems.append(
            f"calibrate (codes = {count}): fewer than {LEAST} were found. Name more notes."
        )
    if not all(np.isfinite(list(signal.features().values())).all() for signal in signals):
        problems.append("calibrate (scores): some are not finite. Mend the coder.")
    unscored = sum(signal.probability is None for signal in signals)
    if method == "isotonic" and unscored:
        problems.append(
            f"calibrate (method = isotonic): {unscored} of {count} codes have no score. Use platt, or an"
            " engine that gives log-probabilities."
        )
    for kind, flags in (("right", right), ("wrong", ~right)):
        if count >= LEAST and any(not flags[folds != fold].any() for fold in range(FOLDS)):
            problems.append(
                f"calibrate ({kind} codes = {flags.sum()} of {count}): too few for {FOLDS} folds of"
                " notes. Name more notes, or check that they are coded in this code system."
            )
    if problems:
        raise ConfigurationError(problems)


def fit_curve(method: Method, signals: Sequence[Signals], right: Flags) -> Platt | Isotonic:
    """Fit the curve with scikit-learn.

    `platt` is a logistic regression on the standardised signals, with an L2 penalty (C = 1), which
    stands in for the smoothed targets of Platt (1999): it too keeps the curve finite where right and
    wrong codes do not overlap. The log-odds of the score are left out where any code has none.
    `isotonic` is a regression on the score alone.

    Args:
        method: The kind of curve.
        signals: Of each code.
        right: Whether it is.
    """
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        raw = [signal.probability for signal in signals]
        isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(raw, right)
        return Isotonic(
            raw=isotonic.X_thresholds_.tolist(), calibrated=isotonic.y_thresholds_.tolist()
        )
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [signal.features() for signal in signals]
    names = sorted(set.intersection(*(set(row) for row in rows)))
    matrix = [[row[name] for name in names] for row in rows]
    scaler, model = StandardScaler(), LogisticRegression()
    make_pipeline(scaler, model).fit(matrix, right)
    slopes = model.coef_[0] / scaler.scale_
    return Platt(
        intercept=float(model.intercept_[0] - slopes @ scaler.mean_),
        coefficients=dict(zip(names, slopes.tolist(), strict=True)),
    )


def out_of_fold(
    method: Method, signals: Sequence[Signals], right: Flags, folds: npt.NDArray[np.int64]
) -> Array:
    """Score each code by a curve that was fitted to the codes of the other folds.

    Returns:
        Of shape (codes,).
    """
    scores = np.empty(len(signals))
    for fold in np.unique(folds):
        inside = folds == fold
        left = [signal for signal, held in zip(signals, inside, strict=True) if not held]
        held = [signal for signal, held in zip(signals, inside, strict=True) if held]
        curve = fit_curve(method, left, right[~inside])
        scores[inside] = np.array(curve.scores(held), float)
    return scores


def find_thresholds(
    scores: Array, right: Flags, precision: float, rejected_right: float
) -> Thresholds:
    """Find the widest ranges of scores whose codes are right, or wrong, as often as stated.

    Accepted is from the lowest score up, from which on the share of right codes reaches the precision;
    rejected from the highest score down, up to which the share of right codes stays as low as stated.
    Shares are taken by Wilson's bound, so that few codes show nothing. It counts codes as if they were
    drawn one by one; those of one note are more alike.

    Args:
        scores: Of codes, by curves that were fitted without their notes.
        right: Whether each is.
        precision: Of the accepted codes.
        rejected_right: The most of the rejected codes that may be right; less than the precision.
    """
    rejected = _reach(-scores, ~right, 1 - rejected_right)
    reject = None if rejected is None else -rejected
    left = np.ones(len(scores), bool) if reject is None else scores > reject
    return Thresholds(
        accept=_reach(scores[left], right[left], precision),
        reject=reject,
        precision=precision,
        rejected_right=rejected_right,
        confidence=CONFIDENCE,
    )


def _reach(scores: Array, right: Flags, share: float) -> float | None:
    """Return the lowest score from which on so large a share is right, None where there is none."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    bounds = wilson_bound(np.cumsum(right[order]), np.arange(1, len(order) + 1))
    # Codes with one score are taken together.
    last = np.append(ordered[:-1] != ordered[1:], True)[: len(order)]
    reaching = np.flatnonzero(last & (bounds >= share))
    return float(ordered[reaching[-1]]) if len(reaching) else None


def wilson_bound(hits: npt.ArrayLike, count: npt.ArrayLike) -> Array:
    """Return the lower bound of a share, at the confidence (Wilson 1927, without continuity correction).

    Args:
        hits: How many are right.
        count: Of how many, 1 or more.
    """
    n = np.asarray(count, float)
    share = np.asarray(hits, float) / n
    spread = _Z * np.sqrt(share * (1 - share) / n + (_Z / (2 * n)) ** 2)
    bound: Array = (share + _Z**2 / (2 * n) - spread) / (1 + _Z**2 / n)
    return bound
