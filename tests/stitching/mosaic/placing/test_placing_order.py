"""Pictures are placed nearest neighbours in the match graph first."""

import numpy as np

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.match_graph.match_graph import Edge, MatchGraph
from stitching.mosaic.placing.placing_order import placing_order


def edge(first, second, strength):
    points = np.zeros((strength, 2))
    return Edge(first, second, Alignment(np.eye(3), Matches(points, points), "homography", 1, 1.0))


def test_a_row_is_placed_from_the_reference_outwards():
    graph = MatchGraph(4, (edge(0, 1, 50), edge(1, 2, 80), edge(2, 3, 40)))

    assert placing_order(graph, (0, 1, 2, 3), 1) == (1, 2, 0, 3)


def test_a_picture_that_many_join_together_comes_before_one_that_a_single_one_joins():
    graph = MatchGraph(4, (edge(0, 1, 60), edge(0, 2, 30), edge(0, 3, 45), edge(1, 2, 30)))

    assert placing_order(graph, (0, 1, 2, 3), 0) == (0, 1, 2, 3)


def test_other_components_are_not_placed():
    graph = MatchGraph(4, (edge(0, 1, 20), edge(2, 3, 90)))

    assert placing_order(graph, (0, 1), 1) == (1, 0)
