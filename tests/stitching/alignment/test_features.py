import cv2
import numpy as np
import pytest
from synthetic import two_planes

from stitching.alignment import features
from stitching.alignment.features import Features, epipolar_inliers, match_features
from stitching.io.picture import to_grey


@pytest.fixture(scope="module")
def pair():
    scene = two_planes()
    return Features(to_grey(scene.target)), Features(to_grey(scene.reference))


def blobs(seed=0, shape=(200, 260)):
    """Band-limited noise of little contrast."""
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 8)
    return np.clip(128 + 60 * smooth / np.abs(smooth).max(), 0, 255).astype(np.uint8)


def test_matches_are_where_the_scene_says(pair):
    matches = match_features(*pair)
    cells = matches.target.round().astype(int)
    true = two_planes().map_xy[cells[:, 1], cells[:, 0]]
    error = np.linalg.norm(true - matches.reference, axis=1)
    assert len(matches) > 300
    assert (error < 2).mean() > 0.9


def test_both_surfaces_are_matched(pair):
    cells = match_features(*pair).target.round().astype(int)
    assert two_planes().on_box[cells[:, 1], cells[:, 0]].sum() > 50


def test_a_point_is_in_one_match(pair):
    matches = match_features(*pair)
    assert len(np.unique(matches.target.round(2), axis=0)) == len(matches)


def test_matching_twice_gives_the_same(pair):
    first, second = match_features(*pair), match_features(*pair)
    assert np.array_equal(first.target, second.target)
    assert np.array_equal(first.reference, second.reference)


def test_points_of_a_turned_picture_are_turned(pair):
    picture = pair[0].picture
    matches = match_features(Features(np.ascontiguousarray(np.rot90(picture, 2))), pair[0])
    offset = matches.target + matches.reference - (picture.shape[1] - 1, picture.shape[0] - 1)
    assert np.abs(np.median(offset, axis=0)).max() < 0.02
    assert (np.abs(offset) < 0.1).all(axis=1).mean() > 0.9


def test_masked_regions_are_not_matched(pair):
    target_mask, reference_mask = (np.full(p.picture.shape, 255, np.uint8) for p in pair)
    target_mask[:, :200] = 0
    reference_mask[150:] = 0
    matches = match_features(Features(pair[0].picture, target_mask), Features(pair[1].picture, reference_mask))
    assert len(matches) > 50
    assert matches.target[:, 0].min() > 198
    assert matches.reference[:, 1].max() < 152


def test_a_second_detector_finds_more_in_soft_pictures(monkeypatch):
    large = blobs()

    def count_of_correct_matches():
        matches = match_features(Features(large[:, :220]), Features(large[:, 40:]))
        return (np.linalg.norm(matches.reference - matches.target - [-40, 0], axis=1) < 2).sum()

    with_both = count_of_correct_matches()
    monkeypatch.setattr(features, "MIN_SIFT_MATCHES", 0)
    assert with_both >= count_of_correct_matches() + 5
    assert with_both >= 10


def test_a_picture_of_one_colour_has_no_matches(pair):
    assert len(match_features(Features(np.full((100, 120), 128, np.uint8)), pair[1])) == 0
    assert len(match_features(pair[0], Features(np.zeros((100, 120), np.uint8)))) == 0


def test_selecting_keeps_pairs_together(pair):
    matches = match_features(*pair)
    some = matches.select(np.array([4, 2]))
    assert np.array_equal(some.target, matches.target[[4, 2]])
    assert np.array_equal(some.reference, matches.reference[[4, 2]])
    assert len(matches.select(np.zeros(len(matches), bool))) == 0


def test_matches_on_their_epipolar_lines_are_inliers_whatever_their_parallax():
    random = np.random.default_rng(0)
    first = random.uniform(0, 400, (120, 2))
    second = first + np.stack([random.uniform(5, 60, 120), np.zeros(120)], axis=-1)  # a camera that moved sideways
    second[:20, 1] += random.uniform(20, 80, 20)  # wrong matches
    inliers = epipolar_inliers(first, second, 1.0, 3000, minimum=50)
    assert inliers[20:].mean() > 0.95
    assert inliers[:20].mean() < 0.2
    assert epipolar_inliers(first, second, 1.0, 3000, minimum=115) is None
    assert epipolar_inliers(first[:10], second[:10], 1.0, 3000, minimum=15) is None


def test_matches_that_give_no_fundamental_matrix_at_all_have_no_inliers():
    """A few matches over and over: OpenCV finds no matrix, and says so with an assertion."""
    rng = np.random.default_rng(474)
    first, second = rng.uniform(0, 64, (20, 2)), rng.uniform(0, 64, (20, 2))
    first, second = (points[rng.integers(0, 3, 20)].astype(np.float32) for points in (first, second))
    assert epipolar_inliers(first, second, 1.5, 3000, 8) is None
