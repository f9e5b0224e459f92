import cv2
import numpy as np
import pytest
from picture_pieces import source, texture

from stitching.match_graph.build import build_graph
from stitching.match_graph.match_graph import MatchGraph
from stitching.match_graph.tiles import tile_edges

PLACES = [(0, 0), (4, 278), (272, 3), (275, 281)]  # (top, left) of tiles of 300 x 300 px, which share 7 to 9 %


def specimen():
    """Soft dark discs on a bright ground: too few features for a strip of 20 px."""
    random = np.random.default_rng(8)
    y, x = np.mgrid[:600, :600]
    picture = np.full((600, 600), 190.0)
    for _ in range(160):
        cx, cy, radius, depth = random.uniform((0, 0, 6, 10), (600, 600, 14, 40))
        picture -= depth * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2))
    return picture


@pytest.fixture(scope="module")
def tiles():
    whole, random = specimen(), np.random.default_rng(9)
    pieces = [whole[top : top + 300, left : left + 300] for top, left in PLACES]
    noisy = [np.clip(piece + random.normal(0, 3, piece.shape), 0, 255).astype(np.uint8) for piece in pieces]
    return [source(cv2.cvtColor(piece, cv2.COLOR_GRAY2BGR)) for piece in noisy]


def check(graph):
    assert graph.components() == ((0, 1, 2, 3),)
    for edge in graph.edges:
        (top, left), (other_top, other_left) = PLACES[edge.first], PLACES[edge.second]
        assert edge.alignment.method == "translation"
        assert np.allclose(edge.alignment.homography[:2, 2], [other_left - left, other_top - top], atol=2)
        assert edge.strength > 0


def test_tiles_with_narrow_overlaps_are_joined(tiles):
    check(MatchGraph(4, tile_edges(tiles, [])))


def test_narrow_overlaps_are_found_where_features_find_none(tiles):
    check(build_graph(tiles, "auto", "cpu"))


def test_tiles_of_other_specimens_are_not_joined():
    assert tile_edges([source(texture(seed, 200, 240)) for seed in range(4)], []) == ()
