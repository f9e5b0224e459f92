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


def views_of_a_shore(shift):
    """Two views of the same horizon between a bright sky and a dark sea, and of unlike waves."""
    sky_and_sea = np.where(np.arange(240) < 130, 200.0, 60.0)[:, None, None]
    waves = [texture(seed, 240, 320).astype(np.float64) - 128 for seed in (1, 2)]
    pictures = [np.clip(sky_and_sea + 0.25 * wave, 0, 255).astype(np.uint8) for wave in waves]
    return [source(pictures[0]), source(np.roll(pictures[1], shift, axis=0))]


@pytest.mark.parametrize("shift", [0, 12])
def test_a_horizon_alone_does_not_join_pictures(shift):
    assert tile_edges(views_of_a_shore(shift), []) == ()
