"""How much the tasks conflict: cosines and lengths of their gradients, summed up."""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

import numpy as np

from apps.benchmarking.comparison_results import MethodResults
from apps.benchmarking.metrics.gradient_conflict import GradientConflict
from apps.tables import MISSING

THIRDS = "first", "middle", "last"


def cosine_table(method: MethodResults) -> list[list[str]]:
    """A line for all pairs, for each third of the layers and of the training, and for each pair."""
    points = [point for result in method.results for point in result.conflict]
    layers = len(method.results[0].layers)
    rows: list[tuple[str, Iterable[float]]] = [("all pairs", _cosines(points))]
    for third, places in zip(THIRDS, np.array_split(np.arange(1, 1 + layers), 3), strict=True):
        rows.append((f"{third} third of the layers", _cosines(points, places.tolist())))
    for number, third in enumerate(THIRDS):
        late = [point for point in points if number / 3 <= point.progress < (number + 1) / 3]
        rows.append((f"{third} third of the training", _cosines(late)))
    pairs = points[0].cosines if points else {}
    rows += [(pair, _cosines(points, pairs=[pair])) for pair in pairs]
    return [["cosine of gradients", "mean", "25 %", "50 %", "75 %", "below 0, %"]] + [
        [name, *_distribution(np.array(list(values)))] for name, values in rows
    ]


def length_ratios(method: MethodResults) -> np.ndarray:
    """The longest gradient on the trunk over the shortest one, at each moment; 25, 50 and 75 % of them."""
    lengths = [[of_task[0] for of_task in point.lengths.values()] for r in method.results for point in r.conflict]
    ratios = [max(of_all) / min(of_all) for of_all in lengths if min(of_all) > 0]
    return np.percentile(ratios, [25, 50, 75]) if ratios else np.full(3, np.nan)


def _cosines(
    points: Iterable[GradientConflict], places: Sequence[int] = (0,), pairs: Sequence[str] = ()
) -> Iterator[float]:  # fmt: skip
    """Of the whole trunk, or of layers, of all pairs or some, at all points."""
    for point in points:
        for pair in pairs or point.cosines:
            yield from (value for place in places if isfinite(value := point.cosines[pair][place]))


def _distribution(values: np.ndarray) -> list[str]:
    if not len(values):
        return [MISSING] * 5
    figures = [values.mean(), *np.percentile(values, [25, 50, 75])]
    return [*(f"{figure:+.2f}" for figure in figures), f"{100 * (values < 0).mean():.0f}"]
