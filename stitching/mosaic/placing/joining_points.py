"""Matched points of a picture and of those placed before it, on its window: what large displacements begin from."""

from collections.abc import Mapping

import numpy as np

from stitching.adjustment.picture_view import PictureView
from stitching.geometry.pixel_maps import Points, remap, rescale
from stitching.geometry.rectangles import Rectangle
from stitching.match_graph.match_graph import MatchGraph
from stitching.mosaic.placed_picture import PlacedPicture

ROUNDS = 4  # of the inversion of a shown map; the difference to the coarse map is smooth, so it converges fast


def joining_points(
    graph: MatchGraph,
    picture: int,
    window: Rectangle,
    views: Mapping[int, PictureView],
    placed: Mapping[int, PlacedPicture],
    scale: float,
) -> tuple[Points, Points]:
    """Where matches lie by the pictures placed before, and where by the coarse place of a picture.

    Args:
        graph: whose edges hold the matches.
        picture: the one to be placed.
        window: of that picture, working px.
        views: of all pictures.
        placed: those placed before.
        scale: working px per canvas px.

    Returns:
        (n, 2) and (n, 2), px of the window; they may lie outside.
    """
    before, own = [np.zeros((0, 2))], [np.zeros((0, 2))]
    for edge in graph.edges_of(picture):
        other = placed.get(edge.other(picture))
        if other is None:
            continue
        matches = edge.alignment.matches
        mine, theirs = matches.target, matches.reference
        if edge.first == picture:
            mine, theirs = theirs, mine
        before.append(_shown_at(views[other.picture], other, theirs, scale))
        own.append(rescale(views[picture].inverse(mine), scale))
    period = views[picture].canvas.size[0] * scale if views[picture].canvas.wraps else None
    there, here = (_on_window(np.vstack(points), window, period) for points in (before, own))
    known = np.isfinite(there).all(axis=1) & np.isfinite(here).all(axis=1)
    return there[known], here[known]


def _shown_at(view: PictureView, placed: PlacedPicture, points: Points, scale: float) -> Points:
    """(n, 2) working px at which a placed picture shows its points (n, 2): the inverse of its shown map.

    The shown map is the coarse one plus an offset, which hardly changes from a point to its neighbour.
    """
    found = view.inverse(points)
    for _ in range(ROUNDS):
        on_window = rescale(found, scale) - np.asarray(placed.window.origin, np.float64)
        shown = remap(placed.shown_map, np.nan_to_num(on_window, nan=-1)[None].astype(np.float32))[0]  # (n, 2)
        found = view.inverse(points + view(found) - shown)
    return rescale(found, scale)


def _on_window(points: Points, window: Rectangle, period: float | None) -> Points:
    """Working px (n, 2) as px of a window; where the canvas wraps, those nearest to the window's middle."""
    moved = points - np.asarray(window.origin, np.float64)
    if period is not None:
        start = (window.size[0] - period) / 2
        moved[:, 0] = (moved[:, 0] - start) % period + start
    return moved
