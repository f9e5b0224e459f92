"""Forward warping in torch: what lands where, what is on top, and gradients."""

import pytest
import torch
from torch import Tensor

from stitching.geometry.pixel_maps import pixel_grid
from stitching.network.splatting import MIN_COVERAGE, splat
from stitching.warping.splat import SHARPNESS
from stitching.warping.splat import splat_warp as splat_numpy

H, W = 24, 32
EVERYWHERE = torch.ones(1, 1, H, W)
SAME = torch.zeros(1, 1, H, W)  # importance


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def shift(x: float, y: float) -> Tensor:
    return torch.tensor([x, y], dtype=torch.float32).view(1, 2, 1, 1).expand(-1, -1, H, W).clone()


def bend() -> Tensor:
    """A displacement of up to 5 px that piles up and tears a little."""
    x, y = torch.from_numpy(pixel_grid(H, W)).unbind(2)
    return torch.stack([4 * torch.sin(y / 5) + 0.05 * x, 3 * torch.cos(x / 4)])[None]


def test_what_stays_in_place_stays_as_it_is() -> None:
    values = noise(2, 3, H, W)
    valid = (noise(2, 1, H, W) > 0.3).float()
    splatted = splat(values, torch.zeros(2, 2, H, W), SAME.expand(2, -1, -1, -1), valid)
    assert torch.equal(splatted.values, values * valid)
    assert torch.equal(splatted.coverage, valid)


def test_importance_alone_changes_nothing() -> None:
    values = noise(1, 3, H, W)
    splatted = splat(values, shift(0, 0), 20 * noise(1, 1, H, W), EVERYWHERE)
    assert torch.allclose(splatted.values, values, rtol=1e-6)
    assert torch.equal(splatted.coverage, EVERYWHERE)


def test_a_whole_shift_is_exact() -> None:
    values = noise(1, 3, H, W)
    splatted = splat(values, shift(5, -3), SAME, EVERYWHERE)
    assert torch.equal(splatted.values[..., :-3, 5:], values[..., 3:, :-5])
    assert torch.equal(splatted.coverage[..., :-3, 5:], EVERYWHERE[..., 3:, 5:])
    assert not splatted.coverage[..., -3:, :].any()
    assert not splatted.coverage[..., :5].any()
    assert not splatted.values[..., :5].any()


def test_half_a_pixel_is_shared_out_and_nothing_is_lost() -> None:
    values = noise(1, 1, H, W)
    splatted = splat(values, shift(0.5, 0), SAME, EVERYWHERE)
    assert torch.allclose(splatted.values[..., 1:], (values[..., 1:] + values[..., :-1]) / 2)
    assert torch.allclose(splatted.coverage[..., 0], torch.tensor(0.5))
    assert torch.allclose(splatted.coverage[..., 1:], torch.tensor(1.0))


def test_agrees_with_the_splat_in_numpy() -> None:
    """Which splats minus the displacement, and takes a confidence 0 .. 1 times its sharpness as importance."""
    forward, confidence, valid = bend(), 0.8 + 0.2 * noise(1, 1, H, W), (noise(1, 1, H, W) > 0.1).float()
    splatted = splat(-forward, forward, SHARPNESS * confidence, valid)
    expected = splat_numpy(forward[0].permute(1, 2, 0).numpy(), confidence[0, 0].numpy(), valid[0, 0].numpy() > 0)
    covered = splatted.coverage[0, 0].numpy() > MIN_COVERAGE
    assert 0.5 < expected.covered.mean() < 0.95
    assert covered[expected.covered].all()
    assert splatted.values[0].permute(1, 2, 0).numpy()[covered] == pytest.approx(expected.residual[covered], abs=1e-4)


