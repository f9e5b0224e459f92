import numpy as np

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.match_graph.loops import drop_contradicting
from stitching.match_graph.match_graph import Edge

SIZE = (400, 300)


def edge(first, second, place_first, place_second, n=40, extra=(0, 0)):
    """Two pictures whose upper left corners lie at these places; `extra` px of error."""
    shift = np.subtract(place_second, place_first) + extra
    target = np.random.default_rng(first * 7 + second).uniform(0, 1, (n, 2)) * SIZE
    homography = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]], float)
    return Edge(first, second, Alignment(homography, Matches(target, target + shift), "homography", 1, 1.0))


PLACES = [(0, 0), (150, 0), (0, 120), (150, 120), (300, 0)]
SIZES = (SIZE,) * 5
TRUE = [edge(a, b, PLACES[a], PLACES[b]) for a, b in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (1, 4), (3, 4)]]


def ends(edges):
    return [(one.first, one.second) for one in edges]


def test_true_edges_stay():
    assert drop_contradicting(tuple(TRUE), SIZES) == tuple(TRUE)


def test_an_edge_that_several_loops_contradict_goes_even_if_it_is_the_strongest():
    wrong = edge(0, 3, PLACES[0], PLACES[3], n=500, extra=(100, 0))
    edges = [wrong if (one.first, one.second) == (0, 3) else one for one in TRUE]
    assert ends(drop_contradicting(tuple(edges), SIZES)) == [e for e in ends(TRUE) if e != (0, 3)]


def test_of_one_wrong_triangle_the_weakest_edge_goes():
    a, b = TRUE[0], TRUE[3]
    wrong = edge(0, 2, PLACES[0], PLACES[2], n=20, extra=(0, 90))
    assert ends(drop_contradicting((a, wrong, b), SIZES)) == [(0, 1), (1, 2)]


def test_a_loop_of_four_that_does_not_close_loses_its_weakest_edge():
    quadrilateral = [one for one in TRUE if (one.first, one.second) in [(0, 1), (1, 3), (2, 3)]]
    wrong = edge(0, 2, PLACES[0], PLACES[2], n=20, extra=(80, 0))
    assert ends(drop_contradicting((*quadrilateral, wrong), SIZES)) == [(0, 1), (1, 3), (2, 3)]


def test_pictures_that_share_nothing_confirm_and_contradict_nothing():
    far = [(0, 0), (390, 0), (780, 0)]
    edges = tuple(edge(a, b, far[a], far[b], extra=(0, 90 * a)) for a, b in [(0, 1), (1, 2)])
    assert drop_contradicting(edges, SIZES) == edges
