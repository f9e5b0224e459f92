"""The spanning tree of the strongest edges, along which the joint adjustment starts."""

from collections.abc import Sequence


def spanning_tree(ways: Sequence[tuple[int, int]], strengths: Sequence[float], root: int) -> list[int]:
    """Indices of the ways that lead from the root to every picture that it is joined to, in this order.

    Prim 1957: each time the strongest way to a new picture; the first one of equally strong ones.

    Args:
        ways: (start, end), indices of pictures.
        strengths: of the ways.
        root: index of a picture.
    """
    reached, tree = {root}, list[int]()
    while True:
        ahead = [number for number, (start, end) in enumerate(ways) if start in reached and end not in reached]
        if not ahead:
            return tree
        best = max(ahead, key=lambda number: (strengths[number], -number))
        reached.add(ways[best][1])
        tree.append(best)
