"""Occlusion: strips beside near surfaces that the reference shows and that are hidden from the target."""

import cv2
import numpy as np

from stitching.geometry.homographies import nearest_homography_map
from stitching.geometry.pixel_maps import Field, Mask

MIN_STRIP = 7  # px: narrower strips are not looked at
RIM = 9  # px around a strip in which the warp is compared
MIN_RIM_PIXELS = 20  # trusted ones, that are needed for the comparison
MIN_JUMP = 0.5  # of a strip's thickness, by which the warp must differ between its sides


def hidden_from_target(map_xy: Field, covered: Mask, trusted: Mask, scale: float) -> Mask:
    """Where the canvas shows what is hidden from the target.

    A near surface hides a strip as wide as the jump of the warp across its edge. An untrusted region whose rim moves
    alike on all sides hides nothing: a clear sky, a person who walked on.

    Args:
        map_xy: (h, w, 2) canvas -> full-size target px.
        covered, trusted: (h, w), see `stitching.warping.placement.Placement`.
        scale: working px per canvas px.
    """
    # Differences of the map are compared with widths on the canvas: the homography takes out turns and perspective.
    offset = (map_xy - nearest_homography_map(map_xy, trusted)) * np.float32(scale)
    kernel = np.ones((MIN_STRIP, MIN_STRIP), np.uint8)
    untrusted = cv2.morphologyEx((covered & ~trusted).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(untrusted)
    hidden = np.zeros(trusted.shape, bool)
    for label in range(1, count):
        left, top, width, height = boxes[label, :4]
        window = slice(max(top - RIM, 0), top + height + RIM), slice(max(left - RIM, 0), left + width + RIM)
        strip = labels[window] == label
        if _offset_jumps(offset[window], strip, trusted[window]):
            hidden[window] |= strip
    return hidden


def _offset_jumps(offset: Field, strip: Mask, trusted: Mask) -> bool:
    """Whether the offset differs on the strip's rim by about its thickness; all on a window (h, w) around it."""
    inside = strip.astype(np.uint8)
    rim = (cv2.dilate(inside, np.ones((RIM, RIM), np.uint8)) > 0) & ~strip & trusted
    if rim.sum() < MIN_RIM_PIXELS:
        return False
    low, high = np.percentile(offset[rim], [5, 95], axis=0)
    padded = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    thickness = 2 * cv2.distanceTransform(padded, cv2.DIST_L2, 3).max()
    return bool(np.hypot(*(high - low)) > MIN_JUMP * thickness)
