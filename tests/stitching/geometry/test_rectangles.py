import numpy as np

from stitching.geometry.rectangles import Rectangle, bounding_rectangle

OUTER = Rectangle(3, 5, 40, 30)


def test_origin_size_and_slices():
    array = np.arange(50 * 60).reshape(50, 60)
    cut = array[OUTER.slices]
    assert cut.shape == OUTER.size[::-1] == (25, 37)
    assert cut[0, 0] == array[5, 3]
    assert OUTER.origin == (3, 5)


def test_what_two_rectangles_share_may_be_empty():
    assert OUTER.intersect(Rectangle(-5, 10, 8, 90)) == Rectangle(3, 10, 8, 30)
    assert not OUTER.is_empty
    assert OUTER.intersect(Rectangle(40, 0, 50, 30)).is_empty


def test_growing_moving_scaling_and_aligning():
    assert OUTER.grown(2) == Rectangle(1, 3, 42, 32)
    assert OUTER.translated(-3, 1) == Rectangle(0, 6, 37, 31)
    assert OUTER.scaled(0.5) == Rectangle(1, 2, 20, 15)
    assert OUTER.translated(-40, 0).scaled(0.5) == OUTER.scaled(0.5).translated(-20, 0)
    assert Rectangle(35, 64, 70, 99).aligned_to(32) == Rectangle(32, 64, 70, 99)


def test_a_rectangle_and_those_beside_it_cover_each_pixel_once():
    for inner in (Rectangle(10, 10, 20, 20), Rectangle(3, 5, 20, 30), OUTER):
        count = np.zeros((40, 50), int)
        count[inner.slices] += 1
        for part in OUTER.beside(inner):
            assert not part.is_empty
            count[part.slices] += 1
        expected = np.zeros((40, 50), int)
        expected[OUTER.slices] = 1
        assert np.array_equal(count, expected)


def test_a_bounding_rectangle_holds_all_and_stays_on_the_mask():
    mask = np.zeros((20, 30), bool)
    mask[5, 7] = mask[9, 28] = True
    assert bounding_rectangle(mask) == Rectangle(7, 5, 29, 10)
    assert bounding_rectangle(mask, 4) == Rectangle(3, 1, 30, 14)
    assert bounding_rectangle(np.zeros_like(mask), 4) == Rectangle(0, 0, 30, 20)
