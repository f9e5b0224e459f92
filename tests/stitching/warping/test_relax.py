import cv2
import numpy as np
import pytest

from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import inside, pixel_grid
from stitching.warping.placement import Placement
from stitching.warping.relax import relax_map
from stitching.warping.warp import AlignedPair

H, W = 240, 400
DIAGONAL = float(np.hypot(H, W))
EVERYWHERE = np.ones((H, W), bool)
SEAM, RIM = 120, 200  # left of the seam the reference is shown; it ends at the rim
FAR = slice(RIM + round(0.1 * DIAGONAL), W - 20)
HOMOGRAPHY = np.array([[1.1, 0.05, -30], [-0.02, 1.05, 12], [2e-4, -1e-4, 1]])
GRID = pixel_grid(H, W)
BACKGROUND = project(HOMOGRAPHY, GRID.astype(np.float64)).astype(np.float32)


def relaxed(map_xy, covered=EVERYWHERE, trusted=EVERYWHERE, textured=EVERYWHERE, coarse=BACKGROUND):
    weight = np.broadcast_to(np.arange(W) < SEAM, (H, W)).astype(np.float32)
    noise = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
    picture = np.where(textured[..., None], noise, 128).astype(np.uint8)
    reference_valid = np.broadcast_to(np.arange(W) < RIM, (H, W))
    pair = AlignedPair(picture, picture, reference_valid, covered, trusted, ~EVERYWHERE)
    return relax_map(Placement(map_xy, covered, trusted, np.zeros_like(map_xy), 1.0), pair, weight, coarse)


def bumpy(map_xy, size=6.0):
    """A map with a bump of 6 px every 40 px."""
    x, y = np.moveaxis(GRID, -1, 0)
    bumps = size * np.sin(x / 6.4) * np.sin(y / 6.4)
    return (map_xy + np.stack([bumps, -bumps], axis=-1)).astype(np.float32)


def stretch_of_areas(map_xy):
    """(h - 1, w - 1): how many times larger an area the map takes than the background does."""
    areas = []
    for field in (map_xy, BACKGROUND):
        dx, dy = np.diff(field, axis=1)[:-1], np.diff(field, axis=0)[:, :-1]
        areas.append(dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0])
    return areas[0] / areas[1]


def deviation_from_a_line(points):
    """Largest distance of (n, 2) points from the line that fits them best."""
    centred = points - points.mean(axis=0)
    return np.abs(centred @ np.linalg.svd(centred, full_matrices=False)[2][1]).max()


def test_a_scene_of_one_plane_stays_what_it_is():
    assert np.abs(relaxed(BACKGROUND) - BACKGROUND).max() < 0.05


def test_another_plane_than_that_of_the_coarse_warp_goes_on_beyond_the_overlap():
    other = project(HOMOGRAPHY @ np.array([[1.02, 0.01, 4], [0, 1.02, -3], [0, 0, 1]]), GRID.astype(np.float64))
    moved = np.abs(relaxed(other.astype(np.float32)) - other)
    assert moved[:, : FAR.start].max() < 0.3
    assert moved.max() < 0.6  # far away the base levels off


def test_at_the_seam_the_dense_map_is_kept():
    map_xy = bumpy(BACKGROUND, 2.0)
    moved = np.abs(relaxed(map_xy) - map_xy)
    assert moved[:, :SEAM].max() < 0.01
    assert moved[:, SEAM].max() < 0.1  # of bumps of 2 px: no step at the seam


def test_far_from_the_seam_bumps_are_gone():
    result = relaxed(bumpy(BACKGROUND))
    assert np.abs(result - BACKGROUND)[:, FAR].max() < 1


def test_in_between_the_map_neither_tears_nor_folds():
    areas = stretch_of_areas(relaxed(bumpy(BACKGROUND, 3.0)))
    assert areas[:, SEAM:].min() > 0.2
    assert areas[:, SEAM:].max() < 2.5


