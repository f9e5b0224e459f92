"""Places pictures on the working canvas: each is warped onto those placed before it, as a target onto a reference."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.picture_view import PictureView
from stitching.blending.registry import find_generator
from stitching.errors import InputError
from stitching.geometry.homographies import nearest_homography, project
from stitching.geometry.pixel_maps import Field, Mask, Points, evaluate_on_grid, inside
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture_source import PictureSource
from stitching.mosaic.placed_picture import PlacedPicture
from stitching.mosaic.placing.drawing import draw_source
from stitching.mosaic.placing.joining_points import on_window
from stitching.mosaic.placing.working_mosaic import WorkingMosaic
from stitching.options import Options
from stitching.selection import UsedWarp, consistent_share
from stitching.verification.evidence import Evidence, gather_evidence
from stitching.verification.verdict import MIN_AGREEMENT, MIN_SHARE, MIN_SHARE_OF_HOMOGRAPHY
from stitching.warping.canvas_pictures import align_drawn
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.placement import Placement, place_target
from stitching.warping.relax import relax_map
from stitching.warping.warp import AlignedPair, CanvasPair

MARGIN = 0.06  # of a picture's diagonal, around its coarse place: the warp moves near things out of it
LOOKS_ALIKE = 0.75  # verified share with which a flat original needs no dense warp
RIGID_TOLERANCE = 1e-3  # px of the picture
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
    placement = _coarse_placement(mosaic, arrival, window)
    pixels, valid = draw_source(arrival.source, placement.map_xy, mosaic.scale)
    weight = np.zeros(valid.shape, np.float32)
    mosaic.draw(arrival.picture, window, pixels, valid, weight)
    gain = np.ones((*valid.shape, 3), np.float32)
    return PlacedPicture(arrival.picture, window, placement, placement.map_xy, weight, gain, None, None, ())


def place_next(
    mosaic: WorkingMosaic,
    arrival: Arrival,
    points: tuple[Points, Points],
    warps: tuple[str, ...],
    options: Options,
) -> PlacedPicture:
    """Warp a picture onto the mosaic, cut the seam, match its brightness, and draw it.

    Args:
        mosaic: the pictures placed so far.
        arrival: the picture.
        points: where the mosaic and the picture have the same points, see `joining_points`.
        warps: names of estimators; the first after which the picture looks like the mosaic is taken, else the last.
        options: of the stitch.

    Raises:
        InputError: after the warp the picture does not fit those before it.
    """
    place = _Place.of(mosaic, arrival, window_of(arrival.view, mosaic))
    for name in warps[:-1]:
        fit = _fit(place, *_estimate(name, place, points, options))
        if fit.evidence.tells_enough and fit.evidence.verified >= LOOKS_ALIKE:
            break
    else:
        fit = _fit(place, *_estimate(warps[-1], place, points, options))
        if fit.used.is_unusable and options.warp == "auto":
            fit = _fit(place, place.coarse, replace(fit.used, name="homography"))
    return _blend_in(place, fit, options)


def place_known(
    mosaic: WorkingMosaic, arrival: Arrival, window: Rectangle, placement: Placement, options: Options
) -> PlacedPicture:
    """Place a picture by a warp from an earlier stitch, cut the seam, match its brightness, and draw it.

    Raises:
        InputError: it does not fit those before it.
    """
    place = _Place.of(mosaic, arrival, window)
    return _blend_in(place, _fit(place, placement, UsedWarp("loaded")), options)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a picture comes to lie: `before` and `before_valid` are the mosaic on its window."""

    mosaic: WorkingMosaic
    arrival: Arrival
    window: Rectangle
    coarse: Placement
    before: NDArray[np.uint8]
    before_valid: Mask

    @staticmethod
    def of(mosaic: WorkingMosaic, arrival: Arrival, window: Rectangle) -> "_Place":
        return _Place(mosaic, arrival, window, _coarse_placement(mosaic, arrival, window), *mosaic.cut_out(window))

    def to_view(self, points: Points) -> Points:
        """Canvas px of the window -> px of the picture by its coarse place: a camera in which lines stay straight."""
        return self.arrival.view(points + np.asarray(self.window.origin, np.float64) / self.mosaic.scale)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A picture after one warp, beside the mosaic."""

    placement: Placement
    used: UsedWarp
    pair: AlignedPair
    evidence: Evidence


def _coarse_placement(mosaic: WorkingMosaic, arrival: Arrival, window: Rectangle) -> Placement:
    """The placement of a picture that no dense warp has moved."""
    coarse_map = evaluate_on_grid(arrival.view, window.size, mosaic.scale, window.origin)
    covered = inside(coarse_map, arrival.view.size)
    return Placement(coarse_map, covered, covered, np.zeros_like(coarse_map), mosaic.scale)


def _estimate(name: str, place: _Place, points: tuple[Points, Points], options: Options) -> tuple[Placement, UsedWarp]:
    """Where the warp `name` puts a picture."""
    if name == "homography":
        return place.coarse, UsedWarp(name)
    source, coarse_map, scale = place.arrival.source, place.coarse.map_xy, place.mosaic.scale
    pixels, valid = draw_source(source, coarse_map, scale)
    before, own = points
    canvas, window = place.mosaic.canvas, place.window
    ends = (on_window(one, window, scale, canvas) for one in (before, place.arrival.view.inverse(own)))
    pair = CanvasPair(place.before, pixels, place.before_valid, valid, *ends)
    warp = find_estimator(name, options.device)(pair)
    placement = place_target(warp, pair, coarse_map, source.size, scale)
    return placement, UsedWarp(name, consistent_share(placement, pair.reference_valid), warp.device)


def _fit(place: _Place, placement: Placement, used: UsedWarp) -> _Fit:
    drawn = draw_source(place.arrival.source, placement.map_xy, placement.scale)
    pair = align_drawn(place.before, place.before_valid, *drawn, placement)
    return _Fit(placement, used, pair, gather_evidence(place.to_view, placement, pair))


def _blend_in(place: _Place, fit: _Fit, options: Options) -> PlacedPicture:
    """What follows once a picture's placement is known: verdict, seam, gain, the map that is shown."""
    _check(fit)
    arrival, placement, mosaic = place.arrival, fit.placement, place.mosaic
    blend = find_generator(options.blend_to_use, options.device)(fit.pair, options.compensator, arrival.gain)
    if _is_rigid(placement, place.coarse):
        shown_map = place.coarse.map_xy
    else:
        shown_map = relax_map(placement, fit.pair, blend.weight, _nearest_coarse(placement, place.coarse.map_xy))
    shown, shown_valid = draw_source(arrival.source, shown_map, mosaic.scale)
    mosaic.draw(arrival.picture, place.window, _with_gain(shown, blend.gain), shown_valid, blend.weight)
    kept = replace(placement, residual=np.broadcast_to(np.float32(np.nan), shown_map.shape))  # takes no memory
    return PlacedPicture(
        arrival.picture, place.window, kept, shown_map, blend.weight, blend.gain, fit.used, fit.evidence,
        arrival.joined_to,
    )  # fmt: skip


def _is_rigid(placement: Placement, coarse: Placement) -> bool:
    """Whether a placement is the coarse one, also after it was written to a file and read again."""
    moved = np.abs(placement.map_xy - coarse.map_xy)[placement.covered]
    return moved.size == 0 or float(moved.max()) < RIGID_TOLERANCE


def _check(fit: _Fit) -> None:
    """Raise InputError where a picture is not like the mosaic."""
    evidence = fit.evidence
    if fit.used.name == "loaded":
        share, least = evidence.agreement, MIN_AGREEMENT
    else:
        share = evidence.verified if evidence.tells_enough else None
        least = MIN_SHARE_OF_HOMOGRAPHY if fit.used.name == "homography" else MIN_SHARE
    if share is not None and share < least:
        raise InputError(
            f"after the warp only {share:.1%} of what it shares with the others is alike, expected {least:.0%} or more"
        )


def _with_gain(pixels: NDArray[np.uint8], gain: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(pixels * gain + 0.5, 0, 255), np.uint8)


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
