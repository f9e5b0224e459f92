"""What a warp makes of a picture: where it puts it on the working canvas, and whether it is like the mosaic there."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.picture_view import PictureView
from stitching.errors import InputError, percent_below
from stitching.geometry.pixel_maps import Mask, Points, evaluate_on_grid, inside
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture_source import PictureSource
from stitching.mosaic.placing.drawing import draw_source
from stitching.mosaic.placing.joining_points import on_window
from stitching.mosaic.placing.nearer_view import nearer_view
from stitching.mosaic.placing.working_mosaic import WorkingMosaic
from stitching.network.interface import Device
from stitching.selection import UsedWarp
from stitching.verification.evidence import Evidence, gather_evidence
from stitching.verification.verdict import MIN_AGREEMENT, MIN_SHARE, MIN_SHARE_OF_HOMOGRAPHY
from stitching.warping.canvas_pictures import align_drawn
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.placement import Placement, place_target
from stitching.warping.warp import AlignedPair, CanvasPair

MARGIN = 0.06  # of a picture's diagonal, around its coarse place: the warp moves near things out of it
RIGID_TOLERANCE = 1e-3  # px of the picture


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


def area_around(view: PictureView) -> Rectangle:
    """The part of the canvas that a picture may take: its coarse place with a margin."""
    return view.window(round(MARGIN * float(np.hypot(*view.size))))


@dataclass(frozen=True, eq=False)
class Place:
    """Where a picture comes to lie.

    Attributes:
        mosaic: the pictures placed so far.
        arrival: the picture.
        window: of the working canvas, on which its fields lie.
        coarse: its placement by the joint adjustment, which no dense warp has moved.
        before, before_valid: (h, w, 3) and (h, w), the mosaic on the window.
    """

    mosaic: WorkingMosaic
    arrival: Arrival
    window: Rectangle
    coarse: Placement
    before: NDArray[np.uint8]
    before_valid: Mask

    @staticmethod
    def of(mosaic: WorkingMosaic, arrival: Arrival, window: Rectangle) -> "Place":
        """The place of a picture on a window."""
        coarse_map = evaluate_on_grid(arrival.view, window.size, mosaic.scale, window.origin)
        covered = inside(coarse_map, arrival.view.size)
        coarse = Placement(coarse_map, covered, covered, np.zeros_like(coarse_map), mosaic.scale)
        return Place(mosaic, arrival, window, coarse, *mosaic.cut_out(window))

    def to_view(self, points: Points) -> Points:
        """Canvas px of the window -> px of the picture by its coarse place: a camera in which lines stay straight."""
        return self.arrival.view(points + np.asarray(self.window.origin, np.float64) / self.mosaic.scale)


@dataclass(frozen=True, eq=False)
class Fit:
    """A picture after one warp, beside the mosaic.

    Attributes:
        place: where it comes to lie.
        placement: by the warp.
        used: the warp.
        pair: the mosaic as reference, and the picture as target.
        evidence: that both are alike.
    """

    place: Place
    placement: Placement
    used: UsedWarp
    pair: AlignedPair
    evidence: Evidence

    @staticmethod
    def of(place: Place, placement: Placement, used: UsedWarp) -> "Fit":
        """What a placement makes of the picture that comes to lie at a place."""
        drawn = draw_source(place.arrival.source, placement.map_xy, placement.scale)
        pair = align_drawn(place.before, place.before_valid, *drawn, placement)
        return Fit(place, placement, used, pair, gather_evidence(place.to_view, placement, pair))

    @cached_property
    def is_rigid(self) -> bool:
        """Whether the placement is the coarse one, also after it was written to a file and read again."""
        moved = np.abs(self.placement.map_xy - self.place.coarse.map_xy)[self.placement.covered]
        return moved.size == 0 or float(moved.max()) < RIGID_TOLERANCE

    def check(self) -> None:
        """Raise InputError where the picture is not like the mosaic."""
        evidence = self.evidence
        shares = [(evidence.verified, MIN_SHARE_OF_HOMOGRAPHY if self.is_rigid else MIN_SHARE)]
        shares = shares if evidence.tells_enough else []
        if self.used.name == "loaded" and evidence.agreement is not None:
            shares.append((evidence.agreement, MIN_AGREEMENT))
        for share, least in shares:
            if share < least:
                raise InputError(
                    f"after the warp only {percent_below(share)} of what it shares with the others is alike, expected"
                    f" {least:.0%} or more"
                )


def estimate_fit(name: str, place: Place, points: tuple[Points, Points], device: Device) -> Fit:
    """A picture after the warp of an estimator.

    Args:
        name: of the estimator; "homography" keeps the coarse placement.
        place: where the picture comes to lie.
        points: (n, 2) canvas px and (n, 2) px of the picture, see `joining_points`.
        device: as in `Options`.
    """
    if name == "homography":
        return Fit.of(place, place.coarse, UsedWarp(name))
    (before, own), window, mosaic, source = points, place.window, place.mosaic, place.arrival.source
    view = nearer_view(place.arrival.view, before, own)
    map_xy = evaluate_on_grid(view, window.size, mosaic.scale, window.origin)
    pixels, valid = draw_source(source, map_xy, mosaic.scale)
    ends = (on_window(one, window, mosaic.scale, mosaic.canvas) for one in (before, view.inverse(own)))
    pair = CanvasPair(place.before, pixels, place.before_valid, valid, *ends)
    warp = find_estimator(name, device)(pair)
    placement = place_target(warp, pair, map_xy, source.size, mosaic.scale)
    return Fit.of(place, placement, UsedWarp.of(name, warp, placement, pair.reference_valid))
