"""Litter: small flat pieces that lie about, such as papers, leaves, rags and patches."""

import numpy as np

from datasets.arrays import Doubles
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import panels
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Palette
from datasets.scenes.shapes.vectors import turned
from datasets.scenes.things.small_things import spread

_LIFT = 0.002  # m above the surface


def litter(
    mesh: MeshBuilder,
    palette: Palette,
    n: int,
    lowest: tuple[float, float],
    highest: tuple[float, float],
    level: float,
    size: tuple[float, float],
) -> None:
    """Up to n pieces, `size` = smallest to largest, m, on a level rectangle in x, z at y = `level`, none on another."""
    rng = mesh.rng
    points = spread(rng, n, lowest, highest, 1.5 * size[1])
    for part in np.array_split(points, 3):
        if len(part):
            _pieces(mesh, palette, part, level, size[0] * (size[1] / size[0]) ** rng.random((len(part), 1)))


def _pieces(mesh: MeshBuilder, palette: Palette, points: Doubles, level: float, side: Doubles) -> None:
    """Pieces of one kind of paint around points (k, 2) in x, z, `side` (k, 1) m long."""
    rng, k = mesh.rng, len(points)
    paint = palette.paint("photo", "sign", "leaves", "fabric", "rock", "plaster", n=k, metres=0.4, colour=0.6)
    frame = turned(rng.uniform(-np.pi, np.pi, k))
    half = side * np.stack((np.full(k, 0.5), np.zeros(k), rng.uniform(0.2, 0.5, k)), axis=1)
    across = np.einsum("kij,kj->ki", frame, half * [2, 0, 0])
    down = np.einsum("kij,kj->ki", frame, half * [0, 0, -2])
    middle = np.stack((points[:, 0], np.full(k, level - _LIFT), points[:, 1]), axis=1)
    panels(
        mesh, middle - (across + down) / 2, across, down, paint, Kind.SIGN,
        edges=False, casts_shadow=False,
    )  # fmt: skip
