"""Figures of several panels, in which many lines can be told apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def panels(count: int, height: float = 4.0) -> tuple["Figure", Sequence["Axes"]]:
    """A figure with `count` panels side by side. height: inches."""
    from cycler import cycler
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7, 4 * count), height), layout="constrained")
    axes_of = figure.subplots(1, count, squeeze=False)[0]
    for axes in axes_of:  # dashed, then dotted, where all colours have been used
        axes.set_prop_cycle(cycler(linestyle=["-", "--", ":"]) * rcParams["axes.prop_cycle"])
    return figure, axes_of


def add_legend(figure: "Figure", axes: "Axes") -> None:
    """The names of the lines of `axes`, beside the panels."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, fontsize=6, loc="outside right upper")
