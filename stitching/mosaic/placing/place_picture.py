"""Places pictures on the working canvas: each is warped onto those placed before it, as a target onto a reference."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.picture_view import PictureView
from stitching.blending.registry import find_generator
from stitching.errors import InputError
from stitching.geometry.homographies import nearest_homography, project
from stitching.geometry.pixel_maps import Field, Points, evaluate_on_grid, inside
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture_source import PictureSource
from stitching.mosaic.placed_picture import PlacedPicture
from stitching.mosaic.placing.drawing import draw_source
from stitching.mosaic.placing.working_mosaic import WorkingMosaic
from stitching.options import Options
from stitching.selection import UsedWarp, consistent_share
from stitching.verification.evidence import Evidence, ToView, gather_evidence
from stitching.verification.verdict import MIN_SHARE, MIN_SHARE_OF_HOMOGRAPHY
from stitching.warping.canvas_pictures import align_drawn
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.placement import Placement, place_target
from stitching.warping.relax import relax_map
from stitching.warping.warp import CanvasPair

MARGIN = 0.06  # of a picture's diagonal, around its coarse place: the warp moves near things out of it
FIT_STEP = 16  # px between the points to which the nearest homography is fitted
MIN_POINTS = 16


@dataclass(frozen=True, eq=False)
class Arrival:
    """A picture that is to be placed.

    Attributes:
        picture: its number.
        source: its pixels.
        view: its coarse place.
        gain: (3,) its overall gain.
        joined_to: numbers of the pictures before it that the match graph joins it to.
    """

    picture: int
    source: PictureSource
    view: PictureView
    gain: NDArray[np.float32]
    joined_to: tuple[int, ...] = ()


def window_of(view: PictureView, mosaic: WorkingMosaic) -> Rectangle:
    """The window of the working canvas that shows a picture, with a margin."""
    return mosaic.window(view.window(round(MARGIN * float(np.hypot(*view.size)))))


def place_first(mosaic: WorkingMosaic, arrival: Arrival) -> PlacedPicture:
    """Place the reference where the joint adjustment has it, and draw it."""
    window = window_of(arrival.view, mosaic)
    coarse_map = _coarse_map(arrival.view, window, mosaic.scale)
    placement = coarse_placement(coarse_map, arrival.view, mosaic.scale)
    pixels, valid = draw_source(arrival.source, coarse_map, mosaic.scale)
    weight = np.zeros(valid.shape, np.float32)
    mosaic.draw(arrival.picture, window, pixels, valid, weight)
    gain = np.ones((*valid.shape, 3), np.float32)
    return PlacedPicture(arrival.picture, window, placement, coarse_map, weight, gain, None, None, ())


def place_next(
    mosaic: WorkingMosaic, arrival: Arrival, points: tuple[Points, Points], warp_name: str, options: Options
) -> PlacedPicture:
    """Warp a picture onto the mosaic, cut the seam, match its brightness, and draw it.

    Args:
        mosaic: the pictures placed so far.
        arrival: the picture.
        points: matched points of the mosaic and of the coarsely placed picture, see `joining_points`.
        warp_name: of the estimator.
        options: of the stitch.

    Raises:
        InputError: after the warp the picture does not fit those before it.
    """
    window = window_of(arrival.view, mosaic)
    coarse_map = _coarse_map(arrival.view, window, mosaic.scale)
    before, before_valid = mosaic.cut_out(window)
    pixels, valid = draw_source(arrival.source, coarse_map, mosaic.scale)
    pair = CanvasPair(before, pixels, before_valid, valid, *points)
    placement, used = _estimate(warp_name, pair, coarse_map, arrival, mosaic.scale, options)
    return _blend_in(mosaic, arrival, window, coarse_map, placement, used, options)


def place_known(
    mosaic: WorkingMosaic, arrival: Arrival, window: Rectangle, placement: Placement, options: Options
) -> PlacedPicture:
    """Place a picture by a warp from an earlier stitch, cut the seam, match its brightness, and draw it.

    Raises:
        InputError: it does not fit those before it.
    """
    coarse_map = _coarse_map(arrival.view, window, mosaic.scale)
    return _blend_in(mosaic, arrival, window, coarse_map, placement, UsedWarp("loaded"), options)


def coarse_placement(coarse_map: Field, view: PictureView, scale: float) -> Placement:
    """The placement of a picture that no dense warp has moved."""
    covered = inside(coarse_map, view.size)
    return Placement(coarse_map, covered, covered, np.zeros_like(coarse_map), scale)


def _coarse_map(view: PictureView, window: Rectangle, scale: float) -> Field:
    return evaluate_on_grid(view, window.size, scale, window.origin)


def _estimate(
    name: str, pair: CanvasPair, coarse_map: Field, arrival: Arrival, scale: float, options: Options
) -> tuple[Placement, UsedWarp]:
    """Where the warp `name` puts a picture; where next to nothing of it is consistent, its coarse place."""
    if name == "homography":
        return coarse_placement(coarse_map, arrival.view, scale), UsedWarp(name)
    warp = find_estimator(name, options.device)(pair)
    placement = place_target(warp, pair, coarse_map, arrival.source.size, scale)
    used = UsedWarp(name, consistent_share(placement, pair.reference_valid), warp.device)
    if used.is_unusable and options.warp == "auto":
        return coarse_placement(coarse_map, arrival.view, scale), replace(used, name="homography")
    return placement, used


def _blend_in(
    mosaic: WorkingMosaic,
    arrival: Arrival,
    window: Rectangle,
    coarse_map: Field,
    placement: Placement,
    used: UsedWarp,
    options: Options,
) -> PlacedPicture:
    """What follows once a picture's placement is known: verdict, seam, gain, the map that is shown."""
    before, before_valid = mosaic.cut_out(window)
    drawn, in_picture = draw_source(arrival.source, placement.map_xy, mosaic.scale)
    pair = align_drawn(before, before_valid, drawn, in_picture, placement)
    evidence = gather_evidence(_view_of_window(arrival.view, window, mosaic.scale), placement, pair)
    _check(evidence, used)
    blend = find_generator(options.blend_to_use, options.device)(pair, options.compensator, arrival.gain)
    if used.name == "homography":
        shown_map = coarse_map
    else:
        shown_map = relax_map(placement, pair, blend.weight, _nearest_coarse(placement, coarse_map))
    shown, shown_valid = draw_source(arrival.source, shown_map, mosaic.scale)
    mosaic.draw(arrival.picture, window, _with_gain(shown, blend.gain), shown_valid, blend.weight)
    kept = replace(placement, residual=np.broadcast_to(np.float32(np.nan), coarse_map.shape))  # takes no memory
    return PlacedPicture(
        arrival.picture, window, kept, shown_map, blend.weight, blend.gain, used, evidence, arrival.joined_to
    )


