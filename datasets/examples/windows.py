"""Pairs as the networks get them: both pictures on a window of the reference's plane, the target coarsely aligned.

Points are px; (0, 0) is the centre of the first pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Doubles, Floats, Pixels
from datasets.sample import Visibility
from stitching.alignment.coarse_alignment import align
from stitching.errors import InputError
from stitching.geometry.homographies import project, scaling_homography
from stitching.geometry.pixel_maps import Size
from stitching.io.picture import to_grey
from stitching.warping.warp import CanvasPair

MARGIN = 0.04  # of the window's width and height, kept free around the target
MIN_SCALE = 0.4  # window px per reference px; a target that is too large for it is cropped
MAX_RESIDUAL = 2.0  # window widths; pixels whose true residual is longer count as unknown
_POINTS_PER_SIDE = 16  # of an outline

MatchedPoints = tuple[Floats, Floats]  # (n, 2) reference px, (n, 2) target px


@dataclass(frozen=True, eq=False)
class Window:
    """Where a window lies on the reference's plane, and the target on it."""

    size: Size
    reference_to_window: Doubles  # (3, 3) px -> window px: a scale and a translation
    target_to_window: Doubles  # (3, 3) the coarse alignment, then `reference_to_window`


@dataclass(frozen=True, eq=False)
class WindowTruth:
    """The ground truth on a window."""

    residual: Floats  # (h, w, 2) px: pixel q of the coarsely aligned target belongs at q + residual
    codes: Pixels  # (h, w) Visibility of the target's pixels; BEHIND wherever the residual is unknown
    stitched: Pixels  # (h, w, 3) BGR, the true stitch, black outside its canvas
    stitched_valid: Pixels  # (h, w) bit 1: in the reference, 2: seen by the target, 4: inside the canvas of `stitched`
    fundamental: Doubles  # (3, 3): x_reference^T F x_target = 0 in window px, of unit norm
    segments: Floats  # (k, 2, 2) ends (x, y) of straight edges on the coarsely aligned target


def coarse_alignment(reference: Pixels, target: Pixels) -> tuple[Doubles, MatchedPoints]:
    """The homography target px -> reference px, and the matches; where none is found, the identity and no matches."""
    try:
        alignment = align(to_grey(target), to_grey(reference))
    except InputError:
        return np.eye(3), (np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    matches = alignment.matches
    return alignment.homography, (matches.reference.astype(np.float32), matches.target.astype(np.float32))


def choose_window(homography: Doubles, target_size: Size, size: Size) -> Window:
    """A window of `size` around the coarsely aligned target, at the reference's scale, or smaller if needed.

    Args:
        homography: (3, 3) target px -> reference px, without a horizon inside the target.
        target_size: (width, height) of the target.
        size: (width, height) of the window.
    """
    low, high = _extent(homography, target_size)
    room = np.array(size) * (1 - 2 * MARGIN)
    scale = float(np.clip((room / (high - low)).min(), MIN_SCALE, 1))
    centre = (low + high) / 2
    x, y = (np.array(size) - 1) / 2 - scale * centre
    plane = np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])
    return Window(size, plane, plane @ homography)


