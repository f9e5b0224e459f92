"""Links: the matches of all pairs of a set as the joint adjustment uses them, few and evenly spread over the pictures.

Places are normalised: the centre of each picture is (0, 0), and half the median diagonal of the pictures is 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.spanning_tree import spanning_tree
from stitching.geometry.homographies import Matrix, project, to_homogeneous
from stitching.geometry.pixel_maps import Points, Size, even_grid, inside
from stitching.match_graph.match_graph import Edge, MatchGraph

MAX_MATCHES = 8_000  # of all edges together
EDGE_MATCHES = 20, 150  # at least and at most of an edge
CELLS = 24  # along the longer side of a picture, of the finest grid that matches are spread over
CERTAINTY = 3  # power of the confidence by which an edge counts less in the tree from which the fit starts
OVERLAP_POINTS = 12  # along a side, that stand for the matches of an alignment without any


@dataclass(frozen=True, eq=False)
class Links:
    """Each edge gives two blocks of rows, one in each direction.

    Attributes:
        start, end: (b,) the pictures of each block, numbered from 0 in the order of the members.
        bounds: (b + 1,) the rows of block k are bounds[k] .. bounds[k + 1] - 1.
        start_places, end_places: (m, 2) normalised places in the two pictures.
    """

    start: NDArray[np.intp]
    end: NDArray[np.intp]
    bounds: NDArray[np.intp]
    start_places: Points
    end_places: Points

    @property
    def block(self) -> NDArray[np.intp]:
        """(m,) the block of each row."""
        return np.repeat(np.arange(len(self.start)), np.diff(self.bounds))

    def places(self, block: int) -> tuple[Points, Points]:
        """(k, 2) normalised places of a block in both pictures."""
        rows = slice(self.bounds[block], self.bounds[block + 1])
        return self.start_places[rows], self.end_places[rows]


@dataclass(frozen=True, eq=False)
class LinkedPictures:
    """The pictures of a component, and what joins them.

    Attributes:
        reference: number of the picture whose view is kept.
        sizes: number of a picture -> its (w, h), px; pictures have indices from 0 in this order.
        unit: px that become 1: half the median diagonal of the pictures.
        links: their matches.
        between: (b, 3, 3) homographies of the blocks, normalised places of the start -> those of the end.
        tree: blocks that lead from the reference to all others, the strongest ones.
        focal: that their metadata say, of `unit`; None where they do not.
    """

    reference: int
    sizes: Mapping[int, Size]
    unit: float
    links: Links
    between: NDArray[np.float64]
    tree: tuple[int, ...]
    focal: float | None = None

    @property
    def count(self) -> int:
        """How many pictures."""
        return len(self.sizes)

    @property
    def root(self) -> int:
        """Index of the reference."""
        return list(self.sizes).index(self.reference)

    @property
    def normalisations(self) -> list[Matrix]:
        """(3, 3) of each picture: px -> normalised places."""
        return [normalisation(size, self.unit) for size in self.sizes.values()]


def normalisation(size: Size, unit: float) -> Matrix:
    """(3, 3): px of a picture -> places with its centre at (0, 0) and `unit` px as 1."""
    x, y = ((side - 1) / 2 for side in size)
    return np.array([[1 / unit, 0, -x / unit], [0, 1 / unit, -y / unit], [0, 0, 1]])


def link_pictures(graph: MatchGraph, sizes: Mapping[int, Size], reference: int) -> LinkedPictures:
    """What joins the pictures of a component.

    Args:
        graph: of the set.
        sizes: (w, h) px of the component's pictures.
        reference: one of them.
    """
    unit = float(np.median([np.hypot(*size) for size in sizes.values()])) / 2
    order = {number: index for index, number in enumerate(sizes)}
    edges = [edge for edge in graph.edges if edge.first in order and edge.second in order]
    limit = int(np.clip(MAX_MATCHES // max(1, len(edges)), *EDGE_MATCHES))
    ways: list[tuple[int, int]] = []
    places: list[tuple[Points, Points]] = []
    between: list[Matrix] = []
    for edge in edges:
        first, second = (normalisation(sizes[number], unit) for number in (edge.first, edge.second))
        in_second, in_first = _matched_places(edge, sizes[edge.second], sizes[edge.first], limit)
        in_second, in_first = project(second, in_second), project(first, in_first)
        homography = first @ edge.alignment.homography @ np.linalg.inv(second)
        ways += [(order[edge.second], order[edge.first]), (order[edge.first], order[edge.second])]
        places += [(in_second, in_first), (in_first, in_second)]
        between += [homography, np.linalg.inv(homography)]
    start, end = np.array(ways, np.intp).reshape(-1, 2).T  # (b, 2)
    start_places, end_places = (
        np.concatenate([pair[side] for pair in places] or [np.zeros((0, 2))]) for side in (0, 1)
    )
    bounds = np.cumsum([0, *(len(pair[0]) for pair in places)])
    # What looks alike by chance, as windows do, has as many matches, but fewer of them agree.
    strengths = [edge.strength * edge.alignment.confidence**CERTAINTY for edge in edges for _ in range(2)]
    return LinkedPictures(
        reference, sizes, unit, Links(start, end, bounds, start_places, end_places),
        np.array(between).reshape(-1, 3, 3),  # (b, 3, 3)
        tuple(spanning_tree(ways, strengths, order[reference])),
    )  # fmt: skip


def _matched_places(edge: Edge, target: Size, reference: Size, limit: int) -> tuple[Points, Points]:
    """(n, 2) matched px of the two pictures of an edge; points all over the overlap where it has no matches."""
    matches = edge.alignment.matches
    if len(matches):
        kept = spread_evenly(matches.reference, reference, limit)
        return matches.target[kept], matches.reference[kept]
    grid = even_grid((0, 0), (target[0] - 1, target[1] - 1), OVERLAP_POINTS).reshape(-1, 2)  # (n, 2)
    moved = project(edge.alignment.homography, grid)
    seen = inside(moved, reference)
    return grid[seen], moved[seen]


def spread_evenly(points: Points, size: Size, limit: int) -> NDArray[np.intp]:
    """Rising indices of at most `limit` of (n, 2) points: in turn the first one left in each cell of a grid."""
    cells = np.floor(points * CELLS / max(size)).astype(int) @ np.array([1, CELLS + 1])
    order = np.argsort(cells, kind="stable")
    _, first = np.unique(cells[order], return_index=True)
    rank = np.empty(len(points), int)  # which of its cell's points each one is
    rank[order] = np.arange(len(points)) - np.repeat(first, np.diff([*first, len(points)]))
    return np.sort(np.lexsort((np.arange(len(points)), rank))[:limit])


def as_directions(places: Points, focal: float) -> Points:
    """(m, 2) normalised places -> (m, 3) unit vectors from a camera of that focal length."""
    vectors = to_homogeneous(places / focal)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
