"""The mesh builder: collects lit, textured triangles and straight edges of many bodies."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.scenes.openness import openness
from datasets.scenes.paint import Paint
from datasets.scenes.scene import Floats, Ints, Kind, Light, Scene, Standpoint
from datasets.scenes.vectors import areas

SMALLEST_AREA = 1e-8  # m^2; thinner triangles are left out


@dataclass(eq=False)
class Mesh:
    """A scene in the making. Shapes of the neighbouring files add to it; `finish` makes the scene."""

    rng: np.random.Generator
    _triangles: list[tuple[Floats, Floats, Floats]] = field(default_factory=list)  # corners, normals, places
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
        places: ArrayLike,
        paint: Paint,
        kind: Kind,
        surface: Ints,
        casts_shadow: bool = True,
    ) -> None:
        """Add n triangles: corners (..., 3, 3) m, unit normals (..., 3, 3), places (..., 3, 2) in repeats.

        paint has 1 or n rows, surface (n,) the number of the object of each.
        """
        n = len(surface)
        rows = np.arange(n, dtype=np.int32)
        of = paint.of(rows)
        xyz, normal = (np.asarray(part, np.float32).reshape(n, 3, 3) for part in (corners, normals))
        self._triangles.append((xyz, normal, np.asarray(places, np.float32).reshape(n, 3, 2)))
        self._rows.append((of.texture, of.tint, surface, np.full(n, kind, np.int32), np.full(n, casts_shadow)))

    def add_segments(self, ends: ArrayLike) -> None:
        """Add straight edges that lie on surfaces: (m, 2, 3)."""
        self._segments.append(np.asarray(ends, np.float32).reshape(-1, 2, 3))

    def finish(self, name: str, light: Light, standpoint: Standpoint, voxel: float, region: Floats) -> Scene:
        """The scene, without degenerate triangles.

        voxel: m, how fine openness is; corners outside of `region` (2, 3) count as open.
        """
        corners, normals, places = (np.concatenate(parts) for parts in zip(*self._triangles, strict=True))
        rows = [np.concatenate(parts) for parts in zip(*self._rows, strict=True)]
        kept = areas(corners) > SMALLEST_AREA
        corners, normals, places = corners[kept], normals[kept], places[kept]
        texture, tint, surface, kind, casts_shadow = (row[kept] for row in rows)
        segments = np.concatenate(self._segments) if self._segments else np.zeros((0, 2, 3), np.float32)
        return Scene(
            name=name,
            corners=corners,
            normals=normals,
            texture_places=places,
            openness=openness(corners, normals, region, voxel),
            texture=texture,
            tint=tint,
            surface=surface,
            kind=kind,
            casts_shadow=casts_shadow,
            segments=segments,
            light=light,
            standpoint=standpoint,
        )
