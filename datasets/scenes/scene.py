"""A scene: textured triangles, sun and sky, and where a camera may stand."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Floats, Ints


class Kind(IntEnum):
    """Classes of surfaces, the labels of the segmentation task."""

    SKY = 0
    GROUND = 1
    WALL = 2
    CEILING = 3
    BUILDING = 4
    FURNITURE = 5
    BOX = 6
    POLE = 7
    SIGN = 8
    PLANT = 9
    ROCK = 10
    CUTOUT = 11


@dataclass(frozen=True, eq=False)
class Light:
    """A far sun and the sky around; colours are linear factors, BGR, 1 = the texture as it is."""

    to_sun: Floats  # (3,) unit vector from the scene to the sun
    sun: Floats  # (3,)
    ambient: Floats  # (3,)
    zenith: Floats  # (3,) colour of the sky above, BGR in [0, 1], as seen (not linear)
    horizon: Floats  # (3,) the same at the horizon
    cloud: int  # texture whose brightness makes the clouds
    cloudiness: float  # 0 none .. 1 the sky is the cloud texture


@dataclass(frozen=True, eq=False)
class Standpoint:
    """Where the reference camera may be and what it may look at: two axis-aligned boxes."""

    eye: Floats  # (2, 3) lowest and highest corner, m
    look_at: Floats  # (2, 3)


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene of n two-sided triangles.

    World frame: x right, y down, z forward, metres, so a level camera looking along z has no rotation.
    Every per-triangle array has n rows; the second axis of the per-corner ones is the corner.
    """

    name: str  # the recipe it was made by, e.g. "room"
    corners: Floats  # (n, 3, 3) world points, m
    normals: Floats  # (n, 3, 3) unit shading normals at the corners, on the side that is usually seen
    uv: Floats  # (n, 3, 2) texture coordinates in repeats: 0 .. 1 is one copy; textures wrap
    openness: Floats  # (n, 3) share of the ambient light that reaches the corner: 1 all .. 0 none
    texture: Ints  # (n,) index into the texture bank
    tint: Floats  # (n, 3) BGR factor on the texture's linear colour
    surface: Ints  # (n,) object number from 1: the same for all triangles of one body
    kind: Ints  # (n,) Kind
    casts_shadow: NDArray[np.bool_]  # (n,)
    segments: Floats  # (m, 2, 3) end points of straight edges that lie on the surfaces
    light: Light
    standpoint: Standpoint