@pytest.mark.parametrize("moving_on_top", [True, False])
def test_of_surfaces_that_meet_the_more_important_is_on_top(moving_on_top: bool) -> None:
    """The left half moves 10 px right, onto the resting right half."""
    left = (torch.arange(W) < W // 2).expand(1, 1, H, W)
    values = left.float()
    importance = torch.where(left == moving_on_top, 5.0, -5.0)
    splatted = splat(values, torch.cat([10 * values, 0 * values], 1), importance, EVERYWHERE)
    meeting = slice(W // 2, W // 2 + 10)
    assert torch.allclose(splatted.values[..., meeting], torch.tensor(float(moving_on_top)), atol=1e-4)
    assert torch.equal(splatted.coverage[..., meeting], torch.full((1, 1, H, 10), 2.0))
    assert not splatted.coverage[..., :10].any()


@pytest.mark.parametrize("level", [-1000.0, 0.0, 1000.0])
@pytest.mark.parametrize("below", [20.0, 39.0, 500.0])
def test_a_lone_pixel_of_low_importance_is_no_hole(level: float, below: float) -> None:
    importance = SAME + level
    importance[..., 7, 9] -= below
    values = noise(1, 3, H, W)
    displacement = shift(0, 0)
    displacement[..., 8:, :] = 5.0  # what lies below moves away
    splatted = splat(values, displacement, importance, EVERYWHERE)
    assert torch.allclose(splatted.values[..., 7, 9], values[..., 7, 9], rtol=1e-6)
    assert splatted.coverage[0, 0, 7, 9] == 1


def test_importance_of_pixels_that_are_not_valid_does_not_matter() -> None:
    values, valid = noise(1, 3, H, W), EVERYWHERE.clone()
    valid[..., :4] = 0
    plain = splat(values, bend(), SAME, valid)
    loud = splat(values, bend(), SAME + 1000 * (1 - valid), valid)
    assert torch.equal(plain.values, loud.values)
    assert torch.equal(plain.coverage, loud.coverage)


def test_a_picture_does_not_depend_on_its_batch() -> None:
    values, displacement = noise(2, 3, H, W), torch.cat([bend(), -bend()])
    importance = torch.cat([SAME, noise(1, 1, H, W) + 50])
    together = splat(values, displacement, importance, EVERYWHERE.expand(2, -1, -1, -1))
    for i in range(2):
        alone = splat(values[i : i + 1], displacement[i : i + 1], importance[i : i + 1], EVERYWHERE)
        assert torch.equal(together.values[i], alone.values[0])


@pytest.mark.parametrize("far", [1e3, -1e9, 3e38])
def test_what_leaves_the_canvas_is_dropped(far: float) -> None:
    displacement = shift(0, 0)
    displacement[..., 16:] = far
    displacement.requires_grad_()
    values = noise(1, 3, H, W)
    splatted = splat(values, displacement, SAME, EVERYWHERE)
    assert torch.equal(splatted.values[..., :16], values[..., :16])
    assert not splatted.coverage[..., 16:].any()
    (gradient,) = torch.autograd.grad(splatted.values.sum(), displacement)
    assert gradient.isfinite().all()


def test_a_picture_without_valid_pixels_is_one_hole() -> None:
    splatted = splat(noise(1, 3, H, W), shift(0, 0), 50 * noise(1, 1, H, W), 0 * EVERYWHERE)
    assert not splatted.values.any()
    assert not splatted.coverage.any()


def test_gradients_are_right_with_several_layers_on_a_pixel() -> None:
    """Three rows land on row 1 of 4, two columns side by side, one pixel outside, one not valid."""
    values = noise(2, 2, 4, 5).double()
    displacement = 0.2 * noise(2, 2, 4, 5).double() + 0.1
    displacement[:, 1] += torch.tensor([1.0, 0.0, -1.0, 0.0])[:, None]
    displacement[:, 0, 3, 0] = 100.0
    importance = 4 * noise(2, 1, 4, 5).double()
    valid = torch.ones(2, 1, 4, 5).double()
    valid[:, :, 1, 2] = 0

    def both(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        splatted = splat(*inputs, valid)
        return splatted.values, splatted.coverage

    inputs = [tensor.requires_grad_() for tensor in (values, displacement, importance)]
    assert splat(*inputs, valid).coverage.max() > 2
    assert torch.autograd.gradcheck(both, inputs)


def test_gradients_stay_small_where_a_rim_is_barely_covered() -> None:
    """A start of nearly no displacement puts 1e-4 of a pixel on every pixel beside a hole."""
    valid = (noise(1, 1, H, W) > 0.5).float()
    inputs = [tensor.requires_grad_() for tensor in (noise(1, 3, H, W), 1e-4 * bend(), SAME.clone())]
    splatted = splat(*inputs, valid)
    assert torch.allclose(splatted.values, noise(1, 3, H, W) * valid, atol=1e-2)
    for gradient in torch.autograd.grad(splatted.values.sum(), inputs):
        assert gradient.abs().max() < 10


def test_a_displacement_learns_where_to_put_a_picture() -> None:
    x, y = torch.from_numpy(pixel_grid(H, W)).unbind(2)
    picture = torch.stack([torch.sin(x / 4), torch.cos(y / 4)])[None]
    aim = splat(picture, shift(2.3, -1.4), SAME, EVERYWHERE)
    displacement = torch.zeros(1, 2, 1, 1, requires_grad=True)
    optimizer = torch.optim.Adam([displacement], lr=0.2)
    for _ in range(60):
        optimizer.zero_grad()
        result = splat(picture, displacement.expand(-1, -1, H, W), SAME, EVERYWHERE)
        (aim.coverage * result.coverage * (result.values - aim.values).abs()).mean().backward()
        optimizer.step()
    assert displacement.detach().flatten().tolist() == pytest.approx([2.3, -1.4], abs=0.15)


def test_half_precision_is_computed_in_single_and_has_gradients() -> None:
    inputs = [tensor.bfloat16().requires_grad_() for tensor in (noise(1, 3, H, W), bend(), SAME + noise(1, 1, H, W))]
    with torch.autocast("cpu", torch.bfloat16):
        splatted = splat(*inputs, EVERYWHERE.bfloat16())
    expected = splat(*[tensor.float() for tensor in inputs], EVERYWHERE)
    assert splatted.values.dtype == splatted.coverage.dtype == torch.float32
    assert torch.equal(splatted.values, expected.values)
    for gradient in torch.autograd.grad(splatted.values.square().sum(), inputs):
        assert gradient.isfinite().all()
        assert gradient.any()
