"""Straight lines that a picture shows, and that a warp of it should keep straight."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask, Points
from stitching.io.picture import to_grey

REDUCTION = 2  # segments are looked for on a copy so many times smaller: long ones are enough
MIN_LENGTH = 0.06  # of the diagonal
MARGIN = 9  # px, window around the middle of a segment that has to lie in the part looked at: its border is no line


@dataclass(frozen=True)
class LineTriples:
    """Three neighbours each on straight lines of a picture.

    Attributes:
        places: (n, 3, 2) px, evenly spaced.
        normals: (n, 2) unit vectors, perpendicular to what the lines become under a map.
    """

    places: Points
    normals: Points


def find_segments(picture: NDArray[np.uint8], where: Mask) -> Points:
    """Ends (n, 2, 2) px of the long straight segments in a part of a picture.

    By LSD (Grompone von Gioi et al. 2010).

    Args:
        picture: (h, w, 3) BGR.
        where: (h, w), the part that is looked at.
    """
    h, w = where.shape
    grey = np.where(where, to_grey(picture), 0).astype(np.uint8)
    small = cv2.resize(grey, (max(1, w // REDUCTION), max(1, h // REDUCTION)), interpolation=cv2.INTER_AREA)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(small)[0]
    if found is None:
        return np.zeros((0, 2, 2))
    enlarged = np.array([w / small.shape[1], h / small.shape[0]])
    ends = (np.asarray(found, np.float64).reshape(-1, 2, 2) + 0.5) * enlarged - 0.5  # (n, 1, 4) -> (n, 2, 2)
    ends = np.clip(ends, 0, [w - 1, h - 1])
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    x, y = np.round(ends.mean(axis=1)).astype(np.int64).T
    inner = cv2.erode(where.astype(np.uint8), np.ones((MARGIN, MARGIN), np.uint8)) > 0
    kept: Points = ends[(length > MIN_LENGTH * np.hypot(h, w)) & inner[y, x]]
    return kept


def line_triples(ends: Points, map_xy: Field, spacing: float) -> LineTriples:
    """Triples on segments.

    Args:
        ends: (n, 2, 2) of the segments, px.
        map_xy: (h, w, 2), the map under which the lines have their normals.
        spacing: of the neighbours, px at most.
    """
    places, normals = [np.zeros((0, 3, 2))], [np.zeros((0, 2))]
    for segment in ends:
        start, end = segment
        count = max(3, int(np.ceil(np.hypot(*(end - start)) / spacing)) + 1)
        along = start + np.linspace(0, 1, count)[:, None] * (end - start)
        columns, rows = np.round(segment).astype(np.int64).T
        direction = np.diff(map_xy[rows, columns].astype(np.float64), axis=0)[0]
        normal = np.array([-direction[1], direction[0]]) / max(float(np.hypot(*direction)), 1e-9)
        places.append(np.stack([along[:-2], along[1:-1], along[2:]], axis=1))
        normals.append(np.tile(normal, (count - 2, 1)))
    return LineTriples(np.concatenate(places), np.concatenate(normals))
