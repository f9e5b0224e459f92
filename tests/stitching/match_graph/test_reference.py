import numpy as np

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.match_graph.match_graph import Edge, MatchGraph
from stitching.match_graph.reference import best_reference


def graph(count, **strengths):
    """Edges by the numbers of their ends: `_01=50` joins 0 and 1 with 50 matches."""
    edges = []
    for name, n in strengths.items():
        points = np.zeros((n, 2))
        edges.append(Edge(int(name[1]), int(name[2]), Alignment(np.eye(3), Matches(points, points), "affine", 1, 1.0)))
    return MatchGraph(count, tuple(edges))


def test_the_middle_of_a_row_is_the_reference():
    assert best_reference(graph(5, _01=50, _12=50, _23=50, _34=50), (0, 1, 2, 3, 4)) == 2


def test_of_two_middles_the_one_with_more_matches_is_the_reference():
    assert best_reference(graph(4, _01=200, _12=200, _23=400), (0, 1, 2, 3)) == 2
    assert best_reference(graph(4, _01=400, _12=200, _23=200), (0, 1, 2, 3)) == 1


def test_equal_pictures_are_taken_in_their_order():
    assert best_reference(graph(3, _01=50, _02=50, _12=50), (0, 1, 2)) == 0


def test_only_pictures_of_the_component_count():
    apart = graph(5, _01=50, _23=50, _34=50)
    assert best_reference(apart, (2, 3, 4)) == 3
    assert best_reference(apart, (0, 1)) == 0


def test_a_way_over_few_matches_is_longer():
    ring = graph(4, _01=500, _12=500, _23=12, _03=12)
    assert best_reference(ring, (0, 1, 2, 3)) == 1
