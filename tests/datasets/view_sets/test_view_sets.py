"""Pictures of a row or a ring of cameras, and their truth, agree with each other."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from worlds import CPU, gentle_bank

from datasets.options import SampleOptions
from datasets.sample_renderer import SampleRenderer
from datasets.view_sets.options import ViewOptions
from datasets.view_sets.renderer import ViewSetRenderer
from stitching.errors import InputError

SIZE = (96, 80)
OPTIONS = SampleOptions(
    size=SIZE, scenes=("room",), photometry=False, supersampling=1, overlap=(0.5, 0.7), parallax=(2.0, 8.0)
)
ROW, RING = ViewOptions(4), ViewOptions(9, ring=True)


def make(views, index=1, options=OPTIONS):
    return ViewSetRenderer(SampleRenderer(options, 5, CPU, gentle_bank()), views)(index)


@cache
def made(views):
    """Rendered once; do not change it."""
    return make(views)


def places(found, view, other):
    """(h, w, 2) px of the other picture, and the third homogeneous coordinate (h, w)."""
    homogeneous = found.places(view, other)
    return homogeneous[..., :2] / homogeneous[..., 2:], homogeneous[..., 2]


@pytest.mark.parametrize("views", [ROW, RING])
def test_both_pictures_have_the_same_colour_where_both_see_a_point(views):
    found = made(views)
    for view, other in ((0, 1), (2, 1), (len(found.pictures) - 2, len(found.pictures) - 1)):
        at, _ = places(found, view, other)
        there = cv2.remap(found.pictures[other], at.astype(np.float32), None, cv2.INTER_LINEAR)
        both = found.sees(other, view)
        difference = np.abs(there.astype(int) - found.pictures[view]).mean(axis=2)
        assert both.mean() > 0.1
        assert np.median(difference[both]) < 3
        assert np.median(difference[both]) < 0.3 * np.median(difference[~both])


@pytest.mark.parametrize("views", [ROW, RING])
def test_what_is_seen_lies_before_the_camera_and_in_its_picture(views):
    found, (w, h) = made(views), SIZE
    for view in range(views.views):
        assert found.sees(view, view).all()
        for other in range(views.views):
            at, depth = places(found, view, other)
            seen = found.sees(other, view)
            assert (depth[seen] > 0).all()
            assert (np.abs(at[seen] - (np.array(SIZE) - 1) / 2) <= np.array([w, h]) / 2 + 1e-3).all()


def test_every_pixel_is_at_home_in_its_own_picture():
    found = made(ROW)
    at, depth = places(found, 2, 2)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    np.testing.assert_allclose(at, np.stack([x, y], -1), atol=1e-9)
    assert (depth > 0).all()


def headings(found):
    """(n,) degrees of the cameras' optical axes, to the right."""
    return np.degrees(np.arctan2(found.rotation[:, 2, 0], found.rotation[:, 2, 2]))


def test_a_row_goes_from_left_to_right_and_neighbours_overlap_as_asked():
    found = made(ROW)
    assert found.reference == 2
    assert (np.diff(headings(found)) > 0).all()
    overlaps = [found.sees(k, k + 1).mean() for k in range(3)]
    assert min(overlaps) > 0.3
    assert max(overlaps) < 0.9
    centres = np.stack([-r.T @ t for r, t in zip(found.rotation, found.translation, strict=True)])
    assert (np.linalg.norm(np.diff(centres, axis=0), axis=1) > 0.01).all()  # they move, too


def test_a_ring_turns_evenly_and_closes():
    found = made(RING)
    steps = np.diff(np.append(headings(found), headings(found)[0])) % 360
    np.testing.assert_allclose(steps, 40, atol=1e-6)
    assert all(found.sees(k, (k + 1) % 9).mean() > 0.1 for k in range(9))


def test_a_set_depends_on_its_seed_and_number_alone():
    again = make(ROW)
    first = made(ROW)
    assert all(np.array_equal(a, b) for a, b in zip(first.pictures, again.pictures, strict=True))
    assert np.array_equal(first.depth, again.depth)
    assert not np.array_equal(first.depth, make(ROW, 2).depth)


def test_each_picture_has_a_photometry_of_its_own():
    clean, found = made(ROW), make(ROW, options=replace(OPTIONS, photometry=True))
    assert np.array_equal(clean.depth, found.depth)
    changes = [np.mean(a.astype(int) - b) for a, b in zip(found.pictures, clean.pictures, strict=True)]
    assert len({round(change) for change in changes}) > 1


@pytest.mark.parametrize(
    ("views", "words"), [(ViewOptions(17), "--views 17: expected 2 to 16"), (ViewOptions(5, True), "8 or more")]
)
def test_impossible_numbers_are_named(views, words):
    options = SampleOptions(overlap=(0.4, 0.5))
    with pytest.raises(InputError, match=words):
        views.check(options)
