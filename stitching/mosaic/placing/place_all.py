"""Places all pictures of a layout: the reference, then every picture onto those placed before it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stitching.adjustment.picture_view import PictureView
from stitching.errors import InputError, percent_below
from stitching.io.picture_source import LeftOut, PictureSource
from stitching.mosaic.layout import Layout
from stitching.mosaic.placed_picture import PlacedPicture
from stitching.mosaic.placing.joining_points import joining_points
from stitching.mosaic.placing.overall_gains import overall_gains
from stitching.mosaic.placing.picture_fit import Arrival, area_around
from stitching.mosaic.placing.place_picture import place_first, place_known, place_next
from stitching.mosaic.placing.working_mosaic import WorkingMosaic, working_scale
from stitching.options import Options
from stitching.verification.verdict import DOUBTFUL_SHARE

_MOST_REASONS = 3  # that an error names


@dataclass(frozen=True, eq=False)
class Placing:
    """All pictures in their places.

    Attributes:
        mosaic: what they give at the working size.
        placed: in the order of placing.
        left_out: those that do not fit.
        warnings: one line for each that is doubtful.
    """

    mosaic: WorkingMosaic
    placed: tuple[PlacedPicture, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]


def place_all(
    sources: tuple[PictureSource, ...],
    layout: Layout,
    options: Options,
    report: Callable[[float], None] = lambda share: None,
) -> Placing:
    """Place the pictures of a layout one after the other.

    Args:
        sources: all pictures.
        layout: where they lie before any dense warp.
        options: of the stitch.
        report: called with the share of pictures that are done, 0..1.

    Raises:
        InputError: fewer than two fit each other, or after loaded warps most do not.
    """
    views = layout.views(sources)
    mosaic = WorkingMosaic.empty(layout.canvas, _scale_for(layout, views, options.work_megapix))
    gains = overall_gains({one: sources[one] for one in views}, views, layout.order[0], options.compensator)
    placed: dict[int, PlacedPicture] = {}
    left_out = []
    for done, picture in enumerate(layout.order):
        joined = tuple(edge.other(picture) for edge in layout.graph.edges_of(picture) if edge.other(picture) in placed)
        arrival = Arrival(picture, sources[picture], views[picture], gains[picture], joined)
        try:
            placed[picture] = _place(mosaic, arrival, layout, views, placed, options)
        except InputError as error:
            left_out.append(LeftOut(sources[picture].name, f"does not fit the others: {error}"))
        report((done + 1) / len(layout.order))
    verified = sum(one.evidence is None or one.evidence.overlap > 0 for one in placed.values())  # the first one, too
    if len(placed) < 2 or (layout.known and len(left_out) > verified):
        reasons = "; ".join(f"{one.name} {one.reason}" for one in left_out[:_MOST_REASONS])
        advice = "load warps of the same cameras in the same order" if layout.known else "try more overlap"
        who = f"{len(left_out)} of {len(layout.order)} pictures do not" if len(placed) > 1 else "no two of the pictures"
        raise InputError(f"{who} fit together: {reasons}; {advice}")
    warnings = tuple(warning for one in placed.values() for warning in _doubts(one, sources[one.picture].name))
    return Placing(mosaic, tuple(placed.values()), tuple(left_out), warnings)


def _place(
    mosaic: WorkingMosaic,
    arrival: Arrival,
    layout: Layout,
    views: dict[int, PictureView],
    placed: dict[int, PlacedPicture],
    options: Options,
) -> PlacedPicture:
    """Place one picture; InputError where it does not fit those before it."""
    picture = arrival.picture
    if not placed:
        return place_first(mosaic, arrival)
    if picture in layout.known:
        known = layout.known[picture]
        return place_known(mosaic, arrival, known.window, known.placement, options)
    if not arrival.joined_to:
        raise InputError("only pictures that were left out join it to them")
    points = joining_points(layout.graph, picture, views, placed, mosaic.scale)
    return place_next(mosaic, arrival, points, _warps(layout, options), options)


def _scale_for(layout: Layout, views: dict[int, PictureView], megapix: float) -> float:
    """Working px per canvas px; that of the warps where they were loaded."""
    if layout.known:
        return next(iter(layout.known.values())).placement.scale
    sizes = np.array([[view.window().size, area_around(view).size] for view in views.values()], np.float64)  # (n, 2, 2)
    pictures, windows = sizes.prod(axis=2).T
    return working_scale(layout.canvas, pictures, windows, megapix)


def _warps(layout: Layout, options: Options) -> tuple[str, ...]:
    """The estimators for the pictures of a set: flat originals stay rigid."""
    if options.warp != "auto":
        return (options.warp,)
    flat = layout.arrangement.motion != "perspective"
    if layout.arrangement.motion == "translation" or (flat and options.motion != "auto"):
        return ("homography",)
    return ("homography", options.warp_to_use) if flat else (options.warp_to_use,)


def _doubts(placed: PlacedPicture, name: str) -> list[str]:
    """Why a picture's place is doubtful."""
    evidence = placed.evidence
    if evidence is None or (evidence.tells_enough and evidence.verified >= DOUBTFUL_SHARE):
        return []
    if not evidence.tells_enough:
        return [f"{name}: what it shares with the others shows too little texture to tell whether its place is right"]
    return [
        f"{name}: only {percent_below(evidence.verified)} of what it shares with the others is alike after the warp"
        f" (usual: more than {DOUBTFUL_SHARE:.0%}); check the panorama"
    ]
