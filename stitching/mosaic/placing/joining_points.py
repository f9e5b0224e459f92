"""Matched points of a picture and of those placed before it: what large displacements begin from."""

from collections.abc import Mapping

import numpy as np

from stitching.adjustment.picture_view import PictureView
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Points, remap, rescale
from stitching.geometry.rectangles import Rectangle
from stitching.match_graph.match_graph import MatchGraph
from stitching.mosaic.placed_picture import PlacedPicture

ROUNDS = 4  # of the inversion of a shown map; the difference to the coarse map is smooth, so it converges fast


def joining_points(
    graph: MatchGraph,
    picture: int,
    views: Mapping[int, PictureView],
    placed: Mapping[int, PlacedPicture],
    scale: float,
) -> tuple[Points, Points]:
    """Where the pictures placed before show the matches of a picture, and where it has them.

    Args:
        graph: whose edges hold the matches.
        picture: the one to be placed.
        views: of all pictures, as they were placed.
        placed: those placed before.
        scale: working px per canvas px.

    Returns:
        (n, 2) canvas px, and (n, 2) px of the picture.
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
        shown = _shown_at(views[other.picture], other, theirs, scale)
        known = np.isfinite(shown).all(axis=1)
        before.append(shown[known])
        own.append(mine[known])
    return np.vstack(before), np.vstack(own)


def on_window(points: Points, window: Rectangle, scale: float, canvas: Canvas) -> Points:
    """Canvas px (n, 2) as px of a window; where the canvas wraps, those nearest to the window's middle."""
    moved = rescale(points, scale) - np.asarray(window.origin, np.float64)
    if canvas.wraps:
        period = canvas.size[0] * scale
        start = (window.size[0] - period) / 2
        moved[:, 0] = (moved[:, 0] - start) % period + start
    return moved


def _shown_at(view: PictureView, placed: PlacedPicture, points: Points, scale: float) -> Points:
    """(n, 2) canvas px at which a placed picture shows its points (n, 2): the inverse of its shown map.

    The shown map is the coarse one plus an offset, which hardly changes from a point to its neighbour.
    """
    found = view.inverse(points)
    for _ in range(ROUNDS):
        there = np.nan_to_num(on_window(found, placed.window, scale, view.canvas), nan=-1)
        shown = remap(placed.shown_map, there[None].astype(np.float32))[0]  # (n, 2) -> (1, n, 2), and back
        found = view.inverse(points + view(found) - shown)
    return found
