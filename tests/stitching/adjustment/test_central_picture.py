"""The picture whose view is kept is in the middle, well exposed, and of the usual size."""

from dataclasses import replace

import numpy as np
import pytest
from picture_files import photo

from stitching.adjustment.arrangement import Arrangement
from stitching.adjustment.central_picture import central_picture
from stitching.io.picture import Picture
from stitching.io.picture_source import PictureSource

SIZE = (64, 48)


def source(number, gain=1.0):
    pixels = np.clip(photo().astype(np.float32) * gain, 0, 255).astype(np.uint8)
    return PictureSource(f"{number}.png", number, SIZE, Picture(pixels), str(number), lambda: Picture(pixels))


def moved(x, scale=1.0):
    """Frame px -> px of a picture that lies x px to the right, its pixels `scale` times as large there."""
    return np.array([[1 / scale, 0, -x / scale], [0, 1 / scale, 0], [0, 0, 1.0]])


def row(*matrices):
    return Arrangement("perspective", 0, None, SIZE, dict(enumerate(matrices)), 0.0)


FIVE = row(*(moved(x) for x in (0, 20, 40, 60, 80)))


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (3, 0, 4, 2, 1)])
def test_of_a_row_it_is_the_one_in_the_middle(order):
    arrangement = row(*(moved(20 * place) for place in order))

    assert central_picture(arrangement, [source(n) for n in range(5)]) == order.index(2)


def test_one_that_is_burnt_out_is_not_taken():
    sources = [source(n) for n in range(5)]
    sources[2] = source(2, gain=6.0)

    assert central_picture(FIVE, sources) in (1, 3)


def test_an_enlarged_detail_is_not_taken():
    matrices = dict(FIVE.to_picture) | {2: moved(60, scale=0.3)}
    arrangement = replace(FIVE, to_picture=matrices)

    assert central_picture(arrangement, [source(n) for n in range(5)]) != 2


def test_of_turned_cameras_it_is_the_one_that_looks_to_the_middle():
    focal, centre = 50.0, np.array([[1, 0, 31.5], [0, 1, 23.5], [0, 0, 1.0]])
    camera = centre @ np.diag([focal, focal, 1])
    matrices = {}
    for number, yaw in enumerate(np.deg2rad([40, -40, 0])):
        turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        matrices[number] = camera @ turn @ np.linalg.inv(camera)

    assert (
        central_picture(Arrangement("perspective", 0, focal, SIZE, matrices, 0.0), [source(n) for n in range(3)]) == 2
    )
