"""Pictures of a comparison."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from apps.benchmarking.comparison import Comparison, Row
from apps.benchmarking.detection import LATE, WEIGHTS
from apps.benchmarking.scores import MAIN, main_score
from stitching.io.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write_plots(found: Comparison, folder: Path) -> list[Path]:
    """Write delta_m.png and losses.png, where labels are wrong noise.png too; none where matplotlib is missing.

    Raises JobError where they cannot be written.
    """
    if find_spec("matplotlib") is None:
        return []
    plots = {"delta_m.png": _plot_gains(found), "losses.png": _plot_losses(found)}
    if any(row.settings.data.noisy for row in found.rows):
        plots["noise.png"] = _plot_noise(found)
    for name, figure in plots.items():
        with replacing(folder / name) as path:
            figure.savefig(path, dpi=120)
    return [folder / name for name in plots]


def _label(row: Row) -> str:
    data = row.settings.data
    return row.settings.method + (f", {data.share:.0%} wrong" if data.noisy else "")


def _plot_gains(found: Comparison) -> "Figure":
    """A line for each method: mean, standard deviation, and each seed."""
    figure, (axes,) = _panels(1, height=1 + 0.35 * len(found.rows))
    rows = [row for row in found.rows if row.gains]
    for place, row in enumerate(rows):
        spread = stdev(row.gains) if len(row.gains) > 1 else 0.0
        axes.errorbar(fmean(row.gains), place, xerr=spread, fmt="o", color="C0", capsize=4)
        axes.plot(row.gains, [place] * len(row.gains), "|", color="C1", markersize=9)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("delta_m, % (single-task networks: 0)")
    return figure


def _plot_losses(found: Comparison) -> "Figure":
    """A panel for each task: the mean training loss of each epoch, mean over the seeds."""
    figure, panels = _panels(len(found.singles))
    for task, axes in zip(found.singles, panels, strict=True):
        for name, row in (("single task", found.singles[task]), *((_label(row), row) for row in found.rows)):
            curves = [result.losses[task] for result in row.results]
            means = [fmean(values) for values in zip(*curves, strict=True)]
            axes.plot(range(1, len(means) + 1), means, "k.--" if row is found.singles[task] else ".-", label=name)
        axes.set(title=task, xlabel="epoch", ylabel="training loss")
    panels[-1].legend(fontsize=6)
    return figure


def _plot_noise(found: Comparison) -> "Figure":
    """Over the share of wrong labels: a panel for each task's score, and how well the wrong ones are found."""
    figure, panels = _panels(len(found.singles) + 1)
    for task, axes in zip(found.singles, panels[:-1], strict=True):
        meaning = found.judge.labels[task]
        _plot_shares(found, axes, partial(_mean_score, found, task))
        metric = MAIN[meaning.kind]
        wrong = " (labels wrong)" if task == found.rows[0].settings.data.noisy else ""
        axes.set(title=task + wrong, xlabel="share of wrong labels", ylabel=metric.name)
    _plot_shares(found, panels[-1], _mean_area)
    title = "wrong labels found by\ninstance weights, else late losses"
    panels[-1].set(title=title, xlabel="share of wrong labels", ylabel="ROC-AUC")
    panels[-1].legend(fontsize=6)
    return figure


def _plot_shares(found: Comparison, axes: "Axes", measure: Callable[[Row], float | None]) -> None:
    """A line for each method."""
    for method in dict.fromkeys(row.settings.method for row in found.rows):
        points = [(row.settings.data.share, measure(row)) for row in found.rows if row.settings.method == method]
        known = sorted((share, value) for share, value in points if value is not None)
        axes.plot([share for share, _ in known], [value for _, value in known], "o-", label=method)


def _mean_score(found: Comparison, task: str, row: Row) -> float | None:
    scores = [main_score(found.judge.labels[task], result.scores[task]) for result in row.results]
    return fmean(scores) if scores else None


def _mean_area(row: Row) -> float | None:
    """By instance weights where the method has them, else by late losses."""
    found = [result.detection for result in row.results if result.detection]
    areas = [rankings.get(WEIGHTS, rankings[LATE])["ROC-AUC"] for rankings in found]
    return fmean(areas) if areas else None


def _panels(count: int, height: float = 4.0) -> tuple["Figure", Sequence["Axes"]]:
    """A figure with so many panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7, 4 * count), height), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]
