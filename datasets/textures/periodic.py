"""Building blocks of tileable patterns: textures without a seam between neighbouring copies.

Fields are (side, side) float64, rows from top to bottom. Coordinates are in repeats: 0 .. 1 is one copy.
Double precision throughout: its rounding differs between processors far below one grey level.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Doubles, Pixels
from stitching.geometry.pixel_maps import smoothstep

FINEST = np.inf  # waves a repeat: up to the Nyquist frequency


def pixel_centres(side: int) -> tuple[Doubles, Doubles]:
    """(y, x) of the pixel centres, both (side, side), in repeats."""
    centres = (np.arange(side) + 0.5) / side
    y, x = np.meshgrid(centres, centres, indexing="ij")
    return y, x


def noise(
    rng: np.random.Generator,
    side: int,
    coarsest: float,
    finest: float,
    slope: float = 1.0,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Doubles:
    """Random field of mean 0 and standard deviation 1 with `coarsest` to `finest` waves a repeat.

    slope: amplitude falls with frequency to this power; 0 is rough, 2 is smooth. stretch: (y, x) factors on
    frequency: (1, 20) makes grain along y.
    """
    fy = np.fft.fftfreq(side, 1 / side)[:, None] * stretch[0]
    fx = np.fft.rfftfreq(side, 1 / side)[None, :] * stretch[1]
    frequency = np.hypot(fy, fx)
    band = (frequency >= coarsest) & (frequency <= finest)
    amplitude = np.where(band, np.maximum(frequency, 1e-6) ** -(slope + 1), 0.0)
    spectrum = amplitude * np.exp(2j * np.pi * rng.random(frequency.shape))
    field = np.fft.irfft2(spectrum, (side, side))
    return np.asarray(field / max(float(field.std()), 1e-12))


def shading(height: Doubles, strength: float) -> Doubles:
    """Brightness factor around 1 of a relief lit from the top left; `strength` 1 is about as deep as wide."""
    along_y = np.roll(height, -1, 0) - np.roll(height, 1, 0)
    along_x = np.roll(height, -1, 1) - np.roll(height, 1, 1)
    slope = (along_y + 0.6 * along_x) * (len(height) / 512)
    return np.asarray(1 - np.tanh(strength * slope) * 0.6)


def sample_wrapped(field: Doubles, y: Doubles, x: Doubles) -> Doubles:
    """Bilinear values of a field at coordinates y, x of any shape, in repeats; coordinates wrap."""
    side = len(field)
    row, column = y * side - 0.5, x * side - 0.5
    top, left = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    below, right = row - top, column - left
    first = field[top % side, left % side] * (1 - right) + field[top % side, (left + 1) % side] * right
    second = field[(top + 1) % side, left % side] * (1 - right) + field[(top + 1) % side, (left + 1) % side] * right
    return np.asarray(first * (1 - below) + second * below)


@dataclass(frozen=True, eq=False)
class Courses:
    """Rows of equal blocks, as of bricks. All fields are (side, side)."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    y: Doubles  # coordinate inside the block, 0 .. 1
    x: Doubles
    edge: Doubles  # distance to the nearest edge of the block, in repeats

    def spread(self, values: Doubles) -> Doubles:
        """Spread (rows, columns) or (rows, columns, k) values, one a block, over its pixels."""
        return np.asarray(values[self.row, self.column])


def courses(y: Doubles, x: Doubles, rows: int, columns: int, shift: float = 0.0) -> Courses:
    """The block that each point lies in. shift: of every second row, in blocks; `rows` must then be even."""
    along_y = y * rows
    row = np.floor(along_y).astype(np.int64)
    along_x = x * columns + shift * (row % 2)
    column = np.floor(along_x).astype(np.int64)
    inner_y: Doubles = along_y - row
    inner_x: Doubles = along_x - column
    edge = np.minimum(np.minimum(inner_y, 1 - inner_y) / rows, np.minimum(inner_x, 1 - inner_x) / columns)
    return Courses(row % rows, column % columns, inner_y, inner_x, edge)


@dataclass(frozen=True, eq=False)
class Cells:
    """Voronoi cells of scattered points. All fields are (side, side)."""

    number: NDArray[np.int64]  # of the cell, 0 .. n^2 - 1
    centre: Doubles  # distance to the cell's point, in cells
    edge: Doubles  # difference to the distance of the second nearest point, in cells: 0 on a cell's border


def cells(rng: np.random.Generator, y: Doubles, x: Doubles, n: int) -> Cells:
    """Divide the repeat into n x n irregular cells (Worley 1996, "A cellular texture basis function")."""
    point_y, point_x = rng.random((2, n * n))
    row, column = np.floor(y * n).astype(np.int64), np.floor(x * n).astype(np.int64)
    nearest, second = np.full(y.shape, np.inf), np.full(y.shape, np.inf)
    number = np.zeros(y.shape, np.int64)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            i, j = row + down, column + right
            which = (i % n) * n + j % n
            distance = (i + point_y[which] - y * n) ** 2 + (j + point_x[which] - x * n) ** 2
            closer = distance < nearest
            second = np.minimum(second, np.maximum(distance, nearest))
            number[closer] = which[closer]
            nearest = np.minimum(nearest, distance)
    centre = np.sqrt(nearest)
    return Cells(number, centre, np.sqrt(second) - centre)


def stamp(canvas: Pixels, outline: Doubles, colour: Doubles) -> None:
    """Fill a polygon, (n, 2) x, y in repeats, on a (side, side, 3) canvas; the polygon wraps around its sides."""
    side = len(canvas)
    soft = 2 / side  # antialiasing goes this far beyond the outline
    lowest = np.floor(outline.min(axis=0) - soft).astype(int)
    highest = np.floor(outline.max(axis=0) + soft).astype(int)
    blue, green, red = np.clip(colour, 0, 255)
    for x in range(lowest[0], highest[0] + 1):
        for y in range(lowest[1], highest[1] + 1):
            corners = np.rint((outline - (x, y)) * side * 16 - 8).astype(np.int32)
            cv2.fillPoly(canvas, [corners], (blue, green, red), cv2.LINE_AA, 4)


def smooth_ramp(values: Doubles, low: float, high: float) -> Doubles:
    """0 below low, 1 above high, smooth between."""
    return smoothstep(np.asarray(np.clip((values - low) / (high - low), 0, 1)))


def stains(rng: np.random.Generator, side: int, strength: float) -> Doubles:
    """Brightness factor around 1: weather and use, in large soft spots."""
    return np.asarray(1 + strength * noise(rng, side, 2, 40, 0.6))


def pick(rng: np.random.Generator, *palette: tuple[float, float, float]) -> Doubles:
    """One of the BGR colours at random, slightly varied; (3,) in 0 .. 255."""
    colour = np.array(palette[int(rng.integers(len(palette)))])
    return np.asarray(colour * rng.uniform(0.85, 1.12) * (1 + 0.02 * rng.normal(size=3)))


def coloured(brightness: Doubles, colour: Doubles) -> Doubles:
    """(side, side, 3): a colour, (3,) or (side, side, 3), times brightness."""
    return np.asarray(brightness[..., None] * colour)


def mix(first: Doubles, second: Doubles, share: Doubles) -> Doubles:
    """(side, side, 3) from colours of that shape or (3,): the second where share is 1, the first where it is 0."""
    return np.asarray(first + np.clip(share, 0, 1)[..., None] * (second - first))


def to_pixels(colours: Doubles) -> Pixels:
    """Round (side, side, 3) to uint8, clipped."""
    return np.asarray(np.rint(np.clip(colours, 0, 255)), np.uint8)
