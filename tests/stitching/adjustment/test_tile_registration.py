"""Tiles registered again by all that they share."""

import cv2
import numpy as np
import pytest
from skimage.data import coffee

from stitching.adjustment.arrangement import Arrangement
from stitching.adjustment.tile_registration import register_tiles
from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.input_set import open_pictures
from stitching.match_graph.match_graph import Edge, MatchGraph

SIZE = (200, 150)  # of a tile
TRUE = np.array([(0, 0), (170.4, 2.3), (-1.2, 118.6), (168.7, 121.5)])  # places of the tiles: they share 30 px


def tile(x, y, noise):
    """A part of a photograph that begins between its pixels, with noise and light that falls off to the right."""
    move = np.array([[1, 0, x + 20], [0, 1, y + 20]])
    cut = cv2.warpAffine(coffee()[..., ::-1], move, SIZE, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    lit = cut * np.linspace(1, 0.8, SIZE[0])[:, None] + noise.normal(0, 3, cut.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)


def opened(places):
    noise = np.random.default_rng(4)
    sources, _ = open_pictures([tile(x, y, noise) for x, y in places])
    return sources


def placed(sources, places, errors, reference=0):
    """An arrangement whose places are off by `errors` (n, 2) px; `reference` is a position."""
    found, wrong = {}, places + errors
    for number, source in enumerate(sources):
        x, y = wrong[source.position] - wrong[reference]
        found[number] = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]])
    number = next(number for number, source in enumerate(sources) if source.position == reference)
    return Arrangement("translation", number, None, sources[number].size, found, 1.0)


def matched(sources, places, error=0.0):
    """A graph in which each tile is matched with the first of all; the matches are off by `error` px to the right."""
    edges = []
    for second in range(1, len(sources)):
        offset = np.subtract(*(places[sources[number].position] for number in (second, 0)))
        points = np.random.default_rng(second).uniform(0, 100, (20, 2))
        homography = np.array([[1, 0, offset[0]], [0, 1, offset[1]], [0, 0, 1]])
        matches = Matches(points, points + offset + (error, 0))
        edges.append(Edge(0, second, Alignment(homography, matches, "translation", 0, 1.0)))
    return MatchGraph(len(sources), tuple(edges))


def error_of(arrangement, sources, true=TRUE):
    places = np.array([-arrangement.to_picture[number][:2, 2] for number in range(len(sources))])
    return np.abs(places - true[[source.position for source in sources]]).max()


def test_places_that_are_off_by_two_pixels_come_out_right_to_a_fraction_of_one():
    sources = opened(TRUE)
    errors = np.array([(0, 0), (1.7, -1.2), (-2.0, 0.8), (1.0, 2.0)])

    found = register_tiles(sources, matched(sources, TRUE), placed(sources, TRUE, errors))

    assert error_of(found, sources) < 0.2


@pytest.mark.parametrize("error", [0.0, 1.5])
def test_the_residual_is_the_distance_of_the_matches(error):
    sources = opened(TRUE)
    found = register_tiles(sources, matched(sources, TRUE, error), placed(sources, TRUE, np.zeros((4, 2))))
    assert abs(found.residual - error) < 0.3


def test_parts_of_one_picture_come_to_lie_at_whole_pixels():
    corners = [(0, 0), (140, 2), (-1, 98)]
    tiles = [np.ascontiguousarray(coffee()[20 + y : 170 + y, 20 + x : 220 + x]) for x, y in corners]
    sources, _ = open_pictures(tiles)

    before = placed(sources, np.array(corners), np.array([(0, 0), (0.6, -0.4), (-0.8, 0.3)]))
    found = register_tiles(sources, matched(sources, corners), before)

    for number, source in enumerate(sources):
        assert np.array_equal(-found.to_picture[number][:2, 2], corners[source.position])


def test_the_reference_stays_where_it_is():
    sources = opened(TRUE)
    before = placed(sources, TRUE, np.ones((4, 2)) * 0.5)

    found = register_tiles(sources, matched(sources, TRUE), before)

    assert np.array_equal(found.to_picture[before.reference], np.eye(3))


def test_tiles_that_share_nothing_stay_where_they_are():
    apart = TRUE * 2
    sources = opened(TRUE)
    before = placed(sources, apart, np.zeros((4, 2)))

    assert register_tiles(sources, matched(sources, TRUE), before) is before


@pytest.mark.parametrize("reference", [0, 1])
@pytest.mark.parametrize("narrower", [0, 400])
def test_places_are_those_of_the_full_size_pictures_where_small_copies_are_looked_at(reference, narrower):
    """Also where the two copies are not equally small."""
    picture = cv2.resize(coffee()[..., ::-1], None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    corners = np.array([(0, 0), (1351, 0)])
    tiles = [np.ascontiguousarray(part) for part in (picture[:, :2000], picture[:, 1351 : 3351 - narrower])]
    sources, _ = open_pictures(tiles)
    assert max(source.copy.scale[0] for source in sources) < 0.4
    before = placed(sources, corners, np.array([(0, 0), (4, -3)]), reference)

    found = register_tiles(sources, matched(sources, corners), before)

    assert error_of(found, sources, corners - corners[reference]) < 0.25
