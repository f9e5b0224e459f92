"""Height fields: hills, ridges and the ground under them, finer near the camera than far away."""

import numpy as np

from datasets.arrays import Doubles
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import lattice
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Paint
from datasets.scenes.shapes.vectors import cross, unit


class Relief:
    """A smooth random landscape: a sum of sine waves. Height in m, positive upwards, at any (x, z)."""

    def __init__(self, rng: np.random.Generator, height: float, wavelength: float, octaves: int = 5) -> None:
        per_octave = 4
        steps = np.repeat(np.arange(octaves), per_octave)
        angle = rng.random(len(steps)) * (2 * np.pi)
        frequency = 2 * np.pi / wavelength * 1.9**steps * rng.uniform(0.8, 1.25, len(steps))
        self._waves = np.stack((np.cos(angle), np.sin(angle))) * frequency
        self._phase = rng.random(len(steps)) * (2 * np.pi)
        self._height = height * 0.45**steps / per_octave**0.5
        self._level = np.zeros(3)  # x, z and radius of a flattened disc, m

    def flatten(self, x: float, z: float, radius: float) -> None:
        """Make it level for about `radius` m around (x, z)."""
        self._level = np.array([x, z, radius])

    def height(self, x: Doubles, z: Doubles) -> Doubles:
        """Height (...) at x, z (...)."""
        raw = np.sin(x[..., None] * self._waves[0] + z[..., None] * self._waves[1] + self._phase) @ self._height
        away = np.hypot(x - self._level[0], z - self._level[1])
        share = (
            np.clip((away - self._level[2] * 0.3) / max(float(self._level[2]), 1e-6), 0, 1) if self._level[2] else 1.0
        )
        return np.asarray(raw * share)


class Ground:
    """A triangulated relief, and points that lie exactly on its triangles.

    The cells form a fan that grows with z; its middle column follows a path of constant width.
    """

    def __init__(self, rng: np.random.Generator, relief: Relief, far: float, path: float) -> None:
        rows, columns, near, spread, half = 22, 23, -7.0, 1.5, 13.0  # half width at z = 0
        tip = half / spread  # distances grow from the tip of the fan
        z = np.geomspace(far + tip, near + tip, rows) - tip
        side = np.geomspace(1, 40, (columns - 1) // 2) - 1
        side = side / side[-1] * (half + spread * np.maximum(z, 0) - path / 2)[:, None] + path / 2
        winding = rng.uniform(-0.25, 0.25) * z + rng.uniform(0.5, 3) * np.sin(
            z / rng.uniform(7, 15) + rng.uniform(0, 6)
        )
        self.middle = (rng.uniform(-2, 2) + winding) * np.clip((z + 3) / 8, 0, 1)
        self.x = self.middle[:, None] + np.concatenate((-side[:, ::-1], side), axis=1)
        self.z = np.broadcast_to(z[:, None], self.x.shape)
        self.y = -relief.height(self.x, self.z)
        self._relief = relief

    def on(self, x: Doubles, z: Doubles) -> Doubles:
        """World points (..., 3) on the ground at x, z (...)."""
        at = np.stack(np.broadcast_arrays(x, z), axis=-1).reshape(-1, 2)
        levels = self.z[:, 0]
        row = np.clip(len(levels) - np.searchsorted(levels[::-1], at[:, 1]), 1, len(levels) - 1) - 1
        share = np.clip((levels[row] - at[:, 1]) / (levels[row] - levels[row + 1]), 0, 1)[:, None]
        lines = self.x[row] * (1 - share) + self.x[row + 1] * share  # (n, columns)
        column = np.clip((lines <= at[:, :1]).sum(axis=1) - 1, 0, lines.shape[1] - 2)
        grid = np.stack((self.x, self.z, self.y), axis=-1)
        a, b, c, d = (grid[row + i, column + j] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))
        before = _doubled(b[:, :2], d[:, :2], at) * _doubled(b[:, :2], d[:, :2], a[:, :2]) >= 0
        first = np.where(before[:, None], a, c)  # the triangles of a cell are a b d and c d b
        weights = np.stack([_doubled(p[:, :2], q[:, :2], at) for p, q in ((b, d), (d, first), (first, b))], axis=-1)
        heights = np.stack((first[:, 2], b[:, 2], d[:, 2]), axis=-1)
        height = (weights * heights).sum(axis=-1) / weights.sum(axis=-1)
        points = np.stack((at[:, 0], height, at[:, 1]), axis=-1)
        return points.reshape(*np.broadcast_shapes(np.shape(x), np.shape(z)), 3)

    def add(self, mesh: MeshBuilder, soil: Paint, path: Paint) -> None:
        """Add the triangles to a mesh."""
        points = np.stack((self.x, self.y, self.z), axis=-1)[None]
        step = 0.5
        slope_x = self._relief.height(self.x + step, self.z) - self._relief.height(self.x - step, self.z)
        slope_z = self._relief.height(self.x, self.z + step) - self._relief.height(self.x, self.z - step)
        normals = unit(np.stack((-slope_x, np.full_like(self.x, -2 * step), -slope_z), axis=-1))[None]
        way = np.zeros((self.x.shape[0] - 1, self.x.shape[1] - 1), bool)
        way[:, way.shape[1] // 2] = True
        for paint, keep, x in ((soil, ~way, self.x), (path, way, self.x - self.middle[:, None])):
            uv = np.stack((x, -self.z), axis=-1)[None] / paint.metres[0]
            lattice(mesh, points, normals, uv, paint, Kind.GROUND, keep=keep)


def _doubled(a: Doubles, b: Doubles, c: Doubles) -> Doubles:
    """Twice the signed areas (n,) of triangles in the plane, corners (n, 2)."""
    u, v = b - a, c - a
    return np.asarray(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def mountains(mesh: MeshBuilder, rng: np.random.Generator, distance: float, height: float, paint: Paint) -> None:
    """A range of mountains across the view, `distance` m away."""
    columns, rows = 60, 3
    x = np.linspace(-1.5, 1.5, columns) * distance
    waves = Relief(rng, 0.5, distance * rng.uniform(0.4, 0.9), octaves=5)
    crest = np.maximum(0.5 + waves.height(x, 0 * x), 0.1) * height
    share = np.linspace(1, -0.1, rows)[:, None]
    slope = 1 - np.abs(share * 2 - 1)
    depth = Relief(rng, 0.12, distance * 0.25, octaves=4).height(x, share * distance * 0.3) * distance * slope
    y = -crest * share
    z = distance * (1 + 0.4 * share) + depth
    points = np.stack(np.broadcast_arrays(x, y, z), axis=-1)
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normals = unit(cross(down, across))
    uv = np.stack((points[..., 0], points[..., 1] * 1.5), axis=-1) / paint.metres[0]
    lattice(mesh, points[None], normals[None], uv[None], paint, Kind.GROUND, casts_shadow=False)
