import numpy as np

from stitching.geometry.pixel_maps import pixel_grid
from stitching.warping.splat import splat_warp

H, W = 48, 64
EVERYWHERE = np.ones((H, W), bool)
SURE = np.ones((H, W), np.float32)


def shift(x, y):
    return np.broadcast_to(np.float32([x, y]), (H, W, 2)).copy()


def test_a_warp_that_moves_nothing_covers_what_is_seen_and_no_more():
    valid = EVERYWHERE.copy()
    valid[:, 50:] = False
    splatted = splat_warp(shift(0, 0), SURE, valid)
    assert np.array_equal(splatted.covered, valid)
    assert not splatted.residual[valid].any()


def test_a_whole_shift_is_undone_exactly():
    splatted = splat_warp(shift(5, -3), SURE, EVERYWHERE)
    expected = np.zeros((H, W), bool)
    expected[:-3, 5:] = True
    assert np.array_equal(splatted.covered, expected)
    assert np.array_equal(splatted.residual[expected], shift(-5, 3)[expected])


def test_a_fractional_shift_is_undone():
    splatted = splat_warp(shift(2.3, 1.6), SURE, EVERYWHERE)
    assert splatted.covered[3:, 4:].all()
    assert np.allclose(splatted.residual[3:, 4:], [-2.3, -1.6], atol=1e-5)


def test_a_smooth_warp_is_inverted_to_a_twentieth_of_a_pixel():
    grid = pixel_grid(H, W)

    def bend(points):
        x, y = points[..., 0], points[..., 1]
        return np.stack([4 * np.sin(y / 15) + 0.05 * x, 3 * np.cos(x / 20)], axis=-1).astype(np.float32)

    splatted = splat_warp(bend(grid), SURE, EVERYWHERE)
    sources = grid + splatted.residual
    error = np.linalg.norm(sources + bend(sources) - grid, axis=2)
    inner = slice(8, -8), slice(8, -8)  # where all of its neighbours land too
    assert splatted.covered[inner].all()
    assert error[inner].max() < 0.05


def test_of_two_surfaces_that_meet_the_trusted_one_is_on_top():
    """The left half moves 20 px right, onto the resting right half."""
    for trusted_moves in (True, False):
        warp = shift(0, 0)
        warp[:, :32, 0] = 20
        confidence = np.where((np.arange(W) < 32) == trusted_moves, 1, 0).astype(np.float32)
        splatted = splat_warp(warp, np.broadcast_to(confidence, (H, W)), EVERYWHERE)
        meeting = splatted.residual[:, 33:51]
        assert np.abs(meeting - ([-20, 0] if trusted_moves else [0, 0])).max() < 0.05


def test_a_surface_that_moves_away_leaves_a_hole():
    warp = shift(0, 0)
    warp[:, 32:, 0] = 9
    covered = splat_warp(warp, SURE, EVERYWHERE).covered
    assert covered[:, :32].all()
    assert not covered[:, 32:41].any()
    assert covered[:, 41:].all()


def test_pixels_that_are_hidden_cover_nothing_on_their_own():
    confidence = SURE.copy()
    confidence[10:20, 10:20] = 0
    covered = splat_warp(shift(0, 0), confidence, EVERYWHERE).covered
    assert not covered[10:20, 10:20].any()
    assert covered.sum() == H * W - 100


def test_what_leaves_the_canvas_is_dropped():
    assert not splat_warp(shift(500, 0), SURE, EVERYWHERE).covered.any()
    assert not splat_warp(shift(0, 0), SURE, ~EVERYWHERE).covered.any()
