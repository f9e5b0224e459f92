"""The share of true places that a matching network finds, on windows of raw and of aligned pairs."""

import cv2
import numpy as np
import pytest

from apps.evaluation.measures.matching import MAX_ERROR, aligned_window, matching_errors, raw_window, share_within
from apps.evaluation.true_places import TruePlaces
from stitching.geometry.homographies import project
from stitching.io.picture import as_picture
from stitching.network.interface import MATCHING

SIZE = (640, 400)  # px; half as large in a window
HOMOGRAPHY = np.array([[0.9, -0.3, 60], [0.25, 0.95, -40], [1e-4, 0, 1]])  # target px -> reference px


class KnownMatches:
    """A network whose every cell is displaced as `displacement` (of the cells' centres) says."""

    device = "cpu"

    def __init__(self, displacement):
        self._displacement = displacement

    def __call__(self, inputs):
        MATCHING.check(inputs)
        rows, columns = (side // 8 for side in inputs["target"].shape[2:])
        centres = np.stack(np.meshgrid(np.arange(columns) * 8 + 3.5, np.arange(rows) * 8 + 3.5), axis=-1)
        matches = self._displacement(centres).transpose(2, 0, 1)[None]
        return {"forward_matches": matches.astype(np.float32)}


@pytest.fixture(scope="module")
def pair():
    noise = np.random.default_rng(0).uniform(0, 255, (SIZE[1] // 20, SIZE[0] // 20, 3)).astype(np.float32)
    reference = cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    target = cv2.warpPerspective(reference, HOMOGRAPHY, SIZE, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    x, y = np.meshgrid(np.arange(3, SIZE[0], 25.0), np.arange(3, SIZE[1], 25.0))
    points = np.stack([x, y], axis=-1).reshape(-1, 2)
    shown = project(HOMOGRAPHY, points)
    seen = ((shown >= 0) & (shown <= np.array(SIZE) - 1)).all(1)
    return as_picture(reference), as_picture(target), TruePlaces(shown[seen], points[seen])


def test_a_network_that_knows_the_truth_is_right_everywhere(pair):
    scale = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
    in_window = scale @ HOMOGRAPHY @ np.linalg.inv(scale)
    assert matching_errors(KnownMatches(lambda p: project(in_window, p) - p), raw_window(*pair)).share_right == 1
    assert matching_errors(KnownMatches(np.zeros_like), raw_window(*pair)).share_right < 0.2


def test_aligned_places_lie_where_they_lie_in_the_reference(pair):
    window = aligned_window(*pair)
    assert window is not None
    assert np.abs(window.places.target - window.places.reference).max() < 0.1
    assert matching_errors(KnownMatches(np.zeros_like), window).share_right == 1
    too_far = KnownMatches(lambda p: np.full_like(p, 1.5 * MAX_ERROR))
    assert matching_errors(too_far, window).share_right == 0


def test_pictures_on_an_aligned_window_show_the_same_at_the_same_place(pair):
    window = aligned_window(*pair)
    assert window is not None
    both = window.valid[0] & window.valid[1]
    assert both.mean() > 0.3
    assert np.abs(window.pictures[0][both].astype(int) - window.pictures[1][both]).mean() < 4


def test_places_of_a_raw_window_follow_its_shrunk_pictures(pair):
    window = raw_window(*pair)
    assert window.pictures[0].shape == (256, 320, 3)
    assert not window.valid[0][200:].any()
    assert window.valid[0][:200].all()
    np.testing.assert_allclose(window.places.target, (pair[2].target + 0.5) / 2 - 0.5)


@pytest.mark.parametrize("size", [(320, 256), (640, 512)])
def test_errors_count_in_px_of_the_usual_window_whatever_its_size(pair, size):
    window = aligned_window(*pair, size)
    off = 3 * size[0] / 320
    errors = matching_errors(KnownMatches(lambda p: np.full_like(p, [off, 0])), window)
    assert np.median(errors.place) == pytest.approx(3, abs=0.1)
    assert (share_within(errors.place, 4), share_within(errors.place, 2)) == (1, 0)
    assert np.abs(errors.cell - errors.place).max() < 6


def test_places_that_follow_no_homography_have_no_aligned_window(pair):
    reference, target, places = pair
    assert aligned_window(reference, target, TruePlaces(places.reference[:3], places.target[:3])) is None
