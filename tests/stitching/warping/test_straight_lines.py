import cv2
import numpy as np

from stitching.geometry.pixel_maps import pixel_grid
from stitching.warping.straight_lines import find_segments, line_triples

H, W = 200, 300


def drawn(start, end):
    picture = np.full((H, W, 3), 80, np.uint8)
    cv2.line(picture, start, end, (200, 200, 200), 6, cv2.LINE_AA)
    return picture


def everywhere():
    return np.ones((H, W), bool)


def test_long_segments_are_found_where_they_are():
    ends = find_segments(drawn((40, 30), (260, 150)), everywhere())
    assert len(ends) >= 2  # both sides of the line
    normal = np.array([-120, 220]) / np.hypot(120, 220)
    assert np.abs(np.abs((ends - [40, 30]) @ normal) - 3).max() < 2


def test_short_segments_do_not_count():
    assert len(find_segments(drawn((100, 100), (110, 104)), everywhere())) == 0


def test_neither_does_the_border_of_the_part_that_is_looked_at():
    where = everywhere()
    where[:, :150] = False
    assert len(find_segments(np.full((H, W, 3), 200, np.uint8), where)) == 0


def test_a_blank_picture_has_no_segments():
    assert len(find_segments(np.zeros((H, W, 3), np.uint8), everywhere())) == 0


def test_triples_are_evenly_spaced_and_perpendicular_to_the_mapped_line():
    turned = pixel_grid(H, W)[..., ::-1] * np.float32([1, -1])  # by 90 degrees
    lines = line_triples(np.array([[[10.0, 20], [110, 20]]]), turned, 25)
    assert lines.places.shape == (3, 3, 2)
    assert np.allclose(np.diff(lines.places, axis=1), [25, 0])
    assert np.allclose(np.abs(lines.normals), [1, 0])
