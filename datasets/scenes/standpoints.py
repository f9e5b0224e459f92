"""Standpoints for cameras in a user's mesh: in the free space of a room, or around an object."""

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Doubles, Floats
from datasets.scenes.scene import Standpoint
from datasets.scenes.shapes.vectors import cross, unit
from stitching.errors import InputError

_CANDIDATES = 160  # positions tried
_HEADINGS = 10  # directions tried at each
_ENCLOSED = 0.6  # share of all rays that hit the front of a face, from which a position counts as inside a room
_FREE = 0.04  # least distance of the nearest surface, relative to the scene's size


def find_standpoints(corners: Floats, name: str, most: int = 32) -> list[Standpoint]:
    """Up to `most` standpoints in a mesh (n, 3, 3), y down, the best first: the most surface at varied distances.

    They lie inside where the mesh encloses space that its faces look into, as those of rooms do, else around it:
    surfaces should be seen from the side of their normals. The same mesh gives the same standpoints.
    Raises InputError where a camera would see nothing from anywhere; `name` is what the message calls the mesh.
    """
    rng = np.random.default_rng(0)
    lowest, highest = (corners.min(axis=(0, 1)).astype(np.float64), corners.max(axis=(0, 1)).astype(np.float64))
    size = float((highest - lowest).max())
    cast = _Caster(corners)
    inside = rng.uniform(lowest + 0.1 * (highest - lowest), highest - 0.1 * (highest - lowest), (_CANDIDATES, 3))
    around, facing = cast(inside, np.broadcast_to(_sphere(96), (_CANDIDATES, 96, 3)))
    enclosed = (around.min(axis=1) > _FREE * size) & (facing.mean(axis=1) > _ENCLOSED)
    if enclosed.any():
        eyes, headings = inside[enclosed], _headings(rng, int(enclosed.sum()))
    else:
        eyes = (lowest + highest) / 2 + unit(rng.normal(size=(_CANDIDATES, 3)) * [1, 0.35, 1]) * size * rng.uniform(
            0.8, 1.5, (_CANDIDATES, 1)
        )
        aims = rng.uniform(lowest, highest, (_CANDIDATES, _HEADINGS, 3)) * 0.4 + (lowest + highest) / 2 * 0.6
        headings = unit(aims - eyes[:, None])
    views = _views(cast, eyes, headings, size)
    if not views:
        raise InputError(f"{name}: a camera sees next to nothing of it from anywhere; expected a room or an object")
    return views[:most]


def _views(cast: "_Caster", eyes: Doubles, headings: Doubles, size: float) -> list[Standpoint]:
    """Standpoints at eyes (k, 3), each with the best of its headings (k, h, 3), the best first."""
    k, h = headings.shape[:2]
    side = unit(cross(np.broadcast_to([0.0, 1.0, 0.0], headings.shape), headings))
    down = cross(headings, side)
    u, v = (axis.reshape(-1, 1) for axis in np.meshgrid(np.linspace(-0.5, 0.5, 7), np.linspace(-0.4, 0.4, 5)))
    rays = unit(headings[:, :, None] + side[:, :, None] * u + down[:, :, None] * v)  # (k, h, 35, 3)
    far, facing = cast(eyes, rays.reshape(k, -1, 3))
    far = far.reshape(k, h, -1)
    hit = facing.reshape(k, h, -1) & (far < 3 * size)
    near = far.min(axis=2)
    spread = np.where(hit, np.log(np.where(hit, far, 1)), np.nan)
    covered = hit.mean(axis=2)
    with np.errstate(invalid="ignore"):
        varied = np.sqrt(np.maximum(_mean(spread**2, hit) - _mean(spread, hit) ** 2, 0))
    score = np.where((near > _FREE * size) & (covered > 0.3), covered * (0.3 + np.minimum(varied, 1)), 0)
    best = score.argmax(axis=1)
    order = [int(i) for i in np.argsort(-score.max(axis=1), kind="stable") if score[i, best[i]] > 0]
    return [_standpoint(eyes[i], headings[i, best[i]], far[i, best[i]], near[i, best[i]]) for i in order]


def _mean(values: Doubles, chosen: NDArray[np.bool_]) -> Doubles:
    """Mean over the last axis of what is chosen; 0 where nothing is."""
    return np.asarray(np.where(chosen, values, 0).sum(axis=-1) / np.maximum(chosen.sum(axis=-1), 1))


def _standpoint(eye: Doubles, heading: Doubles, far: Doubles, near: float) -> Standpoint:
    """Boxes around an eye and its aim; the camera keeps most of its distance to the nearest surface."""
    distance = float(np.median(far[np.isfinite(far)]))
    aim, room = eye + heading * distance, 0.2 * near
    return Standpoint(
        eye=np.stack((eye - room, eye + room)).astype(np.float32),
        look_at=np.stack((aim - 0.15 * distance, aim + 0.15 * distance)).astype(np.float32),
    )


def _headings(rng: np.random.Generator, n: int) -> Doubles:
    """(n, _HEADINGS, 3) unit directions, nearly level, all around."""
    yaw = (np.arange(_HEADINGS) + rng.random((n, 1))) * (2 * np.pi / _HEADINGS)
    return unit(np.stack((np.sin(yaw), rng.uniform(-0.1, 0.3, yaw.shape), np.cos(yaw)), axis=-1))


def _sphere(n: int) -> Doubles:
    """(n, 3) unit directions, evenly spread: a Fibonacci lattice."""
    y = 1 - (np.arange(n) + 0.5) * 2 / n
    angle = np.arange(n) * (np.pi * (3 - 5**0.5))
    radius = np.sqrt(1 - y * y)
    return np.stack((radius * np.cos(angle), y, radius * np.sin(angle)), axis=1)


class _Caster:
    """Distances along rays to triangles, by Embree where it is installed (trimesh's own caster is slow)."""

    def __init__(self, corners: Floats) -> None:
        import trimesh

        points = corners.reshape(-1, 3).astype(np.float64)
        faces = np.arange(len(points)).reshape(-1, 3)
        self._mesh = trimesh.Trimesh(points, faces, process=False, validate=False)

    def __call__(self, origins: Doubles, directions: Doubles) -> tuple[Doubles, NDArray[np.bool_]]:
        """From origins (k, 3) along unit directions (k, r, 3), all (k, r):

        m to the first surface, inf where there is none, and whether its front is hit.
        """
        k, r = directions.shape[:2]
        starts, along = np.repeat(origins, r, axis=0), directions.reshape(-1, 3)
        triangle, ray, points = self._mesh.ray.intersects_id(starts, along, multiple_hits=False, return_locations=True)
        far, facing = np.full(k * r, np.inf), np.zeros(k * r, bool)
        far[ray] = np.linalg.norm(points - starts[ray], axis=1)
        facing[ray] = (self._mesh.face_normals[triangle] * along[ray]).sum(axis=1) < 0
        return far.reshape(k, r), facing.reshape(k, r)
