"""In which order pictures are placed: nearest neighbours in the match graph first."""

from stitching.match_graph.match_graph import MatchGraph


def placing_order(graph: MatchGraph, members: tuple[int, ...], reference: int) -> tuple[int, ...]:
    """The reference, then always the picture that most matches join to those placed already (Prim's algorithm).

    Args:
        graph: the match graph.
        members: of one connected component.
        reference: one of them.
    """
    placed = [reference]
    strength = dict.fromkeys(set(members) - {reference}, 0)
    while strength:
        for edge in graph.edges_of(placed[-1]):
            if edge.other(placed[-1]) in strength:
                strength[edge.other(placed[-1])] += edge.strength
        best = max(strength, key=lambda picture: (strength[picture], -picture))
        del strength[best]
        placed.append(best)
    return tuple(placed)
