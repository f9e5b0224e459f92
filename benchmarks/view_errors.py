"""How far the pictures of a panorama lie from where they should, by the truth of a generated set."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from datasets.arrays import Doubles
from datasets.view_sets.view_set import ViewSet
from stitching.adjustment.arrangement import Arrangement
from stitching.adjustment.picture_view import PictureView
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import OUTSIDE_ALL, Field, inside, pixel_grid, rescale
from stitching.mosaic.panorama import Panorama
from stitching.mosaic.placed_picture import PlacedPicture

Maps = dict[int, Field]  # view -> (h, w, 2) of the whole working canvas -> px of that picture; NaN where it is not
Labels = NDArray[np.int16]  # (h, w) view that the working canvas shows; -1 = none

SMOOTH = 1.0  # px by which places between pixels may differ from the nearest pixel's step: else the depth jumps there
SAMPLES = 2000  # points to which a rotation and a focal length are fitted


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a panorama puts the pictures of a set; pictures have the numbers of the set.

    Attributes:
        arrangement: of the joint adjustment; its numbers are those of the panorama.
        reference: the view that the panorama keeps.
        canvas: the full canvas.
        scale: working px per canvas px.
        coarse: by the joint adjustment alone.
        dense: by the dense warps.
        shown: as the panorama shows the pictures.
        labels: which view is shown.
    """

    arrangement: Arrangement
    reference: int
    canvas: Canvas
    scale: float
    coarse: Maps
    dense: Maps
    shown: Maps
    labels: Labels


def placement_of(panorama: Panorama) -> Placement:
    """The placement of the pictures of a set that were given in their order."""
    view = {number: source.position for number, source in enumerate(panorama.sources)}
    sizes = {number: source.size for number, source in enumerate(panorama.sources)}

    def coarse(placed: PlacedPicture) -> Field:
        (w, h), size = placed.window.size, sizes[placed.picture]
        grid = pixel_grid(h, w).astype(np.float64) + np.array(placed.window.origin)
        picture_view = PictureView(panorama.canvas, panorama.arrangement.to_picture[placed.picture], size)
        return np.nan_to_num(picture_view(rescale(grid, 1 / panorama.scale)), nan=OUTSIDE_ALL).astype(np.float32)

    def maps(field: Callable[[PlacedPicture], Field]) -> Maps:
        return {
            view[placed.picture]: _on_canvas(field(placed), placed, panorama, sizes[placed.picture])
            for placed in panorama.placed
        }

    numbers = np.array([view[k] for k in range(len(view))] + [-1], np.int16)
    return Placement(
        arrangement=panorama.arrangement,
        reference=view[panorama.arrangement.reference],
        canvas=panorama.canvas,
        scale=panorama.scale,
        coarse=maps(coarse),
        dense=maps(lambda placed: placed.placement.map_xy),
        shown=maps(lambda placed: placed.shown_map),
        labels=numbers[panorama.labels],
    )


def _on_canvas(field: Field, placed: PlacedPicture, panorama: Panorama, size: tuple[int, int]) -> Field:
    """A map on a picture's window, put onto the whole working canvas."""
    h, w = panorama.labels.shape
    whole = np.full((h, w, 2), np.nan, np.float32)
    columns = np.arange(placed.window.left, placed.window.right) % w
    rows = slice(placed.window.top, placed.window.bottom)
    whole[rows, columns] = np.where(inside(field, size)[..., None], field, np.nan)
    return whole


def misregistration(
    truth: ViewSet, maps: Maps, view: int, other: int, where: NDArray[np.bool_] | None = None
) -> Doubles:
    """(n,) px of picture `other`: distance between the places of two pictures that one canvas pixel shows.

    Of the canvas pixels (h, w) `where`, those on which both pictures lie, and whose point both see.
    """
    both = np.isfinite(maps[view][..., 0]) & np.isfinite(maps[other][..., 0])
    rows, columns = np.nonzero(both if where is None else both & where)
    at, there = maps[view][rows, columns], maps[other][rows, columns]
    places, known = _places(truth, view, other, at)
    known &= _sampled(truth.sees(other, view).astype(np.float64), at) > 0.99
    found = places[known, :2] / places[known, 2:]
    return np.asarray(np.linalg.norm(found - there[known], axis=-1))


def seam(labels: Labels, view: int, other: int) -> NDArray[np.bool_]:
    """(h, w): pixels of one of two views that touch the other one's."""
    around = np.ones((3, 3), np.uint8)
    first, second = (cv2.dilate((labels == one).astype(np.uint8), around) > 0 for one in (view, other))
    return np.asarray(first & second & ((labels == view) | (labels == other)))


