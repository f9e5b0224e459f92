import numpy as np

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.match_graph.match_graph import Edge, MatchGraph
from stitching.match_graph.translations import as_translations

SIZES = ((400, 300),) * 4


def edge(first, second, matrix):
    target = np.random.default_rng(first).uniform(0, 300, (50, 2))
    reference = target @ matrix[:2, :2].T + matrix[:2, 2]
    bent = matrix + np.array([[0.002, 0, 0], [0, 0.001, 0], [0, 0, 0]])  # the noise of a general alignment
    return Edge(first, second, Alignment(bent, Matches(target, reference), "homography", 1, 1.0))


def shift(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def test_pictures_that_were_only_moved_are_joined_by_translations():
    graph = as_translations(MatchGraph(4, (edge(0, 1, shift(200, 3)), edge(1, 2, shift(-7, 150)))), SIZES)
    assert [one.alignment.method for one in graph.edges] == ["translation", "translation"]
    assert np.allclose(graph.edges[1].alignment.homography, shift(-7, 150), atol=1e-6)


def test_one_turned_picture_keeps_its_component_as_it_is():
    turned = shift(100, 20)
    turned[:2, :2] = [[0.98, -0.2], [0.2, 0.98]]
    edges = (edge(0, 1, shift(200, 3)), edge(1, 2, turned))
    assert as_translations(MatchGraph(4, edges), SIZES).edges == edges
