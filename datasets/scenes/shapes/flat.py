"""Flat and box-like shapes: grids of quadrilaterals, panels, walls with openings, boxes, frames of boxes."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.arrays import Doubles, Ints
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Paint
from datasets.scenes.shapes.spot import WORLD, Spot
from datasets.scenes.shapes.vectors import cross, unit

# A unit box: x and z in -0.5 .. 0.5, y from -1 (top) to 0. Each face: corner, across, down, as the outside sees it.
_FACES = np.array(
    [
        [[-0.5, -1, -0.5], [1, 0, 0], [0, 1, 0]],  # front, to -z
        [[0.5, -1, 0.5], [-1, 0, 0], [0, 1, 0]],  # back
        [[-0.5, -1, 0.5], [0, 0, -1], [0, 1, 0]],  # left, to -x
        [[0.5, -1, -0.5], [0, 0, 1], [0, 1, 0]],  # right
        [[-0.5, -1, 0.5], [1, 0, 0], [0, 0, -1]],  # top
        [[-0.5, 0, -0.5], [1, 0, 0], [0, 0, 1]],  # bottom
    ]
)
STANDING = (0, 1, 2, 3, 4)  # all but the bottom
CLOSED = (0, 1, 2, 3, 4, 5)
_CUBE = np.array([[x, y, z] for y in (-1, 0) for x in (-0.5, 0.5) for z in (-0.5, 0.5)])
_EDGES = np.array([[0, 1], [0, 2], [1, 3], [2, 3], [4, 5], [4, 6], [5, 7], [6, 7], [0, 4], [1, 5], [2, 6], [3, 7]])


@lru_cache
def _edges_of_faces() -> NDArray[np.bool_]:
    """(6, 12) which of _EDGES each of _FACES has."""
    corner, across, down = _FACES.swapaxes(0, 1)
    rim = np.stack((corner, corner + across, corner + down, corner + across + down), axis=1)  # (6, 4, 3)
    on_face = (np.abs(rim[:, :, None] - _CUBE).sum(axis=3) < 1e-6).any(axis=1)  # (6, 8)
    return np.asarray(on_face[:, _EDGES].all(axis=2))


def lattice(
    mesh: MeshBuilder,
    points: NDArray[np.floating],
    normals: NDArray[np.floating],
    uv: NDArray[np.floating],
    paint: Paint,
    kind: Kind,
    *,
    surface: Ints | None = None,
    keep: NDArray[np.bool_] | None = None,
    casts_shadow: bool = True,
) -> None:
    """k grids of quadrilaterals: points and normals (k, r, c, 3), uv (k, r, c, 2); rows down, columns to the right.

    surface: (k,) or (1,) object numbers; None: new ones. keep: (r - 1, c - 1), False leaves a hole.
    paint has 1 or k rows.
    """
    k = len(points)
    surface = mesh.new_surfaces(k) if surface is None else np.broadcast_to(surface, k)
    corners = _triangles(points.shape[1], points.shape[2])
    if keep is not None:
        corners = corners[np.repeat(keep.reshape(-1), 2)]
    rows = np.repeat(np.arange(k, dtype=np.int32), len(corners))
    parts = [part.reshape(k, -1, part.shape[-1])[:, corners] for part in (points, normals, uv)]
    xyz, normal, coordinates = (part.reshape(-1, 3, part.shape[-1]) for part in parts)
    mesh.add(xyz, normal, coordinates, paint.of(rows), kind, surface[rows], casts_shadow)


@lru_cache(maxsize=256)
def _triangles(rows: int, columns: int) -> NDArray[np.int_]:
    """Corners (2 (rows - 1) (columns - 1), 3) of the triangles of a grid of points, counted row by row."""
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]
    return np.stack((a, b, d, c, d, b), axis=-1).reshape(-1, 3)


@lru_cache(maxsize=256)
def _pieces(columns: int, rows: int) -> Doubles:
    """Corners (2 columns rows, 3, 2) in 0 .. 1 of the triangles of a unit square cut into cells."""
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    return np.stack((u, v), axis=-1).reshape(-1, 2)[_triangles(rows + 1, columns + 1)]


def panels(
    mesh: MeshBuilder,
    corner: ArrayLike,
    across: ArrayLike,
    down: ArrayLike,
    paint: Paint,
    kind: Kind,
    *,
    spot: Spot = WORLD,
    cells: tuple[int, int] = (1, 1),
    fit: bool = False,
    surface: Ints | None = None,
    edges: bool = True,
    casts_shadow: bool = True,
) -> None:
    """k parallelograms with the top left `corner` (k, 3) and sides `across`, `down` (k, 3), as their viewer sees them.

    spot: the frame that they are given in. cells: pieces across and down. fit: each shows its texture exactly once.
    surface: (k,) or (1,) object numbers; None: new ones.
    """
    corner, across, down = _rows(corner, across, down)
    if spot is not WORLD:
        corner, across, down = spot.world(corner), across @ spot.frame.T, down @ spot.frame.T
    k, pieces = len(corner), _pieces(*cells)
    surface = mesh.new_surfaces(k) if surface is None else np.broadcast_to(surface, k)
    points = corner[:, None] + pieces.reshape(-1, 2) @ np.stack((across, down), axis=1)  # (k, 3 t, 3)
    normals = np.repeat(unit(cross(down, across)), points.shape[1], axis=0)
    offset, repeats = (0.0, 1.0) if fit else _copies(mesh, across, down, paint)
    uv = offset + repeats * pieces.reshape(1, -1, 2)
    uv = np.broadcast_to(uv, (k, points.shape[1], 2))
    rows = np.repeat(np.arange(k, dtype=np.int32), len(pieces))
    mesh.add(points, normals, uv, paint.of(rows), kind, surface[rows], casts_shadow)
    if edges:
        ends = np.stack((corner, corner + across, corner + across + down, corner + down), axis=1)
        mesh.add_segments(np.stack((ends, np.roll(ends, -1, axis=1)), axis=2))


def level_ground(
    mesh: MeshBuilder, far_left: ArrayLike, width: float, depth: float, paint: Paint, cells: tuple[int, int] = (1, 1)
) -> None:
    """A level rectangle, seen from above: from its `far_left` corner `width` m to the right, `depth` m towards -z."""
    panels(mesh, far_left, (width, 0, 0), (0, 0, -depth), paint, Kind.GROUND, cells=cells, edges=False)


def _rows(*vectors: ArrayLike) -> list[Doubles]:
    """Vectors (k, 3) or (3,) with the same number of rows."""
    arrays = [np.asarray(vector, np.float64).reshape(-1, 3) for vector in vectors]
    k = max(len(array) for array in arrays)
    return [array if len(array) == k else np.repeat(array, k, axis=0) for array in arrays]


def _copies(mesh: MeshBuilder, across: Doubles, down: Doubles, paint: Paint) -> tuple[Doubles, Doubles]:
    """Where the texture of each parallelogram begins and how often it is repeated, (k, 1, 2) each.

    What needs less than a copy shows a random part of it, never its border.
    """
    sides = np.stack((across, down), axis=1)
    extent = np.sqrt((sides * sides).sum(axis=2))
    metres = paint.metres.astype(np.float64)[:, None]
    if paint.is_photo:
        metres = np.clip(extent.max(axis=1, keepdims=True), metres, 4 * metres)
    repeats = extent / metres
    room = np.where(repeats <= 1, 1 - repeats, 1.0)
    return (mesh.rng.random((len(across), 2)) * room)[:, None], repeats[:, None]


def wall(
    mesh: MeshBuilder,
    corner: ArrayLike,
    across: ArrayLike,
    height: float,
    columns: ArrayLike,
    rows: ArrayLike,
    holes: NDArray[np.bool_],
    paint: Paint,
    kind: Kind,
    *,
    surface: Ints | None = None,
    casts_shadow: bool = True,
) -> None:
    """An upright wall with rectangular openings, from its top left `corner` (3,) to the right by `across` (3,).

    columns (c + 1,) and rows (r + 1,) are the lines of its grid in m from that corner, holes (r, c) the cells left out.
    """
    origin, side = np.asarray(corner, np.float64), np.asarray(across, np.float64)
    lines, levels = np.asarray(columns, np.float64), np.asarray(rows, np.float64)
    along = side / np.linalg.norm(side)
    down = np.array([0.0, 1.0, 0.0])
    points = origin + along * lines[:, None] + down * levels[:, None, None]
    normals = np.broadcast_to(unit(cross(down, along)), points.shape)
    offset, repeats = _copies(mesh, side[None], down[None] * height, paint)
    extent = np.array([np.linalg.norm(side), height])
    share = np.stack(np.broadcast_arrays(lines, levels[:, None]), axis=-1) / extent
    uv = offset[0] + repeats[0] * share  # (1, 2) of the one wall
    lattice(
        mesh, points[None], normals[None], uv[None], paint, kind,
        surface=surface, keep=~holes, casts_shadow=casts_shadow,
    )  # fmt: skip
    ends = np.stack((origin, origin + side, origin + side + down * height, origin + down * height))
    mesh.add_segments(np.stack((ends, np.roll(ends, -1, axis=0)), axis=1))


def boxes(
    mesh: MeshBuilder,
    base: ArrayLike,
    size: ArrayLike,
    paint: Paint,
    kind: Kind,
    *,
    spot: Spot = WORLD,
    turn: NDArray[np.floating] | None = None,
    faces: tuple[int, ...] = STANDING,
    fit: bool = False,
    surface: Ints | None = None,
    edges: bool = True,
    casts_shadow: bool = True,
) -> None:
    """k boxes over the middle of their bottoms `base` (k, 3), of `size` (k, 3) = width, height, depth.

    spot: the frame that they are given in; or turn: their rotations (3, 3) or (k, 3, 3) in the world.
    faces: indices of the faces that are added. paint has 1 or k rows.
    fit: each face shows its texture exactly once. surface: (k,) or (1,) object numbers; None: new ones.
    """
    base, size = _rows(base, size)
    if spot is not WORLD:
        base = spot.world(base)
    k, n = len(base), len(faces)
    across = np.swapaxes(spot.frame if turn is None else turn, -1, -2)  # to multiply rows
    shapes = ((_FACES[list(faces)] * size[:, None, None]).reshape(k, -1, 3) @ across).reshape(k, n, 3, 3)
    surface = mesh.new_surfaces(k) if surface is None else np.broadcast_to(surface, k)
    of = np.repeat(np.arange(k, dtype=np.int32), n)
    panels(
        mesh,
        (shapes[:, :, 0] + base[:, None]).reshape(-1, 3),
        shapes[:, :, 1].reshape(-1, 3),
        shapes[:, :, 2].reshape(-1, 3),
        paint.of(of),
        kind,
        fit=fit,
        surface=surface[of],
        edges=False,
        casts_shadow=casts_shadow,
    )
    if edges:
        corners = (_CUBE * size[:, None]) @ across + base[:, None]
        mesh.add_segments(corners[:, _EDGES[_edges_of_faces()[list(faces)].any(axis=0)]])


def bars(
    mesh: MeshBuilder,
    starts: ArrayLike,
    ends: ArrayLike,
    thickness: float,
    paint: Paint,
    kind: Kind,
    *,
    surface: Ints | None = None,
    edges: bool = True,
) -> None:
    """k square bars from `starts` (k, 3) to `ends` (k, 3), `thickness` m: rails, slats, lattices, legs."""
    first, last = _rows(starts, ends)
    along = last - first
    length = np.linalg.norm(along, axis=1)
    up = -unit(along)  # the bar is a box whose top is its end
    reference = np.where(np.abs(up[:, 1:2]) > 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    side = unit(cross(up, reference))
    frame = np.stack((side, up, cross(side, up)), axis=-1)
    size = np.stack((np.full_like(length, thickness), length, np.full_like(length, thickness)), axis=1)
    boxes(mesh, first, size, paint, kind, turn=frame, faces=CLOSED, surface=surface, edges=edges)
