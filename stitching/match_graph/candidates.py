"""Which pictures of a large set may show the same: those with many of each other's features.

Every feature votes for the pictures with the features most like it. An inverted file (Jegou, Douze & Schmid 2011) keeps
the cost of this proportional to the number of features: they are compared only inside cells around sampled features.
"""

from collections.abc import Collection, Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import root_sift
from stitching.geometry.homographies import corners, project
from stitching.geometry.pixel_maps import Points, Size
from stitching.match_graph.match_graph import Edge, MatchGraph
from stitching.match_graph.matched_picture import MatchedPicture

DIMENSIONS = 32  # of the descriptors after a principal component analysis
CELL_SIZE = 400  # features in a cell, on average
PROBES = 3  # nearest cells in which a feature looks for others
NEAREST = 4  # features that one votes for
CANDIDATES = 6  # pictures that are matched with each
MIN_SHARED = 0.1  # of the smaller picture that two neighbours of a third must share by their alignments with it

Pair = tuple[int, int]
Vectors = NDArray[np.float32]  # (n, d) of length 1
Numbers = NDArray[np.intp]


def candidate_pairs(pictures: Sequence[MatchedPicture]) -> list[Pair]:
    """The pairs worth matching, about `CANDIDATES` for each picture, in rising order."""
    descriptors = [root_sift(picture.features.sift[1]) for picture in pictures]
    if not any(map(len, descriptors)):
        return []
    owner = np.repeat(np.arange(len(pictures)), [len(one) for one in descriptors])
    votes = _votes(_reduce(np.concatenate(descriptors)), owner, len(pictures))
    pairs = set[Pair]()
    for picture, row in enumerate(votes):
        others = np.argsort(-row, kind="stable")[:CANDIDATES]
        pairs |= {(min(picture, int(other)), max(picture, int(other))) for other in others if row[other] > 0}
    return sorted(pairs)


def neighbours_of_neighbours(graph: MatchGraph, sizes: Sequence[Size], tried: Collection[Pair]) -> list[Pair]:
    """Pairs not yet tried that overlap by the edges that both have with a third picture, in rising order.

    Of each picture the `CANDIDATES` that share most, so that their number grows with that of the pictures only.

    Args:
        graph: the edges that are known.
        sizes: (w, h) px of the pictures.
        tried: pairs that are left out.
    """
    shares: dict[Pair, float] = {}
    for middle, edges in graph.around.items():
        for one, other in combinations(edges, 2):
            first, second = sorted((one.other(middle), other.other(middle)))
            if (first, second) not in tried and (first, second) not in shares:
                shares[first, second] = _share(*(_outline(edge, middle, sizes) for edge in (one, other)))
    others: dict[int, list[Pair]] = {}
    for pair in sorted(shares, key=lambda pair: (-shares[pair], pair)):
        if shares[pair] > MIN_SHARED:
            for picture in pair:
                others.setdefault(picture, []).append(pair)
    return sorted({pair for pairs in others.values() for pair in pairs[:CANDIDATES]})


def _outline(edge: Edge, middle: int, sizes: Sequence[Size]) -> Points:
    """(4, 2): where the corners of the other picture of an edge lie in the picture `middle`; NaN behind its camera."""
    other = edge.other(middle)
    homography = edge.alignment.homography
    to_middle = homography if middle == edge.first else np.linalg.inv(homography)
    return project(to_middle / to_middle[2, 2], corners(sizes[other][::-1]))


def _share(one: Points, other: Points) -> float:
    """Of the smaller of two convex outlines (4, 2), that the other one covers."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return 0.0
    area, _ = cv2.intersectConvexConvex(one.astype(np.float32), other.astype(np.float32))
    smaller = min(cv2.contourArea(outline.astype(np.float32)) for outline in (one, other))
    return float(area / max(smaller, 1e-6))


def _reduce(vectors: Vectors) -> Vectors:
    """(n, 128) -> (n, DIMENSIONS), those in which they differ most."""
    centred = vectors - vectors.mean(axis=0)
    axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)[1][:, -DIMENSIONS:]
    reduced = centred @ axes.astype(np.float32)
    return np.asarray(reduced / np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-9), np.float32)


def _votes(vectors: Vectors, owner: Numbers, count: int) -> NDArray[np.float64]:
    """(count, count), symmetric: how much the features of two pictures are like each other.

    Args:
        vectors: (n, d).
        owner: (n,) number of the picture of each.
        count: of pictures.
    """
    centres = vectors[::CELL_SIZE]
    cells = _nearest_cells(vectors, centres)  # (n, PROBES)
    likeness, neighbour = _nearest_in_cells(vectors, owner, cells, len(centres))  # (n, NEAREST + 1) each
    chance = likeness[:, -1:]  # what a feature of an unrelated picture reaches
    weight = (likeness[:, :-1] - chance) / (1 - chance + 1e-3)
    votes = np.zeros((count, count))
    np.add.at(votes, (owner[:, None].repeat(NEAREST, 1), owner[neighbour[:, :-1]]), weight)
    np.fill_diagonal(votes, 0)
    return votes + votes.T


def _nearest_in_cells(
    vectors: Vectors, owner: Numbers, cells: Numbers, count: int
) -> tuple[NDArray[np.float32], Numbers]:
    """The `NEAREST` + 1 features of other pictures that are most like each, in the cells that it looks into.

    Args:
        vectors: (n, d).
        owner: (n,) number of the picture of each.
        cells: (n, PROBES), its own one first.
        count: of cells.

    Returns:
        (n, NEAREST + 1) each: likeness -1..1, the largest first, and the number of the feature.
    """
    likeness = np.full((len(vectors), PROBES, NEAREST + 1), -1, np.float32)
    neighbour = np.zeros(likeness.shape, np.intp)
    for cell in range(count):
        inside = np.flatnonzero(cells[:, 0] == cell)
        if not len(inside):
            continue
        asking, probe = np.nonzero(cells == cell)
        similar = vectors[asking] @ vectors[inside].T  # (n_asking, n_inside)
        similar[owner[asking][:, None] == owner[inside]] = -1
        best = _largest(similar, NEAREST + 1)
        likeness[asking, probe, : best.shape[1]] = np.take_along_axis(similar, best, axis=1)
        neighbour[asking, probe, : best.shape[1]] = inside[best]
    all_likeness = likeness.reshape(len(vectors), -1)  # (n, PROBES (NEAREST + 1))
    best = _largest(all_likeness, NEAREST + 1)
    return np.take_along_axis(all_likeness, best, axis=1), np.take_along_axis(
        neighbour.reshape(len(vectors), -1), best, axis=1
    )


def _nearest_cells(vectors: Vectors, centres: Vectors) -> Numbers:
    """(n, PROBES): the numbers of the centres nearest to each vector, the nearest first; -1 where there are fewer."""
    found = np.full((len(vectors), PROBES), -1, np.intp)
    for start in range(0, len(vectors), 4096):
        nearest = _largest(vectors[start : start + 4096] @ centres.T, PROBES)
        found[start : start + 4096, : nearest.shape[1]] = nearest
    return found


def _largest(values: NDArray[np.float32], count: int) -> Numbers:
    """(n, at most `count`): columns of the largest values of each row, the largest first."""
    count = min(count, values.shape[1])
    some = np.argpartition(-values, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(values, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)
