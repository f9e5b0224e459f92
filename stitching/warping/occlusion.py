"""What the reference shows and the target cannot: strips beside near things, told apart from failed matching."""

import cv2
import numpy as np

from stitching.geometry.pixel_maps import Field, Mask, pixel_grid

SAMPLE = 16  # px between the places that the base homography is fitted to
SPECK = 7  # px: narrower strips are not looked at
RIM = 9  # px around a strip in which the warp is compared
LEAST_JUMP = 0.5  # of a strip's thickness by which the warp must differ between its sides
FEWEST_RIM_PIXELS = 20


def nearest_homography(map_xy: Field, trusted: Mask) -> Field:
    """The homography nearest to a backward map where that is trusted, as a map (h, w, 2) of its own."""
    h, w = trusted.shape
    grid = pixel_grid(h, w)
    sampled = trusted[::SAMPLE, ::SAMPLE]
    points, targets = grid[::SAMPLE, ::SAMPLE][sampled], map_xy[::SAMPLE, ::SAMPLE][sampled]  # (n, 2) each
    homography = None
    if len(points) >= 4:
        homography, _ = cv2.findHomography(points, targets, 0)
    if homography is None:
        return grid
    moved = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), homography)
    return np.asarray(moved, np.float32).reshape(h, w, 2)  # (h*w, 1, 2) -> (h, w, 2)


def hidden_from_target(map_xy: Field, covered: Mask, trusted: Mask, scale: float) -> Mask:
    """Where the canvas shows what is hidden from the target.

    A near thing hides a strip as wide as the jump of the warp across it. Untrusted places whose rim moves
    alike on all sides hide nothing: a clear sky, a person who walked on.

    Args:
        places: (h, w, 2) canvas -> target px.
        covered, trusted: (h, w), see `stitching.warping.placement.Placement`.
        scale: working px per canvas px.
    """
    offset = (map_xy - nearest_homography(map_xy, trusted)) * np.float32(scale)
    kernel = np.ones((SPECK, SPECK), np.uint8)
    doubtful = cv2.morphologyEx((covered & ~trusted).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(doubtful)
    hidden = np.zeros(trusted.shape, bool)
    for label in range(1, count):
        left, top, width, height = boxes[label, :4]
        window = slice(max(top - RIM, 0), top + height + RIM), slice(max(left - RIM, 0), left + width + RIM)
        strip = labels[window] == label
        if _jumps(offset[window], strip, trusted[window]):
            hidden[window] |= strip
    return hidden


def _jumps(offset: Field, strip: Mask, trusted: Mask) -> bool:
    inside = strip.astype(np.uint8)
    rim = (cv2.dilate(inside, np.ones((RIM, RIM), np.uint8)) > 0) & ~strip & trusted
    if rim.sum() < FEWEST_RIM_PIXELS:
        return False
    low, high = np.percentile(offset[rim], [5, 95], axis=0)
    padded = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    thickness = 2 * cv2.distanceTransform(padded, cv2.DIST_L2, 3).max()
    return bool(np.hypot(*(high - low)) > LEAST_JUMP * thickness)