def plane_window(homography: Doubles, target_size: Size, reference_size: Size) -> Window:
    """A window with the reference's pixel grid that holds the coarsely aligned target.

    It is cropped where it exceeds the reference by more than the reference's width or height.
    """
    low, high = _extent(homography, target_size)
    frame = np.array(reference_size)
    low = np.clip(np.floor(low) - 8, -frame, 2 * frame - 64).astype(int)
    high = np.clip(np.ceil(high) + 8, low + 64, 2 * frame).astype(int)
    plane = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], np.float64)
    w, h = -(-(high - low) // 8) * 8
    return Window((int(w), int(h)), plane, plane @ homography)


def draw_pair(reference: Pixels, target: Pixels, window: Window, matches: MatchedPoints) -> CanvasPair:
    """Draw both pictures (h, w, 3) BGR on the window, and move the matches there."""
    to_window = window.reference_to_window, window.target_to_window
    reference_pixels, reference_valid = _draw(reference, to_window[0], window)
    target_pixels, target_valid = _draw(target, to_window[1], window)
    points = [project(h, m.astype(np.float64)) for h, m in zip(to_window, matches, strict=True)]
    known = np.isfinite(points[0]).all(1) & np.isfinite(points[1]).all(1)
    return CanvasPair(
        reference_pixels, target_pixels, reference_valid, target_valid, points[0][known], points[1][known]
    )


@dataclass(frozen=True, eq=False)
class PairTruth:
    """The ground truth of a pair in px of its pictures; fields as in datasets.sample.Sample."""

    warp: Floats  # (h, w, 2) of the target, on the reference's plane
    mask: Pixels  # (h, w) Visibility
    stitched: Pixels  # (hc, wc, 3) BGR
    stitched_mask: Pixels  # (hc, wc)
    origin: tuple[int, int]
    fundamental: Doubles  # (3, 3)
    segments: Floats  # (m, 2, 2, 2)


def truth_on_window(truth: PairTruth, window: Window, target_valid: NDArray[np.bool_]) -> WindowTruth:
    """The truth of a pair on a window. The residual is that of the nearest target pixel: exact there.

    target_valid: (h, w) where the window shows the target.
    """
    h, w = truth.mask.shape
    to_target = np.linalg.inv(window.target_to_window)
    columns, rows = np.meshgrid(np.arange(window.size[0]), np.arange(window.size[1]))
    target_points = project(to_target, np.stack([columns, rows], axis=-1).astype(np.float64))
    nearest = np.clip(np.rint(np.nan_to_num(target_points)), 0, (w - 1, h - 1)).astype(np.int64)  # (rows, columns, 2)
    x, y = nearest[..., 0], nearest[..., 1]
    residual = project(window.reference_to_window, truth.warp[y, x].astype(np.float64))
    residual -= project(window.target_to_window, nearest.astype(np.float64))
    known = target_valid & (truth.mask[y, x] != Visibility.BEHIND)
    known &= (np.abs(residual) < MAX_RESIDUAL * window.size[0]).all(-1)  # NaN compares as False
    x0, y0 = truth.origin
    to_reference = np.array([[1, 0, x0], [0, 1, y0], [0, 0, 1]], np.float64)  # canvas px -> reference px
    canvas = window.reference_to_window @ to_reference  # canvas px -> window px
    stitched, inside = _draw(truth.stitched, canvas, window)
    valid = cv2.warpPerspective(truth.stitched_mask, canvas, window.size, flags=cv2.INTER_NEAREST)
    fundamental = np.linalg.inv(window.reference_to_window).T @ truth.fundamental @ to_target
    ends = project(window.target_to_window, truth.segments[:, 0].astype(np.float64))  # (m, 2, 2)
    return WindowTruth(
        residual=np.where(known[..., None], residual, 0).astype(np.float32),
        codes=np.where(known, truth.mask[y, x], Visibility.BEHIND).astype(np.uint8),
        stitched=stitched,
        stitched_valid=np.where(inside, np.asarray(valid, np.uint8) | 4, 0).astype(np.uint8),
        fundamental=fundamental / np.linalg.norm(fundamental),
        segments=ends[np.isfinite(ends).all((1, 2))].astype(np.float32),
    )


def jittered(homography: Doubles, size: Size, amount: float, rng: np.random.Generator) -> Doubles:
    """The homography with the corners of a picture of `size` moved at random by up to `amount` of its sides."""
    w, h = size
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    moved = project(homography, corners.astype(np.float64)) + rng.uniform(-amount, amount, (4, 2)) * (w, h)
    return np.asarray(cv2.getPerspectiveTransform(corners, moved.astype(np.float32)), np.float64)


def _draw(picture: Pixels, homography: Doubles, window: Window) -> tuple[Pixels, NDArray[np.bool_]]:
    """A picture on the window, and where it has pixels; shrunk first, so that it does not alias."""
    scale = window.reference_to_window[0, 0]
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = picture if scale >= 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    x, y = picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0]
    enlarge = scaling_homography(x, y)
    pixels = cv2.warpPerspective(small, homography @ enlarge, window.size, borderMode=cv2.BORDER_REPLICATE)
    opaque = np.full(small.shape[:2], 255, np.uint8)
    valid = cv2.warpPerspective(opaque, homography @ enlarge, window.size, flags=cv2.INTER_NEAREST) > 0
    return np.where(valid[..., None], pixels, 0).astype(np.uint8), valid


def _extent(homography: Doubles, size: Size) -> tuple[Doubles, Doubles]:
    """(min x, min y), (max x, max y) of the outline of a picture under a homography."""
    w, h = size
    x, y = (np.linspace(-0.5, side - 0.5, _POINTS_PER_SIDE) for side in (w, h))
    sides = (x, -0.5), (x, h - 0.5), (-0.5, y), (w - 0.5, y)
    outline = project(homography, np.concatenate([np.stack(np.broadcast_arrays(*side), axis=-1) for side in sides]))
    return np.nanmin(outline, axis=0), np.nanmax(outline, axis=0)