def place_errors(truth: ViewSet, placement: Placement, maps: Maps, fit_all: bool) -> dict[int, Doubles]:
    """View -> (n,) canvas px: distance of its pixels from where the reference's camera sees their points.

    A panorama's frame may be turned against the reference's camera, and its focal length is estimated. The rotation is
    fitted: to the reference's own pixels, so that errors grow with the distance from it where the panorama bends; with
    `fit_all` to all pictures, and a factor of lengths with it. Where homographies
    join the pictures that is a similarity, and the frame is the reference's camera; points that it cannot show are not
    counted.
    """
    points, directions = {}, {}
    for view, field in maps.items():
        rows, columns = np.nonzero(np.isfinite(field[..., 0]))
        places, known = _places(truth, view, placement.reference, field[rows, columns])
        points[view] = rescale(np.stack([columns, rows], axis=-1)[known].astype(np.float64), 1 / placement.scale)
        directions[view] = places[known] @ np.linalg.inv(truth.intrinsics[placement.reference]).T
    fitted = sorted(points) if fit_all else [placement.reference]
    expected = _fit(
        placement,
        truth.intrinsics[placement.reference],
        np.concatenate([_thinned(points[view], len(fitted)) for view in fitted]),
        np.concatenate([_thinned(directions[view], len(fitted)) for view in fitted]),
        fit_all,
    )
    errors = {view: _distance(expected(directions[view]), points[view], placement.canvas) for view in points}
    return {view: error[np.isfinite(error)] for view, error in errors.items()}


def _fit(
    placement: Placement, intrinsics: Doubles, points: Doubles, directions: Doubles, with_scale: bool
) -> Callable[[Doubles], Doubles]:
    """The function from directions (n, 3) in the reference's camera to canvas px (n, 2) that meets `points` best."""
    focal, canvas = placement.arrangement.focal, placement.canvas
    if focal is None:  # the frame is the reference's picture
        change = np.eye(2, 3)
        if with_scale:
            change = _similarity(canvas.from_frame(directions @ intrinsics.T), points)
        return lambda moved: canvas.from_frame(moved @ intrinsics.T) @ change[:, :2].T + change[:, 2]
    x, y = placement.arrangement.centre
    frame = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1.0]])
    centre = np.array([x, y]) - canvas.origin

    def place(parameters: Doubles, moved: Doubles) -> Doubles:
        turn = cv2.Rodrigues(parameters[:3])[0]
        found = canvas.from_frame(moved @ turn.T @ frame.T)
        return np.asarray((found - centre) * parameters[3] + centre if with_scale else found)

    def residuals(parameters: Doubles) -> Doubles:
        return np.nan_to_num(_difference(place(parameters, directions), points, canvas), nan=1e3).ravel()

    start = np.array([0.0, 0, 0, 1])
    best = least_squares(residuals, start, loss="soft_l1", x_scale=np.array([0.01, 0.01, 0.01, 0.01])).x
    return lambda moved: place(best, moved)


def _similarity(places: Doubles, points: Doubles) -> Doubles:
    """(2, 3) the similarity that takes places (n, 2), of which some may be NaN, to points (n, 2) best."""
    known = np.isfinite(places).all(axis=-1)
    found, _ = cv2.estimateAffinePartial2D(places[known], points[known], method=cv2.LMEDS)
    return np.asarray(found, np.float64)


def _places(truth: ViewSet, view: int, other: int, at: NDArray[np.float32]) -> tuple[Doubles, NDArray[np.bool_]]:
    """(n, 3) homogeneous px of `other` of points (n, 2) px of `view`, and where no depth jumps around them.

    Homogeneous places, as `ViewSet.places` scales them, are linear in px on every plane of the scene.
    """
    places = truth.places(view, other)
    bent = sum(cv2.Laplacian(places[..., k] / np.abs(places[..., 2]).mean(), cv2.CV_64F) ** 2 for k in range(2)) ** 0.5
    smooth = (cv2.dilate(bent, np.ones((3, 3), np.uint8)) < SMOOTH).astype(np.float64)
    return _sampled(places, at), _sampled(smooth, at) > 0.99


def _sampled(values: Doubles, at: NDArray[np.float32]) -> Doubles:
    """(n[, c]) values of a picture (h, w[, c]) at points (n, 2), linear between pixels: `cv2.remap` rounds points."""
    h, w = values.shape[:2]
    x, y = np.clip(at.T.astype(np.float64), 0, [[w - 1], [h - 1]])
    column, row = np.minimum(x.astype(int), w - 2), np.minimum(y.astype(int), h - 2)
    right, down = (share.reshape(-1, *[1] * (values.ndim - 2)) for share in (x - column, y - row))  # (n[, 1])
    above, below = (values[rows, column] * (1 - right) + values[rows, column + 1] * right for rows in (row, row + 1))
    return np.asarray(above * (1 - down) + below * down)


def _thinned(values: Doubles, parts: int) -> Doubles:
    """Evenly chosen rows, so that `parts` of them make about SAMPLES."""
    return values[:: max(1, len(values) * parts // SAMPLES)]


def _difference(found: Doubles, points: Doubles, canvas: Canvas) -> Doubles:
    """(n, 2) px, the shorter way around where the surface closes."""
    difference = found - points
    turn = canvas.surface.turn
    if turn is not None:
        difference[:, 0] -= turn * np.rint(difference[:, 0] / turn)
    return np.asarray(difference)


def _distance(found: Doubles, points: Doubles, canvas: Canvas) -> Doubles:
    return np.asarray(np.linalg.norm(_difference(found, points, canvas), axis=-1))
