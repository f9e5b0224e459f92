"""The mesh builder: collects the textured triangles and straight edges of all bodies of a scene."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.arrays import Floats, Ints
from datasets.scenes.scene import Kind, Light, Scene, Standpoint
from datasets.scenes.shapes.ambient_occlusion import ambient_openness
from datasets.scenes.shapes.paint import Paint
from datasets.scenes.shapes.vectors import areas

SMALLEST_AREA = 1e-8  # m^2; thinner triangles are left out


@dataclass(eq=False)
class MeshBuilder:
    """An unfinished scene. The shapes in this folder add triangles to it; `finish` returns the scene."""

    rng: np.random.Generator
    _triangles: list[tuple[Floats, Floats, Floats]] = field(default_factory=list)  # corners, normals, uv
    _rows: list[tuple[Ints, Floats, Ints, Ints, NDArray[np.bool_]]] = field(default_factory=list)
    _segments: list[Floats] = field(default_factory=list)
    _surfaces: int = 0

    def new_surfaces(self, n: int) -> Ints:
        """(n,) unused object numbers."""
        self._surfaces += n
        return np.arange(self._surfaces - n + 1, self._surfaces + 1, dtype=np.int32)

    def add(
        self,
        corners: ArrayLike,
        normals: ArrayLike,
        uv: ArrayLike,
        paint: Paint,
        kind: Kind,
        surface: Ints,
        casts_shadow: bool = True,
    ) -> None:
        """Add n triangles: corners (..., 3, 3) m, unit normals (..., 3, 3), uv (..., 3, 2) in repeats of the texture.

        paint has 1 or n rows; surface (n,) or (1,) is the number of each triangle's object.
        """
        parts = [np.asarray(part, np.float32) for part in (corners, normals, uv)]
        xyz, normal, coordinates = (part.reshape(-1, 3, part.shape[-1]) for part in parts)
        n = len(xyz)
        paints = paint.of(np.arange(n, dtype=np.int32))
        objects = np.broadcast_to(surface, n)
        self._triangles.append((xyz, normal, coordinates))
        self._rows.append((paints.texture, paints.tint, objects, np.full(n, kind, np.int32), np.full(n, casts_shadow)))

    def add_segments(self, ends: ArrayLike) -> None:
        """Add straight edges that lie on surfaces: (m, 2, 3)."""
        self._segments.append(np.asarray(ends, np.float32).reshape(-1, 2, 3))

    def finish(self, name: str, light: Light, standpoint: Standpoint, voxel: float, region: Floats) -> Scene:
        """The scene, without degenerate triangles.

        voxel: side of the voxels from which ambient openness is computed, m. Corners outside of `region` (2, 3), its
        lowest and highest corner, count as fully open.
        """
        corners, normals, uv = (np.concatenate(parts) for parts in zip(*self._triangles, strict=True))
        rows = [np.concatenate(parts) for parts in zip(*self._rows, strict=True)]
        kept = areas(corners) > SMALLEST_AREA
        corners, normals, uv = corners[kept], normals[kept], uv[kept]
        texture, tint, surface, kind, casts_shadow = (row[kept] for row in rows)
        segments = np.concatenate(self._segments) if self._segments else np.zeros((0, 2, 3), np.float32)
        return Scene(
            name=name,
            corners=corners,
            normals=normals,
            uv=uv,
            openness=ambient_openness(corners, normals, region, voxel),
            texture=texture,
            tint=tint,
            surface=surface,
            kind=kind,
            casts_shadow=casts_shadow,
            segments=segments,
            light=light,
            standpoint=standpoint,
        )
