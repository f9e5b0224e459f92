"""Figures of several panels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def panels(count: int, height: float = 4.0) -> tuple["Figure", Sequence["Axes"]]:
    """A figure with `count` panels side by side. height: inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7, 4 * count), height), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]
