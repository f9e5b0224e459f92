"""Tiles registered again by all that they share."""

import cv2
import numpy as np
from skimage.data import coffee

from stitching.adjustment.arrangement import Arrangement
from stitching.adjustment.tile_registration import register_tiles
from stitching.input_set import open_pictures

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


def placed(sources, places, errors):
    """An arrangement whose places are off by `errors` (n, 2) px; the reference is the first tile."""
    found = {}
    for number, source in enumerate(sources):
        x, y = places[source.position] + errors[source.position] - places[0] - errors[0]
        found[number] = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]])
    reference = next(number for number, source in enumerate(sources) if source.position == 0)
    return Arrangement("translation", reference, None, SIZE, found, 1.0)


def error_of(arrangement, sources):
    places = np.array([-arrangement.to_picture[number][:2, 2] for number in range(len(sources))])
    return np.abs(places - TRUE[[source.position for source in sources]]).max()


def test_places_that_are_off_by_two_pixels_come_out_right_to_a_fraction_of_one():
    sources = opened(TRUE)
    errors = np.array([(0, 0), (1.7, -1.2), (-2.0, 0.8), (1.0, 2.0)])

    found = register_tiles(sources, placed(sources, TRUE, errors))

    assert error_of(found, sources) < 0.2
    assert found.residual < 0.2


def test_parts_of_one_picture_come_to_lie_at_whole_pixels():
    corners = [(0, 0), (140, 2), (-1, 98)]
    tiles = [np.ascontiguousarray(coffee()[20 + y : 170 + y, 20 + x : 220 + x]) for x, y in corners]
    sources, _ = open_pictures(tiles)

    found = register_tiles(sources, placed(sources, np.array(corners), np.array([(0, 0), (0.6, -0.4), (-0.8, 0.3)])))

    for number, source in enumerate(sources):
        assert np.array_equal(-found.to_picture[number][:2, 2], corners[source.position])


def test_the_reference_stays_where_it_is():
    sources = opened(TRUE)
    before = placed(sources, TRUE, np.ones((4, 2)) * 0.5)

    found = register_tiles(sources, before)

    assert np.array_equal(found.to_picture[before.reference], np.eye(3))


def test_tiles_that_share_nothing_stay_where_they_are():
    apart = TRUE * 2
    sources = opened(TRUE)
    before = placed(sources, apart, np.zeros((4, 2)))

    assert register_tiles(sources, before) is before


def test_places_are_those_of_the_full_size_pictures_where_small_copies_are_looked_at():
    picture = cv2.resize(coffee()[..., ::-1], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    tiles = [np.ascontiguousarray(picture[:1100, x : x + 1300]) for x in (0, 1000)]
    sources, _ = open_pictures(tiles)
    assert max(sources[0].copy.scale) < 1
    first = next(number for number, source in enumerate(sources) if source.position == 0)
    matrices = {number: np.eye(3) for number in range(2)}
    matrices[1 - first] = np.array([[1, 0, -1004.0], [0, 1, 3.0], [0, 0, 1]])

    found = register_tiles(sources, Arrangement("translation", first, None, (1300, 1100), matrices, 1.0))

    assert np.abs(found.to_picture[1 - first][:2, 2] - (-1000, 0)).max() < 0.3
