"""Errors of placed pictures: none where the truth is followed, and the size of what is moved."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from view_errors import Placement, misregistration, place_errors, seam

from datasets.view_sets.view_set import ViewSet
from stitching.adjustment.arrangement import Arrangement
from stitching.adjustment.picture_view import PictureView
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import pixel_grid, rescale

SIZE, FOCAL, SCALE = (60, 40), 50.0, 0.5
CENTRE = (29.5, 19.5)
INTRINSICS = np.array([[FOCAL, 0, CENTRE[0]], [0, FOCAL, CENTRE[1]], [0, 0, 1]])


def turned(degrees, roll=0.0):
    """World to the camera that is turned to the right, then rolled."""
    pan, about = (cv2.Rodrigues(np.array(v) * np.pi / 180)[0] for v in ((0.0, -degrees, 0), (0.0, 0, roll)))
    return about @ pan


def far_views(*degrees):
    """Pictures of things that are infinitely far away; the middle one is the reference."""
    n = len(degrees)
    rotation = np.stack([turned(angle, 3 * k) for k, angle in enumerate(degrees)])
    depth = np.full((n, *SIZE[::-1]), np.inf, np.float32)
    pictures = (np.zeros((*SIZE[::-1], 3), np.uint8),) * n
    seen = np.full(depth.shape, 2**n - 1, np.uint16)
    return ViewSet(0, n // 2, pictures, np.stack([INTRINSICS] * n), rotation, np.zeros((n, 3)), depth, seen)


def placed(truth, focal=FOCAL):
    """A placement that follows the truth, on a cylinder of a focal length."""
    surface = Surface(focal, CENTRE)
    canvas = Canvas(surface, (-100, -10), (260, 60))
    reference = truth.rotation[truth.reference]
    frame = np.array([[focal, 0, CENTRE[0]], [0, focal, CENTRE[1]], [0, 0, 1]])
    to_picture = {
        k: INTRINSICS @ rotation @ reference.T @ np.linalg.inv(frame) for k, rotation in enumerate(truth.rotation)
    }
    arrangement = Arrangement("perspective", truth.reference, focal, SIZE, to_picture, 0.0)
    grid = rescale(pixel_grid(30, 130).astype(np.float64), 1 / SCALE)
    maps = {}
    for k, matrix in to_picture.items():
        found = PictureView(canvas, matrix, SIZE)(grid)
        outside = np.abs(found - CENTRE) > np.array(SIZE) / 2
        maps[k] = np.where(outside.any(axis=-1, keepdims=True), np.nan, found).astype(np.float32)
    labels = np.full((30, 130), -1, np.int16)
    return Placement(arrangement, truth.reference, canvas, SCALE, maps, maps, maps, labels)


def test_pictures_that_follow_the_truth_have_no_error():
    truth = far_views(-40, 0, 40)
    placement = placed(truth)
    for fit_all in (False, True):
        errors = place_errors(truth, placement, placement.dense, fit_all)
        assert set(errors) == {0, 1, 2}
        assert max(error.max() for error in errors.values()) < 0.05
    found = misregistration(truth, placement.dense, 0, 1)
    assert len(found) > 30
    assert found.max() < 0.05


def test_a_picture_that_is_moved_has_the_error_of_its_move():
    truth = far_views(-40, 0, 40)
    placement = placed(truth)
    moved = placement.dense | {2: placement.dense[2] + np.float32([3, 4])}
    assert np.median(misregistration(truth, moved, 1, 2)) == pytest.approx(5, abs=0.05)
    assert np.median(misregistration(truth, moved, 0, 1)) < 0.05
    errors = place_errors(truth, placement, moved, fit_all=False)
    assert np.median(errors[2]) == pytest.approx(5, abs=0.5)
    assert np.median(errors[0]) < 0.05


def test_a_frame_that_is_levelled_is_no_error():
    truth = far_views(-40, 0, 40)
    level = replace(truth, rotation=turned(5, 8) @ truth.rotation)  # not that of the placement's reference
    placement = placed(truth)
    assert max(e.max() for e in place_errors(level, placement, placement.dense, fit_all=False).values()) > 0.5
    tilted = replace(truth, rotation=truth.rotation @ turned(5, 8))  # the world turned: the same pictures
    assert max(e.max() for e in place_errors(tilted, placement, placement.dense, fit_all=False).values()) < 0.05


def test_a_wrong_focal_length_grows_with_the_distance_from_the_reference():
    truth = far_views(-60, -30, 0, 30, 60)
    placement = placed(truth, 1.05 * FOCAL)
    errors = place_errors(truth, placement, placement.dense, fit_all=False)
    assert all(np.median(errors[k]) < 0.6 for k in range(5))  # directions are right, only the canvas is wider


def test_the_seam_is_where_both_labels_touch():
    labels = np.array([[0, 0, 1, 1, 2], [0, 0, 1, 1, 2]], np.int16)
    assert np.array_equal(seam(labels, 0, 1)[0], [False, True, True, False, False])
    assert not seam(labels, 0, 2).any()
