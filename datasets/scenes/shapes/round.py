"""Round shapes with smooth normals: bodies of revolution, tubes along lines, balls and lumps of stone."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.arrays import Doubles, Ints
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.flat import lattice
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Paint
from datasets.scenes.shapes.vectors import cross, unit


def revolve(
    mesh: MeshBuilder,
    profile: ArrayLike,
    base: ArrayLike,
    size: ArrayLike,
    paint: Paint,
    kind: Kind,
    *,
    turn: NDArray[np.floating] | None = None,
    sides: int = 12,
    ripple: float = 0.0,
    surface: Ints | None = None,
    casts_shadow: bool = True,
) -> None:
    """k bodies of revolution over `base` (k, 3), scaled by `size` (k, 2) = radius, height.

    profile: (p, 2) radius and height from the top down, for size 1; a point given twice is a sharp edge.
    turn: rotations (3, 3) or (k, 3, 3). ripple: how much nearer to the axis every second line lies, relative.
    paint has 1 or k rows; it goes round a whole number of times.
    """
    line = np.asarray(profile, np.float64)
    base, size = np.asarray(base, np.float64).reshape(-1, 3), np.asarray(size, np.float64).reshape(-1, 2)
    base, size = np.broadcast_arrays(base, np.concatenate((size, size[:, :1]), axis=1))
    radius, height = line[:, 0] * size[:, :1], line[:, 1] * size[:, 1:2]  # (k, p)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    sin, cos = np.sin(angle), -np.cos(angle)
    star = 1 - ripple * (np.arange(sides + 1) % 2)
    points = _around(radius, -height, sin * star, cos * star)
    normals = _around(*_slopes(radius, height), sin, cos)
    if turn is not None:
        frame = np.broadcast_to(turn, (len(base), 3, 3))
        points, normals = (np.einsum("kij,krcj->krci", frame, vectors) for vectors in (points, normals))
    length = np.hypot(np.diff(radius, axis=1), np.diff(height, axis=1))
    along = np.concatenate((np.zeros((len(base), 1)), np.cumsum(length, axis=1)), axis=1)
    metres = paint.metres.astype(np.float64)[:, None]
    turns = np.maximum(np.round(2 * np.pi * radius.max(axis=1, keepdims=True) / metres), 1)
    u = (angle / (2 * np.pi) * turns)[:, None] + mesh.rng.random((len(base), 1, 1))
    uv = np.stack(np.broadcast_arrays(u, (along / metres)[:, :, None]), axis=-1)
    lattice(mesh, points + base[:, None, None], normals, uv, paint, kind, surface=surface, casts_shadow=casts_shadow)


def _around(radius: Doubles, y: Doubles, sin: Doubles, cos: Doubles) -> Doubles:
    """(k, p, sides + 1, 3): each point of the profile (k, p), taken round the vertical."""
    parts = (radius[..., None] * sin, y[..., None] * np.ones_like(sin), radius[..., None] * cos)
    return np.stack(parts, axis=-1)


def _slopes(radius: Doubles, height: Doubles) -> tuple[Doubles, Doubles]:
    """Outward normals of the profile, (k, p) each: away from the axis, and down. Averaged over both neighbours."""
    out, down = -np.diff(height, axis=1), -np.diff(radius, axis=1)
    length = np.maximum(np.hypot(out, down), 1e-12)
    out, down = out / length, down / length
    empty = np.zeros((len(radius), 1))
    out = np.hstack((out, empty)) + np.hstack((empty, out))
    down = np.hstack((down, empty)) + np.hstack((empty, down))
    length = np.maximum(np.hypot(out, down), 1e-12)
    return out / length, down / length


CYLINDER = ((0, 1), (1, 1), (1, 1), (1, 0))  # with a top, without a bottom
PIPE = ((1, 1), (1, 0))
CONE = ((0, 1), (1, 0))
BALL = tuple((np.sin(a), 1 + np.cos(a)) for a in np.linspace(0, np.pi, 8))


def tubes(
    mesh: MeshBuilder,
    points: ArrayLike,
    radius: float,
    paint: Paint,
    kind: Kind,
    *,
    sides: int = 4,
    surface: Ints | None = None,
) -> None:
    """k tubes of `radius` m along lines (k, p, 3): cables, wires, handles, stems. Their ends are open."""
    line = np.asarray(points, np.float64)
    ahead = unit(np.gradient(line, axis=1))
    reference = np.where(np.abs(ahead[:, :1, 1:2]) > 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    side = unit(cross(ahead, np.broadcast_to(reference, ahead.shape)))
    other = cross(ahead, side)
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None]
    normals = side[:, :, None] * np.cos(angle) + other[:, :, None] * np.sin(angle)
    length = np.linalg.norm(np.diff(line, axis=1), axis=2).cumsum(axis=1)
    v = np.concatenate((np.zeros((len(line), 1)), length), axis=1)[..., None] / paint.metres[:, None, None]
    uv = np.stack(np.broadcast_arrays(angle[:, 0] / (2 * np.pi), v), axis=-1)
    lattice(mesh, line[:, :, None] + normals * radius, normals, uv, paint, kind, surface=surface)


def lumps(
    mesh: MeshBuilder,
    centre: ArrayLike,
    size: ArrayLike,
    paint: Paint,
    kind: Kind,
    *,
    roughness: float = 0.25,
    fine: int = 1,
    surface: Ints | None = None,
) -> None:
    """k lumps around `centre` (k, 3) with the half axes `size` (k, 3): stones, bushes, cushions; 0 roughness: smooth.

    roughness: how far the surface lies off an ellipsoid, relative to its size.
    fine: 0, 1, 2: 20, 80, 320 triangles each.
    """
    centre, size = (np.asarray(side, np.float64).reshape(-1, 3) for side in (centre, size))
    centre, size = np.broadcast_arrays(centre, size)
    k, rng = len(centre), mesh.rng
    sphere, faces, around, sphere_uv = _sphere(fine)
    points = sphere * _rough_radius(rng, sphere, k, roughness)[..., None] * size[:, None]
    turn = rng.random(k) * (2 * np.pi)
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    points = np.stack(
        (c * points[..., 0] + s * points[..., 2], points[..., 1], c * points[..., 2] - s * points[..., 0]), -1
    )
    corners = points[:, faces]  # (k, f, 3, 3)
    flat = cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    flat = np.concatenate((flat, np.zeros((k, 1, 3))), axis=1)  # row -1: no face
    normals = unit(flat[:, around].sum(axis=2))  # (k, v, 3)
    girth = 2 * np.pi * size[:, [0, 2]].mean(axis=1)
    repeats = np.maximum(np.round(girth / paint.metres), 1)
    uv = sphere_uv * np.stack((repeats, np.maximum(repeats / 2, 0.5)), axis=-1)[:, None, None] + rng.random(
        (k, 1, 1, 2)
    )
    rows = np.repeat(np.arange(k, dtype=np.int32), len(faces))
    surface = mesh.new_surfaces(k) if surface is None else np.broadcast_to(surface, k)
    corners = corners + centre[:, None, None]
    mesh.add(
        corners.reshape(-1, 3, 3), normals[:, faces].reshape(-1, 3, 3), uv.reshape(-1, 3, 2),
        paint.of(rows), kind, surface[rows],
    )  # fmt: skip


@lru_cache(maxsize=3)
def _sphere(fine: int) -> tuple[Doubles, NDArray[np.int_], NDArray[np.int_], Doubles]:
    """An icosahedron cut `fine` times.

    Vertices (v, 3), outward faces (f, 3), faces around each vertex (v, 6), -1: none, and uv (f, 3, 2):
    longitude and latitude in 0 .. 1, past 1 where a face crosses the seam.
    """
    t = (1 + 5**0.5) / 2
    vertices = [(a, b * t, 0.0) for b in (1, -1) for a in (-1, 1)]
    vertices = [np.roll(v, axis) for axis in range(3) for v in np.array(vertices)]
    points = unit(np.array(vertices))
    near = np.linalg.norm(points[:, None] - points, axis=2) < 1.2
    triples = [
        (i, j, m) for i in range(12) for j in range(i) for m in range(j) if near[i, j] and near[j, m] and near[i, m]
    ]
    faces = np.array(triples)
    for _ in range(fine):
        points, faces = _cut(points, faces)
    corners = points[faces]
    inward = (cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * corners.sum(axis=1)).sum(axis=1) < 0
    faces[inward] = faces[inward][:, ::-1]
    around = np.full((len(points), 6), -1)
    for vertex in range(len(points)):
        found = np.nonzero((faces == vertex).any(axis=1))[0]
        around[vertex, : len(found)] = found
    corners = points[faces]
    u = np.arctan2(corners[..., 0], -corners[..., 2]) / (2 * np.pi)
    u = u + (u.max(axis=1, keepdims=True) - u > 0.5)
    v = np.arccos(np.clip(-corners[..., 1], -1, 1)) / np.pi
    return points, faces, around, np.stack((u, v), axis=-1)


def _rough_radius(rng: np.random.Generator, sphere: Doubles, k: int, roughness: float) -> Doubles:
    """(k, v) radii around 1 in the directions `sphere` (v, 3): random sine waves, finer ones lower."""
    waves = unit(rng.normal(size=(k, 6, 3))) * np.array([1.5, 2, 2.5, 3.5, 5, 7])[:, None]
    height = np.sin(waves @ sphere.T + rng.random((k, 6, 1)) * 6.28) * np.array([1, 0.8, 0.7, 0.5, 0.35, 0.25])[:, None]
    return np.asarray(1 + roughness * np.clip(height.sum(axis=1), -1.6, 2))


def _cut(points: Doubles, faces: NDArray[np.int_]) -> tuple[Doubles, NDArray[np.int_]]:
    """Every face into four, new vertices on the unit sphere."""
    pairs = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, which = np.unique(pairs, axis=0, return_inverse=True)
    middle = unit(points[edges].sum(axis=1))
    a, b, c = faces.T
    ab, bc, ca = (which.reshape(-1, 3) + len(points)).T
    cut = np.stack(((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)))
    return np.concatenate((points, middle)), cut.transpose(0, 2, 1).reshape(-1, 3)
