"""The inner sides of openings in walls."""

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Ints
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import panels
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Paint
from datasets.scenes.shapes.spot import Spot

# Left, right, top, bottom of a unit opening: corner, across, down, as someone in the opening sees them.
_SIDES = (
    ((0, 0, 0), (0, 0, 1), (0, 1, 0)),
    ((1, 0, 1), (0, 0, -1), (0, 1, 0)),
    ((0, 0, 0), (1, 0, 0), (0, 0, 1)),
    ((0, 1, 1), (1, 0, 0), (0, 0, -1)),
)


def reveals(
    mesh: MeshBuilder,
    spot: Spot,
    corner: NDArray[np.float64],
    size: tuple[float, float, float],
    paint: Paint,
    kind: Kind,
    surface: Ints,
    *,
    casts_shadow: bool = True,
) -> None:
    """The four inner sides of k openings: top left `corner` (k, 3), local, and their common width, height, depth, m."""
    extent = np.array(size)
    for first, across, down in _SIDES:
        panels(
            mesh,
            corner + first * extent,
            across * extent,
            down * extent,
            paint,
            kind,
            spot=spot,
            surface=surface,
            edges=False,
            casts_shadow=casts_shadow,
        )
