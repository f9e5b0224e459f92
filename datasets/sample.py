"""A sample: a pair of pictures from two places, and its ground truth."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Floats, Pixels


class Visibility(IntEnum):
    """How a pixel relates to the other camera: the codes of the masks. NOV = BEHIND + OUTSIDE."""

    BEHIND = 0  # behind the other camera, or so close to its plane that it does not project there
    OUTSIDE = 85  # in front of the other camera, outside its picture
    OCCLUDED = 170  # inside its picture, hidden by something nearer
    VISIBLE = 255  # OV: seen by both


@dataclass(frozen=True, eq=False)
class Geometry:
    """What one camera sees, at the pixel centres. Sky: depth inf, normal 0, surface 0, kind Kind.SKY."""

    depth: Floats  # (h, w) m along the optical axis
    normals: Floats  # (h, w, 3) unit, camera frame (x right, y down, z forward), facing the camera
    surfaces: NDArray[np.int32]  # (h, w) object numbers of the scene
    kinds: Pixels  # (h, w) Kind
    edges: Pixels  # (h, w) 255 where the surface or, by a jump, the depth or normal changes, else 0


@dataclass(frozen=True, eq=False)
class View:
    """One of the two pictures with its ground truth. Points are px; (0, 0) is the centre of the first pixel."""

    picture: Pixels  # (h, w, 3) BGR, as the camera took it
    clean: Pixels  # (h, w, 3) BGR, as rendered: no exposure, vignetting, blur, noise, JPEG
    warp: Floats  # (h, w, 2) x, y of every pixel on the plane of the other picture; finite, clipped
    mask: Pixels  # (h, w) Visibility
    geometry: Geometry | None  # None where SampleOptions.geometry is off


@dataclass(frozen=True, eq=False)
class Sample:
    """A pair with its exact ground truth."""

    index: int
    reference: View  # its warp goes to the target's plane
    target: View  # its warp goes to the reference's plane
    stitched: Pixels  # (hc, wc, 3) BGR canvas seen by the reference camera, in the reference's exposure and tone
    clean_stitched: Pixels  # (hc, wc, 3) the same as rendered; reference.clean is a part of it, pixel for pixel
    stitched_mask: Pixels  # (hc, wc) bit 1: in the reference picture; bit 2: seen by the target
    origin: tuple[int, int]  # reference pixel (x, y) that lies at canvas (0, 0)
    segments: Floats  # (m, 2, 2, 2) straight edges: [segment, target | reference, end, x | y] px, visible in the target
    segments_visible: Floats  # (m, 2) share of each segment seen in [target, reference], 0 .. 1
    facts: dict[str, Any]  # JSON-ready: scene, cameras, fundamental matrix, requested and achieved figures