def _with_gain(pixels: NDArray[np.uint8], gain: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(pixels * gain + 0.5, 0, 255), np.uint8)


def _view_of_window(view: PictureView, window: Rectangle, scale: float) -> ToView:
    """Canvas px of a window -> px of the picture by its coarse place: a camera in which lines stay straight."""
    origin = np.asarray(window.origin, np.float64) / scale

    def to_view(points: Points) -> Points:
        return view(points + origin)

    return to_view


def _check(evidence: Evidence, used: UsedWarp) -> None:
    least = MIN_SHARE_OF_HOMOGRAPHY if used.name == "homography" else MIN_SHARE
    if used.name != "loaded" and evidence.tells_enough and evidence.verified < least:
        raise InputError(
            f"after the warp only {evidence.verified:.1%} of what it shares with the others is alike, expected"
            f" {least:.0%} or more"
        )


def _nearest_coarse(placement: Placement, coarse_map: Field) -> Field:
    """The coarse map, moved by the homography that brings it nearest to a placement: what holds far from the seam."""
    sampled = placement.covered[::FIT_STEP, ::FIT_STEP]
    start = coarse_map[::FIT_STEP, ::FIT_STEP][sampled].astype(np.float64)  # (n, 2)
    end = placement.map_xy[::FIT_STEP, ::FIT_STEP][sampled].astype(np.float64)
    homography = nearest_homography(start, end) if len(start) >= MIN_POINTS else None
    if homography is None:
        return coarse_map
    moved = np.nan_to_num(project(homography, coarse_map.astype(np.float64)), nan=-1e5)
    return moved.astype(np.float32)