def near_thing(shift=25.0):
    """A map in which a thing between 60 and 160 px from the top, which crosses the seam, moves by `shift` px."""
    map_xy = BACKGROUND.copy()
    map_xy[60:160, 80:160, 0] += shift
    return map_xy


def test_beyond_a_near_thing_at_the_seam_nothing_tears_or_folds():
    areas = stretch_of_areas(relaxed(near_thing()))[:, SEAM + 8 :]
    assert areas.min() > 0.2
    assert areas.max() < 4


def test_a_near_thing_does_not_bend_the_outline():
    """The shown target ends where its map leaves the picture: here at the right."""
    picture = int(BACKGROUND[:, 330, 0].min()), 10**6
    ends, true_ends = (
        (np.arange(W) * inside(map_xy, picture)).max(axis=1)[5:-5] for map_xy in (relaxed(near_thing()), BACKGROUND)
    )
    assert np.abs(ends - true_ends).max() < 4
    assert np.abs(np.diff(ends - true_ends)).max() <= 1


@pytest.mark.parametrize("y", [30, 110, 200])
def test_a_straight_line_stays_straight_across_the_rim(y):
    """A wire far away, where the warp differs from the coarse one by what a slight turn does; noise on top."""
    turned = project(HOMOGRAPHY @ np.array([[1, 0.02, 0], [-0.02, 1, 5], [1e-5, 0, 1]]), GRID.astype(np.float64))
    noise = 8 * cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, (H, W, 2)), (0, 0), 6)  # 0.4 px
    result = relaxed((turned + noise).astype(np.float32))
    direction = turned[y, -1] - turned[y, 0]  # of a line of the target that is row y of the canvas
    normal = np.array([-direction[1], direction[0]]) / np.hypot(*direction)
    from_line = (result - turned[y, 0]) @ normal  # (h, w), of what is shown
    columns = np.arange(SEAM - 40, W - 10)
    rows = np.abs(from_line).argmin(axis=0)[columns]
    crossing = rows - from_line[rows, columns] / (from_line[rows + 1, columns] - from_line[rows, columns])
    assert deviation_from_a_line(np.stack([columns, crossing], axis=1)) < 1


def test_blank_surfaces_are_not_bent():
    """Nothing can be matched on the lower half: what the dense map says there is noise."""
    textured = EVERYWHERE.copy()
    textured[H // 2 :] = False
    smooth_noise = cv2.GaussianBlur(np.random.default_rng(2).normal(0, 1, (H, W, 2)), (0, 0), 8) * 120
    map_xy = BACKGROUND + smooth_noise.astype(np.float32)
    map_xy[: H // 2 + 12] = BACKGROUND[: H // 2 + 12]
    assert np.abs(map_xy - BACKGROUND).max() > 10
    result = relaxed(map_xy, textured=textured)
    assert np.abs(result - BACKGROUND)[:, SEAM:].max() < 2


@pytest.mark.parametrize("what", ["covered", "trusted"])
def test_what_is_not_known_well_does_not_pull_the_rest(what):
    """A patch far from the seam says nonsense."""
    wrong = BACKGROUND.copy()
    wrong[80:140, 150:180] += 60
    known = EVERYWHERE.copy()
    known[80:140, 150:180] = False
    masks = {"covered": EVERYWHERE, "trusted": known} if what == "trusted" else {"covered": known, "trusted": known}
    assert np.abs(relaxed(wrong, **masks) - BACKGROUND).max() < 0.5


def test_the_map_is_defined_everywhere():
    map_xy = BACKGROUND.copy()
    map_xy[:, 350:] = 1e4
    known = EVERYWHERE.copy()
    known[:, 350:] = False
    nothing = ~EVERYWHERE
    for covered, trusted in ((known, known), (known, nothing), (nothing, nothing)):
        assert np.isfinite(relaxed(map_xy, covered, trusted)).all()
