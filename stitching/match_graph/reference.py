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
    farthest = {picture: max(_distances(graph, picture, 0.0).values()) for picture in members}
    central = [picture for picture in members if farthest[picture] == min(farthest.values())]

    def order(picture: int) -> tuple[float, int, int]:
        lengths = _distances(graph, picture, UNCERTAINTY)
        return round(sum(lengths.values()), 6), -sum(edge.strength for edge in graph.edges_of(picture)), picture

    return min(central, key=order)


def _distances(graph: MatchGraph, start: int, uncertainty: float) -> dict[int, float]:
    """Picture -> length of the shortest way to it (Dijkstra).

    Args:
        graph: whose edges are the ways.
        start: where the ways begin.
        uncertainty: number of matches with which an edge is twice as long as at best.
    """
    done: dict[int, float] = {}
    ahead = [(0.0, start)]
    while ahead:
        distance, picture = heapq.heappop(ahead)
        if picture in done:
            continue
        done[picture] = distance
        for edge in graph.edges_of(picture):
            if edge.other(picture) not in done:
                heapq.heappush(ahead, (distance + 1 + uncertainty / max(edge.strength, 1), edge.other(picture)))
    return done
