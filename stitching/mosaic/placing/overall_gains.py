"""One gain a channel for each picture, solved for all of them together, so that no chain of pictures grows darker."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.picture_view import PictureView
from stitching.blending.gain import MAX_GAIN, MAX_LEVEL, MIN_LEVEL, is_grey
from stitching.geometry.pixel_maps import evaluate_on_grid
from stitching.io.picture import to_grey
from stitching.io.picture_source import PictureSource
from stitching.mosaic.placing.drawing import draw_source

SIDE = 96  # px along the longer side of a picture's footprint, at which overlaps are compared: coarse places will do
MIN_PIXELS = 30  # of an overlap that are well exposed in both; with fewer it says nothing
PRIOR = 0.02  # weight of gain 1 for each picture, against an overlap as large as a picture


def overall_gains(
    sources: Mapping[int, PictureSource], views: Mapping[int, PictureView], reference: int, compensator: str
) -> dict[int, NDArray[np.float32]]:
    """Gains (3,) of BGR values, after Brown & Lowe 2007 (section 6), with ratios instead of differences.

    Their logarithms are solved by least squares, so that the medians of overlapping pictures agree.

    Args:
        sources: of the pictures in the panorama.
        views: of the pictures.
        reference: number of the picture that keeps its brightness.
        compensator: "none": all gains are 1.
    """
    numbers = sorted(sources)
    row = {picture: index for index, picture in enumerate(numbers)}
    if compensator == "none":
        return {picture: np.ones(3, np.float32) for picture in numbers}
    normal = np.diag(np.full(len(numbers), PRIOR))
    wanted = np.zeros((len(numbers), 3))
    for one, other in _overlapping(views):
        compared = _compare(sources, views, one, other)
        if compared is None:
            continue
        share, ratio = compared
        first, second = row[one], row[other]
        normal[[first, second], [first, second]] += share
        normal[[first, second], [second, first]] -= share
        wanted[first] -= share * ratio
        wanted[second] += share * ratio
    fixed = row[reference]
    normal[fixed, :], wanted[fixed] = 0, 0
    normal[fixed, fixed] = 1
    logs = np.clip(np.linalg.solve(normal, wanted), -np.log(MAX_GAIN), np.log(MAX_GAIN))
    return {picture: np.exp(logs[row[picture]]).astype(np.float32) for picture in numbers}


def _overlapping(views: Mapping[int, PictureView]) -> Iterator[tuple[int, int]]:
    """Pairs of pictures whose windows overlap on the canvas, also across the cut of one that wraps."""
    windows = {picture: view.window() for picture, view in views.items()}
    for one, other in combinations(sorted(views), 2):
        canvas = views[one].canvas
        turns = (-canvas.size[0], 0, canvas.size[0]) if canvas.wraps else (0,)
        if any(not windows[one].intersect(windows[other].translated(turn, 0)).is_empty for turn in turns):
            yield one, other


def _compare(
    sources: Mapping[int, PictureSource], views: Mapping[int, PictureView], first: int, second: int
) -> tuple[float, NDArray[np.float64]] | None:
    """The share of the first picture that both show well exposed, and (3,) the logarithm of first / second there."""
    view = views[first]
    area = view.window()
    scale = SIDE / max(area.size)
    size = max(2, round(area.size[0] * scale)), max(2, round(area.size[1] * scale))
    offset = round(area.left * scale), round(area.top * scale)
    pixels, usable = [], []
    for picture in (first, second):
        map_xy = evaluate_on_grid(views[picture], size, scale, offset)
        drawn, valid = draw_source(sources[picture], map_xy, scale)
        low, high = np.full(3, MIN_LEVEL + 1.0), np.full(3, MAX_LEVEL - 1.0)
        pixels.append(drawn)
        usable.append(valid & (cv2.inRange(drawn, low, high) > 0))
    both = usable[0] & usable[1]
    if both.sum() < MIN_PIXELS:
        return None
    one, other = (drawn[both] for drawn in pixels)  # (n, 3) each
    if is_grey(one) != is_grey(other):  # no gain may take the colour out
        one, other = (to_grey(picture[None])[0, :, None] for picture in (one, other))  # (n, 1) each
    ratio = np.median(np.log(one.astype(np.float64) / other), axis=0) * np.ones(3)
    return float(both.sum()) / max(float(usable[0].sum()), 1.0), ratio
