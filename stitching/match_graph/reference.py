"""The picture whose view a panorama keeps, where the user names none."""

import heapq

from stitching.match_graph.match_graph import MatchGraph

UNCERTAINTY = 10.0  # an edge with so few matches counts as two


def best_reference(graph: MatchGraph, members: tuple[int, ...]) -> int:
    """The most central picture: the one from which the farthest is nearest, counted in edges, then all others are.

    In the sum over all others an edge with few matches is longer, as it is less certain.

    Args:
        graph: of all pictures.
        members: a connected component of it.

    Returns:
        A number of `members`; of equally central ones that with more matches, then the first.
    """

    def order(picture: int) -> tuple[float, float, int, int]:
        hops, lengths = _distances(graph, picture, 0.0), _distances(graph, picture, UNCERTAINTY)
        strength = sum(edge.strength for edge in graph.edges_of(picture))
        return max(hops.values()), round(sum(lengths.values()), 6), -strength, picture

    return min(members, key=order)


def _distances(graph: MatchGraph, start: int, uncertainty: float) -> dict[int, float]:
    """Picture that can be reached -> length of the shortest way to it (Dijkstra)."""
    done: dict[int, float] = {}
    ahead = [(0.0, start)]
    while ahead:
        distance, picture = heapq.heappop(ahead)
        if picture in done:
            continue
        done[picture] = distance
        for edge in graph.edges_of(picture):
            heapq.heappush(ahead, (distance + 1 + uncertainty / max(edge.strength, 1), edge.other(picture)))
    return done
