"""Short loops of the match graph: alignments that lead round one must end where they began.

Repeated things, as the windows of a facade, match as well as the right ones do; then one edge contradicts the others
(Zach, Klopschitz & Pollefeys 2010). Long loops are not looked at: small errors add up in them, and the joint
adjustment spreads these.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.homographies import Matrix, project
from stitching.geometry.pixel_maps import Points, Size
from stitching.match_graph.match_graph import Edge

MAX_GAP = 0.1  # of the diagonal: a loop that does not close by more contradicts itself
MARGIN = 0.1  # of the sides: so far outside of a picture its alignments still say where a point would be
MIN_POINTS = 6  # of a loop that says anything

Loop = tuple[int, ...]  # numbers of pictures


def drop_contradicting(edges: tuple[Edge, ...], sizes: tuple[Size, ...]) -> tuple[Edge, ...]:
    """Drop edges until no loop of three or four contradicts itself.

    Args:
        edges: of the graph.
        sizes: (w, h) px of the pictures.

    Returns:
        The rest, in their order. The one that more loops contradict than confirm goes first, then the weaker one.
    """
    by_ends = {(edge.first, edge.second): edge for edge in edges}
    loops = {loop: _gap(loop, by_ends, sizes) for loop in _short_loops(by_ends)}
    while True:
        balance = dict.fromkeys(by_ends, 0)
        for loop, gap in loops.items():
            for ends in _sides(loop):
                balance[ends] += 0 if np.isnan(gap) else 1 if gap > MAX_GAP else -1
        contradicted = {ends for loop, gap in loops.items() if gap > MAX_GAP for ends in _sides(loop)}
        if not contradicted:
            return tuple(by_ends.values())
        worst = max(contradicted, key=lambda ends: (balance[ends], -by_ends[ends].strength, ends))
        del by_ends[worst]
        loops = {loop: gap for loop, gap in loops.items() if worst not in _sides(loop)}


def _short_loops(by_ends: dict[tuple[int, int], Edge]) -> Iterator[Loop]:
    """All triangles, and quadrilaterals without a diagonal, each once."""
    neighbours: dict[int, set[int]] = {}
    for first, second in by_ends:
        neighbours.setdefault(first, set()).add(second)
        neighbours.setdefault(second, set()).add(first)
    for a in sorted(neighbours):
        later = sorted(b for b in neighbours[a] if b > a)
        for i, b in enumerate(later):
            for d in later[i + 1 :]:
                if d in neighbours[b]:
                    yield a, b, d
                    continue
                opposite = neighbours[b] & neighbours[d] - neighbours[a]
                yield from ((a, b, c, d) for c in sorted(opposite) if c > a)


def _sides(loop: Loop) -> list[tuple[int, int]]:
    return [(min(a, b), max(a, b)) for a, b in zip(loop, (*loop[1:], loop[0]), strict=True)]


def _gap(loop: Loop, by_ends: dict[tuple[int, int], Edge], sizes: tuple[Size, ...]) -> float:
    """How far the matches of the sides of a loop are from where its other sides lead, of the diagonal; median.

    NaN where the pictures of the loop share too little to say.
    """
    gaps: list[NDArray[np.float64]] = []
    for turn in range(len(loop)):
        way = (*loop[turn:], *loop[:turn])
        start, end = _matches(by_ends, way[-1], way[0])  # points of the last picture, and of the first one
        for here, there in pairwise(way):
            end = project(_homography(by_ends, here, there), end)
            seen = _inside(end, sizes[there])
            start, end = start[seen], end[seen]
        gaps.append(np.linalg.norm(end - start, axis=1) / np.hypot(*sizes[way[-1]]))
    gap = np.concatenate(gaps)
    return float(np.median(gap)) if len(gap) >= MIN_POINTS else np.nan


def _matches(by_ends: dict[tuple[int, int], Edge], here: int, there: int) -> tuple[Points, Points]:
    """(n, 2) each: places in the picture `here` and, by the alignment, in the picture `there`."""
    matches = by_ends[min(here, there), max(here, there)].alignment.matches
    places = matches.reference if here < there else matches.target
    return places, project(_homography(by_ends, here, there), places)


def _homography(by_ends: dict[tuple[int, int], Edge], here: int, there: int) -> Matrix:
    """(3, 3): px of the picture `here` -> px of the picture `there`."""
    homography = by_ends[min(here, there), max(here, there)].alignment.homography
    if here > there:
        return homography
    inverse = np.linalg.inv(homography)
    return np.asarray(inverse / inverse[2, 2])


def _inside(points: Points, size: Size) -> NDArray[np.bool_]:
    """(n,): which points lie in a picture, or near it."""
    margin = MARGIN * np.array(size)
    return np.asarray(((points > -margin) & (points < size + margin)).all(axis=1))  # false for NaN
