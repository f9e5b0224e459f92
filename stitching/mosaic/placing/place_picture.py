"""Places pictures on the working canvas: each is warped onto those placed before it, as a target onto a reference."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stitching.blending.registry import find_generator
from stitching.geometry.homographies import nearest_homography, project
from stitching.geometry.pixel_maps import OUTSIDE_ALL, Field, Points
from stitching.geometry.rectangles import Rectangle
from stitching.mosaic.placed_picture import PlacedPicture
from stitching.mosaic.placing.drawing import draw_source
from stitching.mosaic.placing.picture_fit import Arrival, Fit, Place, area_around, estimate_fit
from stitching.mosaic.placing.working_mosaic import WorkingMosaic
from stitching.options import Options
from stitching.selection import UsedWarp
from stitching.warping.base_warp import parallax
from stitching.warping.placement import Placement
from stitching.warping.relax import relax_map

LOOKS_ALIKE = 0.75  # verified share with which a flat original needs no dense warp
FIT_STEP = 16  # px between the points to which the nearest homography is fitted
MIN_POINTS = 16


def place_first(mosaic: WorkingMosaic, arrival: Arrival) -> PlacedPicture:
    """Place the reference where the joint adjustment has it, and draw it."""
    place = Place.of(mosaic, arrival, mosaic.window(area_around(arrival.view)))
    map_xy = place.coarse.map_xy
    pixels, valid = draw_source(arrival.source, map_xy, mosaic.scale)
    weight = np.zeros(valid.shape, np.float32)
    mosaic.draw(arrival.picture, place.window, pixels, valid, weight)
    gain = np.ones((*valid.shape, 3), np.float32)
    return PlacedPicture(
        arrival.picture, place.window, _without_residual(place.coarse), map_xy, weight, gain, None, None
    )


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
    place = Place.of(mosaic, arrival, mosaic.window(area_around(arrival.view)))
    for name in warps[:-1]:
        fit = estimate_fit(name, place, points, options.device)
        if fit.evidence.tells_enough and fit.evidence.verified >= LOOKS_ALIKE:
            break
    else:
        fit = estimate_fit(warps[-1], place, points, options.device)
        if fit.used.is_unusable and options.warp == "auto":
            fit = Fit.of(place, place.coarse, replace(fit.used, name="homography"))
    return _blend_in(fit, options)


def place_known(
    mosaic: WorkingMosaic, arrival: Arrival, window: Rectangle, placement: Placement, options: Options
) -> PlacedPicture:
    """Place a picture by a warp from an earlier stitch, cut the seam, match its brightness, and draw it.

    Raises:
        InputError: it does not fit those before it.
    """
    return _blend_in(Fit.of(Place.of(mosaic, arrival, window), placement, UsedWarp("loaded")), options)


def _blend_in(fit: Fit, options: Options) -> PlacedPicture:
    """What follows once a picture's placement is known: verdict, seam, gain, the map that is shown."""
    fit.check()
    place, placement = fit.place, fit.placement
    arrival, mosaic, coarse_map = place.arrival, place.mosaic, place.coarse.map_xy
    nearest = coarse_map if fit.is_rigid else _nearest_coarse(placement, coarse_map)
    pair = replace(fit.pair, parallax=parallax(placement, nearest))
    blend = find_generator(options.blend_to_use, options.device)(pair, options.compensator, arrival.gain)
    shown_map = coarse_map if fit.is_rigid else relax_map(placement, pair, blend.weight, nearest)
    shown, shown_valid = draw_source(arrival.source, shown_map, mosaic.scale)
    mosaic.draw(arrival.picture, place.window, _with_gain(shown, blend.gain), shown_valid, blend.weight)
    return PlacedPicture(
        arrival.picture, place.window, _without_residual(placement), shown_map, blend.weight, blend.gain, fit.used,
        fit.evidence,
    )  # fmt: skip


def _without_residual(placement: Placement) -> Placement:
    """A placement whose residual is not kept: NaN, which takes no memory."""
    return replace(placement, residual=np.broadcast_to(np.float32(np.nan), placement.map_xy.shape))


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
    moved = np.nan_to_num(project(homography, coarse_map.astype(np.float64)), nan=OUTSIDE_ALL)
    return moved.astype(np.float32)
