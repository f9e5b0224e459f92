"""Plots of the course of the trainings: losses, scores, conflict of gradients."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from apps.benchmarking.comparison_results import Comparison, MethodResults
from apps.benchmarking.reports.curves import mean_curve, method_label
from apps.benchmarking.reports.panels import add_legend, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_losses(comparison: Comparison) -> "Figure":
    """A panel for each task: the mean training loss of each epoch, mean over the seeds."""
    figure, axes_of = panels(len(comparison.single_tasks))
    for (task, single), axes in zip(comparison.single_tasks.items(), axes_of, strict=True):
        curves = [("single task", single), *((method_label(method), method) for method in comparison.methods)]
        for name, method in curves:
            losses = [result.losses[task] for result in method.results]
            means = [fmean(values) for values in zip(*losses, strict=False)]
            axes.plot(range(1, len(means) + 1), means, marker=".", label=name)
        axes.set(title=task, xlabel="epoch", ylabel="training loss", yscale="log")
    add_legend(figure, axes_of[-1])
    return figure


def plot_curves(comparison: Comparison) -> "Figure":
    """delta_m on the validation set over the progress of the training, a line for each method, mean over the seeds."""
    figure, (axes,) = panels(1, height=5)
    gains = []
    for method in comparison.methods:
        curve = mean_curve(comparison, method)
        gains += [gain for _, gain in curve]
        axes.plot([p for p, _ in curve], [gain for _, gain in curve], marker=".", label=method_label(method))
    axes.axhline(0, color="grey", linewidth=0.8)
    # The first points may be so low that nothing else could be seen.
    lowest, highest = np.nanpercentile(gains, [20, 100])
    margin = 0.1 * max(highest - lowest, 1)
    axes.set_ylim(lowest - margin, max(highest, 0) + margin)
    axes.set(xlabel="progress of the training", ylabel="delta_m on the validation set, %")
    add_legend(figure, axes)
    return figure


def plot_cosines(methods: Sequence[MethodResults]) -> "Figure":
    """Cosines of the tasks' gradients over the training, and by layer; two panels for each method."""
    from matplotlib.ticker import MaxNLocator

    figure, axes_of = panels(2 * len(methods))
    for number, method in enumerate(methods):
        over_training, by_layer = axes_of[2 * number : 2 * number + 2]
        conflicts = [result.conflict for result in method.results]
        trunk = [
            [values[0] for point in points for values in point.cosines.values()]
            for points in zip(*conflicts, strict=False)
        ]
        progress = [points[0].progress for points in zip(*conflicts, strict=False)]
        _plot_distributions(over_training, progress, trunk)
        over_training.set(title=method_label(method), xlabel="progress of the training", ylabel="cosine, whole trunk")
        layers = range(1, 1 + len(method.results[0].layers))
        points = [point for of_run in conflicts for point in of_run]
        _plot_distributions(by_layer, layers, [
            [values[layer] for point in points for values in point.cosines.values()] for layer in layers
        ])  # fmt: skip
        by_layer.set(title="all of the training", xlabel="layer", ylabel="cosine")
        by_layer.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _plot_distributions(axes: "Axes", places: Sequence[float], values: Sequence[Sequence[float]]) -> None:
    """Median, quartiles, and the middle 90 % at each place."""
    low, first, median, third, high = np.nanpercentile(np.array(values), [5, 25, 50, 75, 95], axis=1)
    axes.fill_between(places, low, high, color="C0", alpha=0.15, label="90 % of them", linewidth=0)
    axes.fill_between(places, first, third, color="C0", alpha=0.35, label="50 % of them", linewidth=0)
    axes.plot(places, median, "C0.-", label="median")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set_ylim(-1, 1)
    axes.legend(fontsize=6)
