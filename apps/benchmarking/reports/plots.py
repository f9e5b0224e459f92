"""Plots of a comparison."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from apps.benchmarking.comparison_results import Comparison, MethodResults
from apps.benchmarking.metrics.compared_scores import ComparedScore
from apps.benchmarking.metrics.label_noise import INSTANCE_WEIGHTS, LATE_LOSSES, ROC_AUC
from apps.benchmarking.reports.curves import mean_curve, method_label
from apps.benchmarking.reports.panels import add_legend, panels
from apps.benchmarking.reports.training_plots import plot_cosines, plot_curves, plot_losses
from apps.tables import deviation_of
from stitching.io.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write_plots(comparison: Comparison, folder: Path) -> list[Path]:
    """Write delta_m.png and losses.png; curves.png, cosines.png and noise.png where there is something to show.

    None where matplotlib is missing.

    Raises JobError where they cannot be written.
    """
    if find_spec("matplotlib") is None:
        return []
    plots = {"delta_m.png": _plot_gains(comparison), "losses.png": plot_losses(comparison)}
    if any(mean_curve(comparison, method) for method in comparison.methods):
        plots["curves.png"] = plot_curves(comparison)
    if measured := [m for m in comparison.methods if any(result.conflict for result in m.results)]:
        plots["cosines.png"] = plot_cosines(measured)
    if any(method.settings.data.noisy for method in comparison.methods):
        plots["noise.png"] = _plot_noise(comparison)
    for name, figure in plots.items():
        with atomic_write(folder / name) as path:
            figure.savefig(path, dpi=120)
    return [folder / name for name in plots]


def _plot_gains(comparison: Comparison) -> "Figure":
    """A line for each method: mean, standard deviation, and each seed."""
    figure, (axes,) = panels(1, height=1 + 0.35 * len(comparison.methods))
    methods = [method for method in comparison.methods if method.gains]
    for y, method in enumerate(methods):
        axes.errorbar(fmean(method.gains), y, xerr=deviation_of(method.gains), fmt="o", color="C0", capsize=4)
        axes.plot(method.gains, [y] * len(method.gains), "|", color="C1", markersize=9)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(methods)), list(map(method_label, methods)))
    axes.invert_yaxis()
    axes.set_xlabel("delta_m, % (single-task networks: 0)")
    return figure


def _plot_noise(comparison: Comparison) -> "Figure":
    """Over the share of wrong labels: a panel for each score, and how well the wrong ones are found."""
    figure, axes_of = panels(len(comparison.reference.compared) + 1)
    noisy = comparison.methods[0].settings.data.noisy
    for score, axes in zip(comparison.reference.compared, axes_of[:-1], strict=True):
        _plot_over_shares(comparison, axes, partial(_mean_score, score))
        title = score.task + (" (labels wrong)" if score.task == noisy else "")
        axes.set(title=title, xlabel="share of wrong labels", ylabel=score.metric.name)
    _plot_over_shares(comparison, axes_of[-1], _mean_roc_auc)
    title = "wrong labels found by\ninstance weights, else late losses"
    axes_of[-1].set(title=title, xlabel="share of wrong labels", ylabel="ROC-AUC")
    add_legend(figure, axes_of[-1])
    return figure


def _plot_over_shares(
    comparison: Comparison, axes: "Axes", measure: Callable[[MethodResults], float | None]
) -> None:  # fmt: skip
    """A line for each method."""
    lines: dict[str, dict[float, float]] = {}
    for method in comparison.methods:
        line = lines.setdefault(method.settings.method, {})  # empty for a method without results: it is in the legend
        if (value := measure(method)) is not None:
            line[method.settings.data.share] = value
    for name, values in lines.items():
        axes.plot(sorted(values), [values[share] for share in sorted(values)], marker="o", label=name)


def _mean_score(score: ComparedScore, method: MethodResults) -> float | None:
    scores = [score.of(result.scores) for result in method.results]
    return fmean(scores) if scores else None


def _mean_roc_auc(method: MethodResults) -> float | None:
    """By instance weights where the method has them, else by late losses."""
    detections = [result.detection for result in method.results if result.detection]
    areas = [rankings.get(INSTANCE_WEIGHTS, rankings[LATE_LOSSES])[ROC_AUC] for rankings in detections]
    return fmean(areas) if areas else None
