"""Scenes that go on behind the camera: recipes build what lies before it, which a mirror repeats."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Floats
from datasets.scenes.scene import Scene
from datasets.scenes.shapes.mesh_builder import SMALLEST_AREA
from datasets.scenes.shapes.vectors import areas

_BY_CORNER = "corners", "normals", "uv", "openness"
_BY_TRIANGLE = "texture", "tint", "surface", "kind", "casts_shadow"


def mirrored_behind(scene: Scene) -> Scene:
    """The scene before the middle of its standpoint, and its mirror image behind it; surfaces meet at the mirror.

    Features do not match those of their mirror images, so it shows nothing twice. It has no segments.
    """
    plane = float(scene.standpoint.eye[:, 2].mean())
    front = _clipped(scene, plane)
    corners, normals = front["corners"].copy(), front["normals"].copy()
    corners[..., 2], normals[..., 2] = 2 * plane - corners[..., 2], -normals[..., 2]
    back = front | {"corners": corners, "normals": normals, "surface": front["surface"] + scene.surface.max()}
    both: dict[str, Any] = {name: np.concatenate([front[name], back[name]]) for name in front}
    return replace(scene, **both, segments=scene.segments[:0])


def _clipped(scene: Scene, plane: float) -> dict[str, NDArray[Any]]:
    """The arrays of the triangles beyond z = plane; those that cross it are cut (Sutherland & Hodgman 1974)."""
    beyond = scene.corners[..., 2] >= plane  # (n, corner)
    count = beyond.sum(axis=1)
    values = np.concatenate([getattr(scene, name).reshape(len(count), 3, -1) for name in _BY_CORNER], axis=2)
    pieces, sources = [values[count == 3]], [np.flatnonzero(count == 3)]
    for number in (1, 2):  # corners beyond the plane; the one that is alone on its side becomes the first
        source = np.flatnonzero(count == number)
        alone = np.argmax(beyond[source] == (number == 1), axis=1)
        first, second, third = (values[source, (alone + k) % 3] for k in range(3))
        cut_second, cut_third = _cut(first, second, plane), _cut(first, third, plane)
        if number == 1:
            pieces.append(np.stack([first, cut_second, cut_third], axis=1))
            sources.append(source)
        else:
            pieces += [np.stack([cut_second, second, third], axis=1), np.stack([cut_second, third, cut_third], axis=1)]
            sources += [source, source]
    found, source = np.concatenate(pieces), np.concatenate(sources)
    kept = areas(found[..., :3]) > SMALLEST_AREA
    widths = np.cumsum([np.prod(getattr(scene, name).shape[2:], dtype=int) for name in _BY_CORNER])
    parts = dict(zip(_BY_CORNER, np.split(found[kept], widths[:-1], axis=2), strict=True))
    parts["openness"] = parts["openness"][..., 0]
    lengths = np.linalg.norm(parts["normals"], axis=2, keepdims=True)
    parts["normals"] = parts["normals"] / np.maximum(lengths, np.float32(1e-6))
    return parts | {name: getattr(scene, name)[source[kept]] for name in _BY_TRIANGLE}


def _cut(start: Floats, end: Floats, plane: float) -> Floats:
    """(k, c) values where edges from start to end (k, c) pass the plane; the third value is z."""
    share = (plane - start[:, 2:3]) / (end[:, 2:3] - start[:, 2:3])
    return np.asarray(start + share * (end - start), np.float32)
