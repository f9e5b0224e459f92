"""Plots of a comparison."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from apps.benchmarking.method_comparison import Comparison, MethodResults
from apps.benchmarking.metrics.compared_scores import ComparedScore
from apps.benchmarking.metrics.label_noise import INSTANCE_WEIGHTS, LATE_LOSSES, ROC_AUC
from stitching.io.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write_plots(comparison: Comparison, folder: Path) -> list[Path]:
    """Write delta_m.png and losses.png, where labels are wrong noise.png too; none where matplotlib is missing.

    Raises JobError where they cannot be written.
    """
    if find_spec("matplotlib") is None:
        return []
    plots = {"delta_m.png": _plot_gains(comparison), "losses.png": _plot_losses(comparison)}
    if any(method.settings.data.noisy for method in comparison.methods):
        plots["noise.png"] = _plot_noise(comparison)
    for name, figure in plots.items():
        with atomic_write(folder / name) as path:
            figure.savefig(path, dpi=120)
    return [folder / name for name in plots]


def _label(method: MethodResults) -> str:
    data = method.settings.data
    return method.settings.method + (f", {data.share:.0%} wrong" if data.noisy else "")


def _plot_gains(comparison: Comparison) -> "Figure":
    """A line for each method: mean, standard deviation, and each seed."""
    figure, (axes,) = _panels(1, height=1 + 0.35 * len(comparison.methods))
    methods = [method for method in comparison.methods if method.gains]
    for y, method in enumerate(methods):
        deviation = stdev(method.gains) if len(method.gains) > 1 else 0.0
        axes.errorbar(fmean(method.gains), y, xerr=deviation, fmt="o", color="C0", capsize=4)
        axes.plot(method.gains, [y] * len(method.gains), "|", color="C1", markersize=9)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(methods)), list(map(_label, methods)))
    axes.invert_yaxis()
    axes.set_xlabel("delta_m, % (single-task networks: 0)")
    return figure


def _plot_losses(comparison: Comparison) -> "Figure":
    """A panel for each task: the mean training loss of each epoch, mean over the seeds."""
    figure, panels = _panels(len(comparison.single_tasks))
    for (task, single), axes in zip(comparison.single_tasks.items(), panels, strict=True):
        curves = [("single task", single, "k.--"), *((_label(method), method, ".-") for method in comparison.methods)]
        for name, method, style in curves:
            losses = [result.losses[task] for result in method.results]
            means = [fmean(values) for values in zip(*losses, strict=True)]
            axes.plot(range(1, len(means) + 1), means, style, label=name)
        axes.set(title=task, xlabel="epoch", ylabel="training loss")
    panels[-1].legend(fontsize=6)
    return figure


def _plot_noise(comparison: Comparison) -> "Figure":
    """Over the share of wrong labels: a panel for each score, and how well the wrong ones are found."""
    figure, panels = _panels(len(comparison.reference.compared) + 1)
    noisy = comparison.methods[0].settings.data.noisy
    for score, axes in zip(comparison.reference.compared, panels[:-1], strict=True):
        _plot_over_shares(comparison, axes, partial(_mean_score, score))
        title = score.task + (" (labels wrong)" if score.task == noisy else "")
        axes.set(title=title, xlabel="share of wrong labels", ylabel=score.metric.name)
    _plot_over_shares(comparison, panels[-1], _mean_roc_auc)
    title = "wrong labels found by\ninstance weights, else late losses"
    panels[-1].set(title=title, xlabel="share of wrong labels", ylabel="ROC-AUC")
    panels[-1].legend(fontsize=6)
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
        axes.plot(sorted(values), [values[share] for share in sorted(values)], "o-", label=name)


def _mean_score(score: ComparedScore, method: MethodResults) -> float | None:
    scores = [score.of(result.scores) for result in method.results]
    return fmean(scores) if scores else None


def _mean_roc_auc(method: MethodResults) -> float | None:
    """By instance weights where the method has them, else by late losses."""
    detections = [result.detection for result in method.results if result.detection]
    areas = [rankings.get(INSTANCE_WEIGHTS, rankings[LATE_LOSSES])[ROC_AUC] for rankings in detections]
    return fmean(areas) if areas else None


def _panels(count: int, height: float = 4.0) -> tuple["Figure", Sequence["Axes"]]:
    """A figure with `count` panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7, 4 * count), height), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]
