"""Which labels are wrong: found from what was learned about each instance, `InstanceWeights.parameters`."""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtl.installed import check_installed

_MIN_SEPARATION = 2.75  # of two groups, standard deviations; in small trainings on right labels alone 2.6 at most
_MIN_SCORES = 10  # from which two groups can be told apart


@dataclass(frozen=True, eq=False)
class Flags:
    """A decision for each instance."""

    corrupt: NDArray[np.bool_]  # (n,)
    probability: NDArray[np.float64]  # (n,) of being corrupt, 0 .. 1; 0 where the scores are of one group only


@dataclass(frozen=True)
class Detection:
    """How well the corrupt instances were found, all 0 .. 1; NaN where a number has no meaning."""

    roc_auc: float  # chance that a corrupt one is ranked above a right one; NaN where there are not both
    average_precision: float  # of the ranking; NaN where none is corrupt
    precision: float  # share of the flagged ones that are corrupt; NaN where none is flagged
    recall: float  # share of the corrupt ones that are flagged; NaN where none is corrupt
    share: float  # of all that are flagged


def flag(scores: ArrayLike, seed: int = 0) -> Flags:
    """Decide which instances are corrupt; their number need not be known.

    A mixture of two Gaussians of one width is fitted to the scores; corrupt is what more likely belongs to the higher
    one. Instances of the lowest score are left out of the fit and never flagged: log sigma piles up at its limit.
    Nothing is flagged where one Gaussian explains the scores as well (Bayesian information criterion), where the
    two are less than 2.75 standard deviations apart, or where fewer than 10 scores remain. It can err: labels that are
    right but hard to fit may form a group of their own, and scores that are spread evenly look like two groups.

    scores: (n,), higher is more suspicious: one task's column of `InstanceWeights.parameters`, or losses.
    seed: of the fit's initial guesses.
    Raises ValueError where the scores are not of that shape or not finite, or scikit-learn is not installed.
    """
    check_installed("flag", "sklearn")
    from sklearn.mixture import GaussianMixture

    values = _checked(scores)
    above_lowest = values[values > values.min()]
    none_flagged = Flags(np.zeros(len(values), bool), np.zeros(len(values)))
    if len(above_lowest) < _MIN_SCORES or np.ptp(above_lowest) <= 1e-6 * np.abs(above_lowest).max():
        return none_flagged
    standard = ((values - above_lowest.mean()) / above_lowest.std())[:, None]  # (n,) -> (n, 1)
    fitted = standard[values > values.min()]
    single, double = (
        GaussianMixture(components, covariance_type="tied", reg_covar=1e-3, n_init=3, max_iter=1000, random_state=seed)
        for components in (1, 2)
    )
    single.fit(fitted)
    double.fit(fitted)
    separation = np.ptp(double.means_) / np.sqrt(double.covariances_.item())
    if single.bic(fitted) <= double.bic(fitted) or separation < _MIN_SEPARATION:
        return none_flagged
    probability = double.predict_proba(standard)[:, double.means_.argmax()]
    return Flags((probability > 0.5) & (values > values.min()), probability)


def detection(scores: ArrayLike, corrupted: ArrayLike, seed: int = 0) -> Detection:
    """Compare the ranking by scores, and what `flag` decides, with the truth.

    scores, seed: as for `flag`. corrupted: (n,) bool.
    Raises ValueError as `flag`, or where `corrupted` is not bool or of another length.
    """
    check_installed("detection", "sklearn")
    from sklearn.metrics import average_precision_score, roc_auc_score

    values, truth = _checked(scores), np.asarray(corrupted)
    if truth.dtype != bool or truth.shape != values.shape:
        raise ValueError(f"corrupted {truth.dtype} {truth.shape}: expected bool {values.shape}, one for each score")
    flagged = flag(values, seed).corrupt
    hits = (flagged & truth).sum()
    return Detection(
        roc_auc=float(roc_auc_score(truth, values)) if 0 < truth.sum() < len(truth) else nan,
        average_precision=float(average_precision_score(truth, values)) if truth.any() else nan,
        precision=float(hits / flagged.sum()) if flagged.any() else nan,
        recall=float(hits / truth.sum()) if truth.any() else nan,
        share=float(flagged.mean()),
    )


def _checked(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"scores {values.shape}: expected (n,), one for each instance")
    if not np.isfinite(values).all():
        raise ValueError(f"{(~np.isfinite(values)).sum()} of {len(values)} scores are not finite; expected numbers")
    return values
