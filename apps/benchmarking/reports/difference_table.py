"""Which methods differ from a baseline by more than the seeds differ."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean

from apps.benchmarking.comparison_results import MethodResults
from apps.tables import MISSING, deviation_of

CONFIDENCE = 0.95


def difference_table(methods: Sequence[MethodResults], baseline: str) -> list[list[str]]:
    """delta_m of each other method minus that of the baseline, seed by seed, beside the baseline on the same labels.

    The mean difference, its standard error, and whether its 95 % interval (Student's t) leaves out 0. The heading
    alone where there is no baseline.
    """
    noisy = any(method.settings.data.noisy for method in methods)
    table = [["method", *(["wrong labels"] if noisy else []), f"minus {baseline}", "seeds", "verdict"]]
    baselines = {method.settings.data: method for method in methods if method.settings.method == baseline}
    for method in methods:
        other = baselines.get(method.settings.data)
        if other is None or method is other:
            continue
        theirs = other.gains_by_seed
        differences = [gain - theirs[seed] for seed, gain in method.gains_by_seed.items() if seed in theirs]
        share = [f"{method.settings.data.share:g}"] if noisy else []
        table.append([method.settings.method, *share, *_cells(differences)])
    return table


def _cells(differences: Sequence[float]) -> list[str]:
    if not differences:
        return [MISSING, "0", MISSING]
    mean, count = fmean(differences), len(differences)
    if count == 1:
        return [f"{mean:+.2f}", "1", MISSING]
    error = deviation_of(differences) / sqrt(count)
    return [f"{mean:+.2f} +- {error:.2f}", f"{count}", verdict(mean, error, count)]


def verdict(mean: float, error: float, count: int) -> str:
    """Whether the interval of the mean of two or more leaves out 0: "better" or "worse"; else, as of NaN, "unclear"."""
    from scipy.special import stdtrit  # takes a while to import

    if abs(mean) > float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error:
        return "better" if mean > 0 else "worse"
    return "unclear"
