"""Sets whose pictures were only moved, as tiles of a scan: what their edges say is said as translations."""

from dataclasses import replace

import numpy as np

from stitching.alignment.coarse_alignment import fit_translation
from stitching.geometry.pixel_maps import Size
from stitching.match_graph.match_graph import Edge, MatchGraph

TOLERANCE = 0.002  # of the diagonal, that half of the matches of a pair may differ from its translation


def only_moved(edge: Edge, size: Size) -> bool:
    """Whether a translation explains an edge as well as its own alignment does.

    Args:
        edge: with px of the full-size pictures.
        size: (w, h) px of its first picture.
    """
    moves = edge.alignment.matches.reference - edge.alignment.matches.target
    if not len(moves):
        return edge.alignment.method == "translation"
    return bool(np.median(np.linalg.norm(moves - np.median(moves, axis=0), axis=1)) < TOLERANCE * np.hypot(*size))


def as_translations(graph: MatchGraph, sizes: tuple[Size, ...]) -> MatchGraph:
    """The graph with translations in those connected components in which all edges are such."""
    moved = set[int]()
    for component in graph.components():
        inside = [edge for edge in graph.edges if edge.first in component]
        if all(only_moved(edge, sizes[edge.first]) for edge in inside):
            moved |= set(component)
    edges = tuple(_as_translation(edge, sizes[edge.first]) if edge.first in moved else edge for edge in graph.edges)
    return MatchGraph(graph.count, edges)


def _as_translation(edge: Edge, size: Size) -> Edge:
    if edge.alignment.method == "translation":
        return edge
    homography = fit_translation(edge.alignment.matches, TOLERANCE * float(np.hypot(*size)))
    return replace(edge, alignment=replace(edge.alignment, homography=homography, method="translation", planes=0))
