import cv2
import numpy as np
import pytest

from stitching.geometry.pixel_maps import pixel_grid
from stitching.warping.placement import Placement
from stitching.warping.relax import relax_map

H, W = 240, 400
EVERYWHERE = np.ones((H, W), bool)
SEAM = 120  # left of it the reference is shown


def relaxed(map_xy, covered=EVERYWHERE, trusted=EVERYWHERE):
    weight = np.broadcast_to(np.arange(W) < SEAM, (H, W)).astype(np.float32)
    return relax_map(Placement(map_xy, covered, trusted, np.zeros_like(map_xy), 1.0), weight)


def homography_map():
    homography = np.array([[1.1, 0.05, -30], [-0.02, 1.05, 12], [2e-4, -1e-4, 1]])
    grid = pixel_grid(H, W)
    moved = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), homography)  # (h*w, 1, 2) and back
    return moved.reshape(H, W, 2)


def bumpy(map_xy, size=6.0):
    """A map with a bump of 6 px every 40 px."""
    x, y = np.moveaxis(pixel_grid(H, W), -1, 0)
    bumps = size * np.sin(x / 6.4) * np.sin(y / 6.4)
    return (map_xy + np.stack([bumps, -bumps], axis=-1)).astype(np.float32)


def test_a_homography_stays_what_it_is():
    map_xy = homography_map()
    result = relaxed(map_xy)
    assert np.abs(result - map_xy).max() < 0.05


def test_at_the_seam_the_dense_map_is_kept():
    map_xy = bumpy(homography_map())
    result = relaxed(map_xy)
    moved = np.abs(result - map_xy)
    assert moved[:, :SEAM].max() < 0.01
    assert moved[:, SEAM].max() < 0.2  # of bumps of 6 px: no step at the seam


def test_far_from_the_seam_bumps_are_gone():
    base = homography_map()
    result = relaxed(bumpy(base))
    far = slice(SEAM + int(0.12 * np.hypot(H, W)), W - 20)
    assert np.abs(result - base)[20:-20, far].max() < 1


def test_in_between_the_map_neither_tears_nor_folds():
    result = relaxed(bumpy(homography_map(), 3.0))
    dx, dy = np.diff(result, axis=1)[:-1], np.diff(result, axis=0)[:, :-1]
    area = dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]
    assert area.min() > 0.2
    assert area.max() < 2.5


@pytest.mark.parametrize("what", ["covered", "trusted"])
def test_what_is_not_known_well_does_not_pull_the_rest(what):
    """A patch far from the seam says nonsense."""
    map_xy = homography_map()
    wrong = map_xy.copy()
    wrong[80:140, 300:360] += 60
    known = EVERYWHERE.copy()
    known[80:140, 300:360] = False
    masks = {"covered": EVERYWHERE, "trusted": known} if what == "trusted" else {"covered": known, "trusted": known}
    result = relaxed(wrong, **masks)
    assert np.abs(result - map_xy).max() < 0.5


def test_the_map_is_defined_everywhere():
    map_xy = homography_map()
    map_xy[:, 350:] = 1e4
    known = EVERYWHERE.copy()
    known[:, 350:] = False
    nothing = np.zeros((H, W), bool)
    for covered, trusted in ((known, known), (known, nothing), (nothing, nothing)):
        assert np.isfinite(relaxed(map_xy, covered, trusted)).all()
