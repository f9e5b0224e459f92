"""How well a matching network finds true places: how far off its matches are, on raw and on aligned pairs."""

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
MAX_ERROR = 12.0  # px; the centre of a right cell is at most so far from the true place
_MAX_RESIDUAL = 3.0  # px, of places that follow the homography of the aligned pair


@dataclass(frozen=True, eq=False)
class MatchingWindow:
    """A pair as a matching network takes it, and the places that it should find.

    Attributes:
        pictures: reference and target, each (h, w, 3) uint8 BGR, black where it has no pixels.
        valid: (h, w) of each, where it has pixels.
        places: px of the window; the target's lie in the window.
        scale: px of a window of the size `WINDOW` per px of this one.
    """

    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    places: TruePlaces
    scale: float


@dataclass(frozen=True, eq=False)
class MatchingErrors:
    """How far off the matches of n places are, px of a window of the size `WINDOW`.

    A place asks the cell of the target that contains it. Where the network averages over the cells around the best
    one, their mean counts in the place of its centre.

    Attributes:
        cell: (n,) from the centre of the best cell to the true place.
        place: (n,) from the place, moved as far as its cell, to the true place.
    """

    cell: NDArray[np.float64]
    place: NDArray[np.float64]

    @property
    def share_right(self) -> float:
        """The share of the places whose best cell is right: at most `MAX_ERROR` px off; NaN of none."""
        return share_within(self.cell, MAX_ERROR)


def share_within(errors: NDArray[np.float64], limit: float) -> float:
    """The share of errors that are at most `limit`; NaN of none."""
    return float((errors <= limit).mean()) if len(errors) else float("nan")


def raw_window(reference: Picture, target: Picture, places: TruePlaces, size: Size = WINDOW) -> MatchingWindow:
    """Both pictures as they are, shrunk to fit into a window of `size`, in its upper left corner."""
    return _window((reference, target), (_shrinking(reference, size), _shrinking(target, size)), places, size)


def aligned_window(
    reference: Picture, target: Picture, places: TruePlaces, size: Size = WINDOW
) -> MatchingWindow | None:
    """The reference as in `raw_window`, the target moved there by the homography of the true places.

    The homography is the one that most places follow to 3 px of a window of size `WINDOW`; None where there is none.
    """
    homography = places.main_homography(_MAX_RESIDUAL / _shrinking(reference, WINDOW)[0, 0])
    if homography is None:
        return None
    shrinking = _shrinking(reference, size)
    return _window((reference, target), (shrinking, shrinking @ homography), places, size)


WINDOWS: dict[str, Callable[[Picture, Picture, TruePlaces, Size], MatchingWindow | None]] = {
    "raw": raw_window,
    "aligned": aligned_window,
}


def matching_errors(runtime: Runtime, window: MatchingWindow) -> MatchingErrors:
    """Match a window. `runtime` computes `stitching.network.interface.MATCHING`."""
    names = "reference", "target"
    inputs = {name: planes(picture / np.float32(255)) for name, picture in zip(names, window.pictures, strict=True)}
    inputs |= {f"{name}_valid": planes(valid) for name, valid in zip(names, window.valid, strict=True)}
    matches = runtime(inputs)["forward_matches"][0].transpose(1, 2, 0)  # (1, 2, rows, columns) -> (rows, columns, 2)
    side = inputs["target"].shape[2] / matches.shape[0]  # px of a cell
    cells = np.floor((window.places.target + 0.5) / side).astype(np.intp)
    moved = matches[cells[:, 1], cells[:, 0]]
    found = (cells + 0.5) * side - 0.5 + moved, window.places.target + moved
    cell, place = (np.linalg.norm(points - window.places.reference, axis=1) * window.scale for points in found)
    return MatchingErrors(cell, place)


def _shrinking(picture: Picture, size: Size) -> Matrix:
    """(3, 3) picture px -> px of a window of `size`; pictures are not enlarged."""
    return scaling_homography(min(1.0, size[0] / picture.size[0], size[1] / picture.size[1]))


def _window(
    pictures: tuple[Picture, Picture], to_window: tuple[Matrix, Matrix], places: TruePlaces, size: Size
) -> MatchingWindow:
    points = [project(h, p) for h, p in zip(to_window, (places.reference, places.target), strict=True)]
    shown = inside(points[1], size)
    scales = [_scale(h, p) for h, p in zip(to_window, (places.reference, places.target), strict=True)]
    drawn = [_drawn(*of_one, size) for of_one in zip(pictures, to_window, scales, strict=True)]
    (reference, reference_valid), (target, target_valid) = drawn
    kept = TruePlaces(points[0][shown], points[1][shown])
    scale = float(_shrinking(pictures[0], WINDOW)[0, 0] / to_window[0][0, 0])
    return MatchingWindow((reference, target), (reference_valid, target_valid), kept, scale)


def _drawn(
    picture: Picture, to_window: Matrix, scale: float, size: Size
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    grid = pixel_grid(size[1], size[0]).astype(np.float64)
    map_xy = np.nan_to_num(project(np.linalg.inv(to_window), grid), nan=OUTSIDE_ALL)
    return draw(picture, map_xy.astype(np.float32), scale)


def _scale(homography: Matrix, points: Points) -> float:
    """Px of the window per px of the picture, around the middle of some of its points."""
    middle = points.mean(axis=0)
    ends = project(homography, middle + np.array([[0.0, 0], [1, 0], [0, 1]]))
    area = abs(np.linalg.det(ends[1:] - ends[0]))
    return float(np.sqrt(area)) if np.isfinite(area) else 1.0
