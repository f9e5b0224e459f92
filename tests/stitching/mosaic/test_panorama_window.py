"""Windows of a panorama that shows a whole turn."""

import numpy as np
import pytest

from stitching.geometry.rectangles import Rectangle
from stitching.mosaic.panorama_window import window_around

SIZE = 50, 8  # px of the panorama


@pytest.mark.parametrize("area", [(0, 51), (-3, 48), (10, 20), (30, 78), (45, 60)])
def test_no_column_is_shown_twice(area):
    window = window_around(Rectangle(area[0], 0, area[1], 8), 5, SIZE, wraps=True)

    columns = window.copy_of(np.arange(50)[None].repeat(8, axis=0))[0]

    assert len(set(columns.tolist())) == len(columns) == window.area.size[0]


def test_a_window_grows_over_the_ends_of_a_whole_turn_only():
    area = Rectangle(2, 2, 12, 6)

    assert window_around(area, 5, SIZE, wraps=True).area == Rectangle(-3, 0, 17, 8)
    assert window_around(area, 5, SIZE, wraps=False).area == Rectangle(0, 0, 17, 8)
