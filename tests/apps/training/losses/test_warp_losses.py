"""Losses on warps: what costs nothing, what costs how much, what does not count, and gradients."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from apps.training.losses.warp_losses import (
    cycle_loss,
    epipolar_loss,
    line_loss,
    matching_loss,
    sequence_warp_loss,
    smoothness_loss,
    visibility_loss,
)
from stitching.network.tensor_maps import pixel_xy

B, H, W = 2, 32, 48
EVERYWHERE = torch.ones(B, 1, H, W)
NOWHERE = torch.zeros(B, 1, H, W)
SEGMENTS = torch.tensor([[[4.0, 5.0], [40.0, 25.5]], [[3.5, 28.0], [3.5, 2.0]], [[10.0, 3.0], [45.0, 3.0]]])
OWNER = torch.tensor([0, 1, 1])


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def affine(dtype=torch.float32):
    """Residuals (b, 2, h, w) that move all straight segments to straight segments."""
    x, y = pixel_xy(torch.zeros(1, 1, H, W, dtype=dtype)).unbind(1)
    return torch.stack([0.3 * x - 0.2 * y + 4, 0.1 * x + 0.4 * y - 7], 1).repeat(B, 1, 1, 1)


def cameras():
    """Residuals and fundamental matrices of two cameras looking at a wavy relief."""
    focal, centre = 40.0, (23.5, 15.5)
    intrinsic = torch.tensor([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]], dtype=torch.float64)
    q = pixel_xy(torch.zeros(1, 1, H, W, dtype=torch.float64))
    rays = torch.linalg.inv(intrinsic) @ torch.cat([q, torch.ones_like(q[:, :1])], 1).flatten(2)[0]
    depth = 5 + (q[:, 0] / 9).sin() + (q[:, 1] / 7).cos()  # (1, h, w)
    residuals, matrices = [], []
    for angle, moved in ((0.1, (1.0, 0.2, 0.1)), (-0.2, (-0.7, 0.1, -0.4))):
        turn = torch.linalg.matrix_exp(angle * torch.tensor([[0, 0.1, 1], [-0.1, 0, 0.3], [-1, -0.3, 0]]).double())
        t = torch.tensor(moved, dtype=torch.float64)
        valid = intrinsic @ (turn @ (rays * depth.flatten()) + t[:, None])
        residuals.append((valid[:2] / valid[2]).view(1, 2, H, W) - q)
        cross = torch.tensor([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
        inverse = torch.linalg.inv(intrinsic)
        matrices.append(inverse.T @ cross @ turn @ inverse)
    return torch.cat(residuals), torch.stack(matrices)


RESIDUAL, FUNDAMENTAL = (tensor.float() for tensor in cameras())


def along_lines(residual, fundamental, shift, across=False):
    """The residual moved by `shift` px along, or across, the epipolar lines of each pixel."""
    q = pixel_xy(residual)
    points = torch.cat([q, torch.ones_like(q[:, :1])], 1).flatten(2)
    normal = torch.nn.functional.normalize((fundamental @ points)[:, :2], dim=1).view_as(residual)
    return residual + shift * (normal if across else torch.stack([-normal[:, 1], normal[:, 0]], 1))


LOSSES = {
    "sequence": lambda field, mask: sequence_warp_loss([field * 2, field], affine() + noise(B, 2, H, W), mask),
    "visibility": lambda field, mask: visibility_loss(field[:, :1], (noise(B, 1, H, W) > 0).float(), mask),
    "epipolar": lambda field, mask: epipolar_loss(field, FUNDAMENTAL, mask),
    "line": lambda field, mask: line_loss(field, SEGMENTS, OWNER, mask),
    "smoothness": lambda field, mask: smoothness_loss(field, noise(B, 3, H, W, seed=3).sigmoid(), mask),
    "cycle": lambda field, mask: cycle_loss(field, noise(B, 2, H, W, seed=4), mask),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
class TestEveryLoss:
    def test_is_zero_with_a_gradient_of_zeros_where_nothing_counts(self, loss):
        field = noise(B, 2, H, W).requires_grad_()
        value = loss(field, NOWHERE)
        value.backward()
        assert value.item() == 0
        assert field.grad.eq(0).all()

    @pytest.mark.parametrize("size", [0, 1, 1e4])
    def test_has_a_finite_gradient_for_small_and_large_fields(self, loss, size):
        field = (noise(B, 2, H, W) * size).requires_grad_()
        value = loss(field, EVERYWHERE)
        value.backward()
        assert value.isfinite()
        assert field.grad.isfinite().all()

    def test_takes_bfloat16_and_computes_in_float32(self, loss):
        field = noise(B, 2, H, W).bfloat16()
        assert loss(field, EVERYWHERE.bfloat16()).dtype == torch.float32
        assert torch.allclose(loss(field, EVERYWHERE.bfloat16()), loss(field.float(), EVERYWHERE))


def test_the_sequence_loss_is_the_decayed_sum_of_weighted_mean_errors():
    truth = noise(B, 2, H, W)
    weights = torch.rand(B, 1, H, W, generator=torch.Generator().manual_seed(1))
    sequence = [truth + 3, truth + torch.tensor([1.0, -0.5])[:, None, None], truth]
    loss = sequence_warp_loss(sequence, truth, weights, decay=0.5)
    assert loss.item() == pytest.approx(0.25 * 6 + 0.5 * 1.5)
    assert sequence_warp_loss([truth], truth, weights) == 0
    assert sequence_warp_loss(sequence, truth, weights * 7, decay=0.5).item() == pytest.approx(loss.item())


def test_truth_without_weight_may_be_anything():
    truth, weights = noise(B, 2, H, W), EVERYWHERE.clone()
    truth[:, :, :5], weights[:, :, :5] = math.nan, 0
    estimate = torch.zeros(B, 2, H, W, requires_grad=True)
    loss = sequence_warp_loss([estimate], truth, weights)
    loss.backward()
    assert loss.item() == pytest.approx(truth[:, :, 5:].abs().sum(1).mean().item(), rel=1e-5)
    assert estimate.grad[:, :, :5].eq(0).all()
    assert estimate.grad[:, :, 5:].ne(0).all()


def test_matches_and_cells_without_a_match_weigh_the_same():
    logits = torch.zeros(1, 101, 9)
    cell = torch.full((1, 101), 8)
    cell[0, 0] = 3
    chance = matching_loss(logits, cell)
    assert chance.item() == pytest.approx(2 * math.log(9) + math.log(101), rel=1e-5)
    logits[..., 8] = 20  # "nothing matches" is right for 100 cells of 101
    assert matching_loss(logits, cell).item() == pytest.approx(20 + math.log(101), rel=1e-3)


def test_right_and_confident_matches_and_unknown_cells_cost_nothing():
    cell = torch.tensor([[0, 2, 4, -1], [4, -1, 1, 3]])
    logits = 50 * torch.nn.functional.one_hot(cell.clamp_min(0), 5).float()
    assert matching_loss(logits, cell).item() < 1e-6
    logits[0, 3] = torch.tensor([-9.0, 7, 3, 1, 5])
    assert matching_loss(logits, cell).item() < 1e-6


@pytest.mark.parametrize("number", [-1, 4, 2])
def test_matching_of_one_kind_of_cell_alone_is_finite(number):
    logits = noise(1, 3, 5).requires_grad_()
    loss = matching_loss(logits, torch.full((1, 3), number))
    loss.backward()
    assert logits.grad.isfinite().all()
    assert (loss == 0) == (number == -1)


def test_few_hidden_pixels_count_as_much_as_many_visible_ones():
    visible = EVERYWHERE.clone()
    visible[:, :, 0, :3] = 0
    everything = visibility_loss(torch.full_like(visible, 10.0), visible, EVERYWHERE)
    assert everything.item() == pytest.approx(10, rel=1e-3)
    assert visibility_loss(torch.zeros_like(visible), visible, EVERYWHERE).item() == pytest.approx(2 * math.log(2))
    assert visibility_loss(50 * (2 * visible - 1), visible, EVERYWHERE).item() < 1e-6


def test_the_true_warp_lies_on_the_epipolar_lines():
    assert epipolar_loss(RESIDUAL, FUNDAMENTAL, EVERYWHERE).item() < 1e-6


@pytest.mark.parametrize("shift", [-30.0, 0.5, 12.0])
def test_moving_along_an_epipolar_line_costs_nothing(shift):
    moved = along_lines(RESIDUAL, FUNDAMENTAL, shift)
    assert epipolar_loss(moved, FUNDAMENTAL, EVERYWHERE).item() < 1e-6


@pytest.mark.parametrize(("shift", "cost"), [(0.5, 0.125), (-0.5, 0.125), (10.0, 9.5)])
def test_moving_off_an_epipolar_line_costs_its_distance(shift, cost):
    moved = along_lines(RESIDUAL, FUNDAMENTAL, shift, across=True)
    assert epipolar_loss(moved, FUNDAMENTAL, EVERYWHERE).item() == pytest.approx(cost, rel=1e-3)


@pytest.mark.parametrize("scale", [1e-9, -3.0, 1e9])
def test_a_fundamental_matrix_has_no_scale(scale):
    moved = RESIDUAL + 2
    one = epipolar_loss(moved, FUNDAMENTAL, EVERYWHERE)
    assert torch.allclose(epipolar_loss(moved, FUNDAMENTAL * scale, EVERYWHERE), one, rtol=1e-4)


def test_an_unknown_fundamental_matrix_leaves_its_image_out():
    first_only = torch.cat([EVERYWHERE[:1], NOWHERE[:1]])
    matrices = FUNDAMENTAL * torch.tensor([1.0, 0.0])[:, None, None]
    moved = RESIDUAL + 2
    assert epipolar_loss(moved, matrices, EVERYWHERE) == epipolar_loss(moved, FUNDAMENTAL, first_only)
    assert epipolar_loss(moved, matrices * 0, EVERYWHERE) == 0


def test_the_pixel_at_the_epipole_is_left_out():
    """Of a camera that moves forward: all lines pass through the epipole."""
    x, y = 20.0, 11.0
    forward = torch.tensor([[0, -1, y], [1, 0, -x], [-y, x, 0.0]]).expand(B, 3, 3)
    q = pixel_xy(torch.zeros(1, 1, H, W))
    away = 0.3 * (q - torch.tensor([x, y])[:, None, None]).repeat(B, 1, 1, 1)
    assert epipolar_loss(away, forward, EVERYWHERE).item() < 1e-6
    field = (away + 5).requires_grad_()
    epipolar_loss(field, forward, EVERYWHERE).backward()
    still = field.grad.abs().sum((0, 1)) == 0
    assert still[11, 20]
    assert still.sum() <= 9


def test_straight_motion_of_segments_costs_nothing():
    turned = affine()
    assert line_loss(turned, SEGMENTS, OWNER, EVERYWHERE).item() < 1e-5
    assert line_loss(torch.zeros_like(turned), SEGMENTS, OWNER, EVERYWHERE).item() < 1e-5


def test_bending_a_segment_costs_and_gradient_descent_straightens_it():
    x, y = pixel_xy(EVERYWHERE).unbind(1)
    bent = torch.stack([2 * (y / 6).sin(), 3 * (x / 8).sin()], 1).repeat(B, 1, 1, 1)
    first = line_loss(bent, SEGMENTS, OWNER, EVERYWHERE).item()
    assert first > 0.5
    field = bent.clone().requires_grad_()
    for _ in range(100):
        (slope,) = torch.autograd.grad(line_loss(field, SEGMENTS, OWNER, EVERYWHERE), field)
        field = (field - 2 * slope).detach().requires_grad_()
    assert line_loss(field, SEGMENTS, OWNER, EVERYWHERE).item() < 0.2 * first


def test_a_bend_by_a_known_height_costs_its_mean_distance():
    """A segment bent to a V, 8 px high: best line halfway up, points between 0 and 4 px off it."""
    field = torch.zeros(1, 2, H, W)
    field[0, 1] = (torch.arange(W) - 24.0).abs() / 3
    segment = torch.tensor([[[0.0, 10.0], [47.0, 10.0]]])
    cost = line_loss(field, segment, torch.tensor([0]), EVERYWHERE[:1], samples=64)
    assert cost.item() == pytest.approx(2, abs=0.1)


def test_segments_use_the_field_of_their_own_image_and_only_valid_pixels():
    field = affine()
    field[0, :, 10:20] += noise(2, 10, W) * 5
    others = OWNER == 1
    assert line_loss(field, SEGMENTS[others], OWNER[others], EVERYWHERE).item() < 1e-5
    assert line_loss(field, SEGMENTS, OWNER, EVERYWHERE).item() > 0.1
    valid = EVERYWHERE.clone()
    valid[0, :, 10:20] = 0
    assert line_loss(field, SEGMENTS, OWNER, valid).item() < 1e-5


def test_segments_without_enough_points_in_the_window_do_not_count():
    field = noise(B, 2, H, W) * 9
    few = torch.tensor([[[44.0, 5.0], [144.0, 5.0]], [[-60.0, -9.0], [-3.0, 4.0]]])
    assert line_loss(field, few, OWNER[:2], EVERYWHERE) == 0
    both = torch.cat([SEGMENTS, few])
    alone = line_loss(field, SEGMENTS, OWNER, EVERYWHERE)
    assert torch.equal(line_loss(field, both, torch.cat([OWNER, OWNER[:2]]), EVERYWHERE), alone)
    none = line_loss(field, SEGMENTS[:0], OWNER[:0], EVERYWHERE)
    assert none == 0


def test_a_segment_without_length_is_harmless():
    field = noise(B, 2, H, W).requires_grad_()
    loss = line_loss(field, torch.full((1, 2, 2), 7.3), torch.tensor([0]), EVERYWHERE)
    loss.backward()
    assert loss.item() < 1e-6
    assert field.grad.isfinite().all()


def test_affine_fields_are_smooth_and_bends_cost_least_at_edges_of_the_picture():
    flat = torch.full((B, 3, H, W), 0.5)
    assert smoothness_loss(affine(), flat, EVERYWHERE).item() < 1e-6
    torn = affine()
    torn[..., 20:] += 8
    edge = flat.clone()
    edge[..., 20:] = 1
    elsewhere = flat.clone()
    elsewhere[..., 30:] = 1
    costs = [smoothness_loss(torn, guide, EVERYWHERE).item() for guide in (edge, elsewhere, flat)]
    assert 0 < costs[0] < 0.2 * costs[2]
    assert costs[1] == pytest.approx(costs[2])


def test_pixels_that_are_not_valid_need_not_be_smooth():
    valid = EVERYWHERE.clone()
    valid[..., 20:] = 0
    torn = affine()
    torn[..., 20:] += noise(B, 2, H, W - 20)
    assert smoothness_loss(torn, torch.rand(B, 3, H, W), valid).item() < 1e-6


def test_a_consistent_pair_of_residuals_costs_nothing():
    forward = torch.tensor([6.25, -3.5])[:, None, None].expand(B, 2, H, W)
    assert cycle_loss(forward, -forward, EVERYWHERE).item() < 1e-5
    off = -forward + torch.tensor([3.0, 4.0])[:, None, None]
    assert cycle_loss(forward, off, EVERYWHERE).item() == pytest.approx(5, rel=0.01)


def test_the_backward_residual_is_read_where_a_pixel_lands_and_pixels_that_leave_do_not_count():
    forward = torch.zeros(1, 2, H, W)
    forward[:, 0] = 10
    forward[..., W - 10 :] = 25
    back = torch.zeros(1, 2, H, W)
    back[:, 0, :, 10:] = -10  # no pixel lands left of 10 px
    assert cycle_loss(forward, back, EVERYWHERE[:1]).item() < 1e-5


def test_the_order_of_the_batch_does_not_matter():
    field, mask = noise(B, 2, H, W), (noise(B, 1, H, W, seed=5) > 0).float()
    guide = noise(B, 3, H, W, seed=3).sigmoid()
    flipped, turned = field.flip(0), mask.flip(0)
    pairs = [
        (epipolar_loss(field, FUNDAMENTAL, mask), epipolar_loss(flipped, FUNDAMENTAL.flip(0), turned)),
        (line_loss(field, SEGMENTS, OWNER, mask), line_loss(flipped, SEGMENTS.flip(0), 1 - OWNER.flip(0), turned)),
        (smoothness_loss(field, guide, mask), smoothness_loss(flipped, guide.flip(0), turned)),
        (cycle_loss(field, -field, mask), cycle_loss(flipped, -flipped, turned)),
        (sequence_warp_loss([field], field / 2, mask), sequence_warp_loss([flipped], flipped / 2, turned)),
    ]
    for one, other in pairs:
        assert torch.allclose(one, other, rtol=1e-5)


def test_gradients_are_those_of_the_values():
    field = noise(1, 2, 8, 8, dtype=torch.float64).requires_grad_()
    one, guide = torch.ones(1, 1, 8, 8, dtype=torch.float64), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    truth = noise(1, 2, 8, 8, seed=1, dtype=torch.float64)
    back = (0.1 * noise(1, 2, 8, 8, seed=2, dtype=torch.float64)).requires_grad_()
    cell = torch.tensor([[0, 3, 5, -1]])
    assert gradcheck(lambda f: sequence_warp_loss([f, f * 2], truth, one), field)
    assert gradcheck(lambda f: epipolar_loss(f, FUNDAMENTAL[:1].double(), one), field)
    assert gradcheck(lambda f: smoothness_loss(f, guide, one), field)
    assert gradcheck(lambda f, g: cycle_loss(f, g, one), (field, back))
    assert gradcheck(lambda z: visibility_loss(z, (truth[:, :1] > 0).double(), one), field[:, :1])
    assert gradcheck(lambda z: matching_loss(z, cell), noise(1, 4, 6, dtype=torch.float64).requires_grad_())
