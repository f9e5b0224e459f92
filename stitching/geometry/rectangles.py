"""Axis-parallel rectangles of whole pixels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stitching.geometry.pixel_maps import Mask, Size


@dataclass(frozen=True)
class Rectangle:
    """Columns left .. right - 1 and rows top .. bottom - 1; empty where right <= left or bottom <= top."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def origin(self) -> tuple[int, int]:
        """(x, y) of the first pixel."""
        return self.left, self.top

    @property
    def size(self) -> Size:
        """(width, height)."""
        return self.right - self.left, self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of an array (h, w[, c]): its rows and columns. Only where no edge is negative."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def is_empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.right <= self.left or self.bottom <= self.top

    def intersect(self, other: "Rectangle") -> "Rectangle":
        """What both hold; may be empty."""
        return Rectangle(
            max(self.left, other.left), max(self.top, other.top),
            min(self.right, other.right), min(self.bottom, other.bottom),
        )  # fmt: skip

    def joined(self, other: "Rectangle") -> "Rectangle":
        """The smallest one that holds both; neither may be empty."""
        return Rectangle(
            min(self.left, other.left), min(self.top, other.top),
            max(self.right, other.right), max(self.bottom, other.bottom),
        )  # fmt: skip

    def grown(self, margin: int) -> "Rectangle":
        """Larger by `margin` px on each side."""
        return Rectangle(self.left - margin, self.top - margin, self.right + margin, self.bottom + margin)

    def translated(self, dx: int, dy: int) -> "Rectangle":
        """Moved right by `dx` and down by `dy` px."""
        return Rectangle(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def scaled(self, factor: float) -> "Rectangle":
        """Edges times `factor`, rounded down."""
        return Rectangle(*(math.floor(edge * factor) for edge in (self.left, self.top, self.right, self.bottom)))

    def aligned_to(self, step: int) -> "Rectangle":
        """Grown at the left and at the top until these edges are multiples of `step`."""
        return Rectangle(self.left // step * step, self.top // step * step, self.right, self.bottom)

    def beside(self, inner: "Rectangle") -> Iterator["Rectangle"]:
        """What is left of it without a rectangle `inner` in it: up to four, above, below, left and right."""
        parts = (
            Rectangle(self.left, self.top, self.right, inner.top),
            Rectangle(self.left, inner.bottom, self.right, self.bottom),
            Rectangle(self.left, inner.top, inner.left, inner.bottom),
            Rectangle(inner.right, inner.top, self.right, inner.bottom),
        )
        return (part for part in parts if not part.is_empty)


def bounding_rectangle(mask: Mask, margin: int = 0) -> Rectangle:
    """What holds all True pixels of a mask (h, w) and `margin` px more on each side; all of it where none is True."""
    h, w = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return Rectangle(0, 0, w, h)
    tight = Rectangle(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return tight.grown(margin).intersect(Rectangle(0, 0, w, h))
