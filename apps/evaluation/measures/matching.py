"""How well a matching network finds true places: the share of them whose best cell is right."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.evaluation.true_places import TruePlaces
from stitching.geometry.homographies import Matrix, project, scaling_homography
from stitching.geometry.pixel_maps import OUTSIDE_ALL, Points, Size, inside, pixel_grid
from stitching.io.picture import Picture
from stitching.network.interface import Runtime
from stitching.network.runtime.window import planes
from stitching.warping.canvas_pictures import draw

WINDOW: Size = (320, 256)  # px; the size of most training examples
MAX_ERROR = 12.0  # px of the window; the centre of a right cell is at most so far from the true place
_MAX_RESIDUAL = 3.0  # px of the window, of places that follow the homography of the aligned pair


@dataclass(frozen=True, eq=False)
class MatchingWindow:
    """A pair as a matching network takes it, and the places that it should find.

    Attributes:
        pictures: reference and target, each (h, w, 3) uint8 BGR, black where it has no pixels.
        valid: (h, w) of each, where it has pixels.
        places: px of the window; the target's lie in the window.
    """

    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    places: TruePlaces


def raw_window(reference: Picture, target: Picture, places: TruePlaces) -> MatchingWindow:
    """Both pictures as they are, shrunk to fit into `WINDOW`, in its upper left corner."""
    return _window((reference, target), (_shrinking(reference), _shrinking(target)), places)


def aligned_window(reference: Picture, target: Picture, places: TruePlaces) -> MatchingWindow | None:
    """The reference as in `raw_window`, the target moved there by the homography of the true places.

    The homography is the one that most places follow to 3 px of the window; None where there is none.
    """
    shrinking = _shrinking(reference)
    homography = places.main_homography(_MAX_RESIDUAL / shrinking[0, 0])
    if homography is None:
        return None
    return _window((reference, target), (shrinking, shrinking @ homography), places)


WINDOWS: dict[str, Callable[[Picture, Picture, TruePlaces], MatchingWindow | None]] = {
    "raw": raw_window,
    "aligned": aligned_window,
}


def share_right(runtime: Runtime, window: MatchingWindow) -> float:
    """The share of the places whose best cell has its centre at most `MAX_ERROR` px from the true place; NaN of none.

    A place asks the cell of the target that contains it. Where the network averages over the cells around the best
    one, their mean counts in the place of its centre.

    Args:
        runtime: computes `stitching.network.interface.MATCHING`.
    """
    if not len(window.places.target):
        return float("nan")
    names = "reference", "target"
    inputs = {name: planes(picture / np.float32(255)) for name, picture in zip(names, window.pictures, strict=True)}
    inputs |= {f"{name}_valid": planes(valid) for name, valid in zip(names, window.valid, strict=True)}
    matches = runtime(inputs)["forward_matches"][0].transpose(1, 2, 0)  # (1, 2, rows, columns) -> (rows, columns, 2)
    side = inputs["target"].shape[2] / matches.shape[0]  # px of a cell
    cells = np.floor((window.places.target + 0.5) / side).astype(np.intp)
    found = (cells + 0.5) * side - 0.5 + matches[cells[:, 1], cells[:, 0]]
    return float((np.linalg.norm(found - window.places.reference, axis=1) <= MAX_ERROR).mean())


def _shrinking(picture: Picture) -> Matrix:
    """(3, 3) picture px -> px of the window; pictures are not enlarged."""
    return scaling_homography(min(1.0, WINDOW[0] / picture.size[0], WINDOW[1] / picture.size[1]))


def _window(pictures: tuple[Picture, Picture], to_window: tuple[Matrix, Matrix], places: TruePlaces) -> MatchingWindow:
    points = [project(h, p) for h, p in zip(to_window, (places.reference, places.target), strict=True)]
    shown = inside(points[1], WINDOW)
    scales = [_scale(h, p) for h, p in zip(to_window, (places.reference, places.target), strict=True)]
    drawn = [_drawn(*of_one) for of_one in zip(pictures, to_window, scales, strict=True)]
    (reference, reference_valid), (target, target_valid) = drawn
    kept = TruePlaces(points[0][shown], points[1][shown])
    return MatchingWindow((reference, target), (reference_valid, target_valid), kept)


def _drawn(picture: Picture, to_window: Matrix, scale: float) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    grid = pixel_grid(WINDOW[1], WINDOW[0]).astype(np.float64)
    map_xy = np.nan_to_num(project(np.linalg.inv(to_window), grid), nan=OUTSIDE_ALL)
    return draw(picture, map_xy.astype(np.float32), scale)


def _scale(homography: Matrix, points: Points) -> float:
    """Px of the window per px of the picture, around the middle of some of its points."""
    middle = points.mean(axis=0)
    ends = project(homography, middle + np.array([[0.0, 0], [1, 0], [0, 1]]))
    area = abs(np.linalg.det(ends[1:] - ends[0]))
    return float(np.sqrt(area)) if np.isfinite(area) else 1.0
