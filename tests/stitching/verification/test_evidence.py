import cv2
import numpy as np
import pytest

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import inside, pixel_grid, remap
from stitching.verification.evidence import gather_evidence
from stitching.verification.verdict import judge_stitch
from stitching.warping.placement import Placement
from stitching.warping.warp import AlignedPair

W, H = 320, 240
CANVAS = Canvas(Surface(None, (W / 2, H / 2)), (0, 0), (W, H))
HERE = pixel_grid(H, W)
ALIGNMENT = Alignment(np.eye(3), Matches(np.zeros((0, 2)), np.zeros((0, 2))), "homography", 1, 0.9)


def texture(seed):
    """(H, W, 3) uint8, blobs of a few px."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(H, W, 1)), (0, 0), 3)
    return np.clip(128 + 50 * noise / noise.std(), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def evidence_of(reference, target, map_xy=HERE, trusted=None):
    """Of a target drawn by a map, working canvas -> target."""
    covered = inside(map_xy, (W, H))
    trusted = covered if trusted is None else trusted & covered
    placement = Placement(map_xy, covered, trusted, map_xy - HERE, 1.0)
    everywhere = np.ones((H, W), bool)
    drawn = remap(target, map_xy)
    return gather_evidence(
        CANVAS.to_reference, placement, AlignedPair(reference, drawn, everywhere, covered, trusted, ~everywhere)
    )


def test_pictures_of_the_same_in_another_light_are_verified():
    bright = np.clip(30 + 0.6 * texture(0), 0, 255).astype(np.uint8)
    evidence = evidence_of(texture(0), bright)
    assert evidence.tells_enough
    assert evidence.verified > 0.9
    assert evidence.agreement == 1
    assert evidence.overlap == 1


def test_unrelated_pictures_are_not_verified():
    evidence = evidence_of(texture(0), texture(1))
    assert evidence.tells_enough
    assert evidence.verified < 0.05
    assert evidence.consistent == 1


def test_what_the_warp_does_not_trust_is_not_verified():
    trusted = np.zeros((H, W), bool)
    trusted[:, : W // 4] = True
    evidence = evidence_of(texture(0), texture(0), trusted=trusted)
    assert evidence.alike == 1
    assert evidence.verified < 0.3
    assert evidence.agreement == 1


def test_a_stitch_whose_warp_is_wrong_in_most_of_the_overlap_is_doubtful():
    """Although the warp leads back to where it began, as it can on repeated patterns."""
    map_xy = HERE.copy()
    map_xy[:, W // 4 :, 0] += 20
    evidence = evidence_of(texture(0), texture(0), map_xy)
    assert evidence.consistent > 0.9
    assert judge_stitch(ALIGNMENT, evidence).outcome == "doubtful"


def test_a_mirrored_target_is_not_verified():
    mirrored = np.ascontiguousarray(HERE * [-1, 1] + [W - 1, 0], np.float32)
    evidence = evidence_of(texture(0)[:, ::-1].copy(), texture(0), mirrored)
    assert evidence.alike > 0.9
    assert evidence.verified == 0


def test_moves_that_no_two_cameras_explain_are_not_verified():
    """The pictures are alike everywhere, since the reference is bent as the map is."""
    random = np.random.default_rng(2)
    bend = np.dstack([cv2.GaussianBlur(random.normal(size=(H, W)), (0, 0), 25) for _ in range(2)])
    bent = (HERE + 12 * bend / bend.std()).astype(np.float32)
    straight = HERE + np.float32([15, 5])
    assert evidence_of(remap(texture(0), straight), texture(0), straight).epipolar > 0.99
    evidence = evidence_of(remap(texture(0), bent), texture(0), bent)
    assert evidence.alike > 0.9
    assert evidence.epipolar < 0.7


def test_a_blank_overlap_tells_nothing():
    blank = np.full((H, W, 3), 90, np.uint8)
    evidence = evidence_of(blank, blank)
    assert not evidence.tells_enough
    assert evidence.verified == 0
    assert evidence.agreement is None


def test_noise_is_no_texture():
    random = np.random.default_rng(1)
    noisy = [np.clip(random.normal(120, 20, (H, W, 3)), 0, 255).astype(np.uint8) for _ in range(2)]
    assert not evidence_of(*noisy).tells_enough


@pytest.mark.parametrize("shown", [0, 40])
def test_a_small_overlap_verifies_less(shown):
    """Nothing to compare, or two windows of it, however alike."""
    map_xy = HERE + np.float32([W - shown, H - 40 if shown else 0])
    evidence = evidence_of(remap(texture(0), map_xy), texture(0), map_xy)
    assert not evidence.tells_enough
    assert evidence.verified < 0.3
