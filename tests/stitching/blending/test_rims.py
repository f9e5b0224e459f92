import cv2
import numpy as np
import pytest
from skimage.data import coffee

from stitching.blending.rims import rim_distances, sides, without_islands
from stitching.blending.seam import seam
from stitching.warping.warp import AlignedPair

H, W = 240, 360
DIAGONAL = np.hypot(H, W)
LEFT, RIGHT = 120, 240  # the target begins, the reference ends


def pair_of(left=LEFT, right=RIGHT, hidden=None, untrusted=None, hole=None):
    """The reference sees columns ..right, the target left..; it is somewhat brighter in the lower half."""
    scene = cv2.resize(np.ascontiguousarray(coffee()[..., ::-1]), (W, H), interpolation=cv2.INTER_AREA)
    reference_valid, target_valid, behind, wrong = np.zeros((4, H, W), bool)
    reference_valid[:, :right], target_valid[:, left:] = True, True
    if hidden is not None:
        behind[hidden] = True
    if untrusted is not None:
        wrong[untrusted] = True
    if hole is not None:
        target_valid[hole] = False
    target = scene.copy()
    target[H // 2 :] = np.minimum(target[H // 2 :] * 1.2, 255)
    return AlignedPair(
        np.where(reference_valid[..., None], scene, 0), np.where(target_valid[..., None], target, 0),
        reference_valid, target_valid, target_valid & ~behind & ~wrong, behind & reference_valid,
    )  # fmt: skip


def seam_columns(weight):
    """For each row the columns beside which the shown picture changes."""
    return [np.flatnonzero(np.diff((row > 0.5).astype(int))) for row in weight]


@pytest.mark.parametrize("bright", [(slice(None), slice(130, 200)), (slice(None), slice(160, 230)), None])
def test_on_a_wide_overlap_a_seam_is_never_nearer_to_a_rim_than_the_margin(bright):
    pair = pair_of()
    if bright is not None:  # what differs all along the middle would push the seam to a rim
        pair.target[bright] = 255 - pair.target[bright]
    for columns in seam_columns(seam(pair, "none").weight):
        assert len(columns) > 0
        assert columns.min() >= LEFT + 0.03 * DIAGONAL
        assert columns.max() <= RIGHT - 0.03 * DIAGONAL


@pytest.mark.parametrize("width", [4, 10, 20, 30])
def test_on_a_narrow_overlap_a_seam_stays_within_it_near_its_middle(width):
    right = LEFT + width
    for columns in seam_columns(seam(pair_of(right=right), "none").weight):
        assert len(columns) == 1
        assert abs(columns[0] + 1 - (LEFT + right) / 2) <= 0.25 * width + 1


def test_the_sides_leave_no_pixel_without_a_picture():
    everything = pair_of(hidden=(slice(60, 120), slice(200, 240)), untrusted=(slice(150, 220), slice(120, 240)))
    reference, target = sides(everything)
    assert (reference | target)[everything.reference_valid | everything.target_valid].all()
    assert not (reference & ~everything.reference_valid).any()
    assert not (target & ~everything.target_valid).any()


def test_a_seam_leaves_the_rim_also_where_the_target_is_hidden_beside_it():
    pair = pair_of(hidden=(slice(40, 200), slice(140, 240)))
    for columns in seam_columns(seam(pair, "none").weight):
        assert columns.max() <= RIGHT - 0.03 * DIAGONAL


def test_the_border_of_the_canvas_and_a_hole_of_the_target_are_no_rims():
    distances = rim_distances(pair_of(hole=(slice(100, 108), slice(170, 178))))
    steps = np.diff(distances.target[:, LEFT + 1 : 340], axis=1)
    assert (steps > 0).all()  # the nearest rim is the left one everywhere
    assert (distances.reference[:, 20] > 200).all()


def test_without_a_picture_that_goes_on_there_is_no_rim():
    pair = pair_of(right=W)
    reference, target = sides(pair)
    assert (rim_distances(pair).reference == H + W).all()
    assert np.array_equal(reference, pair.reference_valid)
    assert not target[:, :LEFT].any()


def test_small_islands_of_either_picture_are_given_to_the_other():
    pair = pair_of()
    clean = np.zeros((H, W), np.float32)
    clean[:, :180] = 1
    spotted = clean.copy()
    spotted[50:56, 200:206], spotted[100:140, 140:160] = 1, 0
    assert np.array_equal(without_islands(spotted, pair), clean)
    large = clean.copy()
    large[50:100, 190:230] = 1  # what the target does not see, perhaps
    assert np.array_equal(without_islands(large, pair), large)


@pytest.mark.parametrize("rows", [slice(None), slice(40, 200)])
def test_a_reference_that_the_target_surrounds_is_shown_but_for_its_rim(rows):
    pair = pair_of(left=0, right=280)
    seen = np.zeros((H, W), bool)
    seen[rows, 80:280] = True
    pair.reference_valid[~seen], pair.reference[~seen] = False, 0
    weight = seam(pair, "none").weight
    from_rim = rim_distances(pair).reference
    assert (weight[from_rim > 0.08 * DIAGONAL] > 0.99).all()
    assert (weight[from_rim < 0.03 * DIAGONAL] == 0).all()
