"""Learning curves: delta_m on the validation set in the course of a training."""

from statistics import fmean

from apps.benchmarking.comparison_results import Comparison, MethodResults


def mean_curve(comparison: Comparison, method: MethodResults) -> list[tuple[float, float]]:
    """(progress, delta_m) against finished single-task networks, means over the seeds; empty where not measured."""
    reference = comparison.validation_reference
    if reference is None:
        return []
    by_seed = [[(p.progress, reference.delta_m(p.scores)) for p in result.curve] for result in method.results]
    return [
        (fmean(progress for progress, _ in points), fmean(gain for _, gain in points))
        for points in zip(*by_seed, strict=False)
    ]


def method_label(method: MethodResults) -> str:
    """The method, and the share of wrong labels where there are any."""
    data = method.settings.data
    return method.settings.method + (f", {data.share:.0%} wrong" if data.noisy else "")
