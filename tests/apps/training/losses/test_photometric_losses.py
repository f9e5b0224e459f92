"""Losses on pictures: what costs nothing, what costs more, what does not count, and gradients."""

import pytest
import torch
from torch.autograd import gradcheck

from apps.evaluation.measures.similarity import ssim_map
from apps.training.losses.photometric_losses import seam_loss, stitch_loss, warp_photometric_loss

B, H, W = 2, 48, 64
EVERYWHERE = torch.ones(B, 1, H, W)
NOWHERE = torch.zeros(B, 1, H, W)
STILL = torch.zeros(B, 2, H, W)


def texture(seed=0, width=W, detail=4):
    """Pictures (b, 3, h, width) within 0.2 .. 0.8."""
    coarse = torch.rand(B, 3, H // detail + 1, width // detail + 1, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, (H, width), mode="bicubic", align_corners=True)
    return 0.2 + 0.6 * fine.clamp(0, 1)


def half():
    """True on the left."""
    mask = EVERYWHERE.clone()
    mask[..., W // 2 :] = 0
    return mask


def test_a_true_stitch_costs_nothing_and_any_other_something():
    truth = texture()
    assert all(term == 0 for term in stitch_loss(truth, truth, EVERYWHERE).values())
    for wrong in (truth.roll(1, 3), texture(1), truth.mean((2, 3), keepdim=True).expand_as(truth)):
        assert all(term > 0.01 for term in stitch_loss(wrong, truth, EVERYWHERE).values())


def test_the_terms_distinguish_brightness_from_structure():
    truth = texture()
    brighter = stitch_loss(truth + 0.1, truth, EVERYWHERE)
    assert brighter["photometric"].item() == pytest.approx(0.1, rel=0.02)
    assert brighter["gradient"].item() < 1e-4
    assert brighter["structural"].item() < 0.1


def test_the_structural_term_is_that_of_the_measures():
    first, second = texture(0).mean(1), (texture(0) * 0.7 + texture(1) * 0.3).mean(1)
    measured = [ssim_map(a.numpy() * 255, b.numpy() * 255).mean() for a, b in zip(first, second, strict=True)]
    terms = stitch_loss(*(grey[:, None].expand(-1, 3, -1, -1) for grey in (first, second)), EVERYWHERE)
    assert 1 - terms["structural"].item() == pytest.approx(sum(measured) / B, abs=0.03)


def test_pixels_outside_the_mask_do_not_count():
    stitched, truth = texture(0), texture(1)
    other = torch.where(half() > 0, stitched, texture(2))
    for name, term in stitch_loss(stitched, truth, half()).items():
        assert torch.allclose(term, stitch_loss(other, truth, half())[name]), name
    same_there = torch.where(half() > 0, truth, stitched)
    assert all(term.item() < 1e-6 for term in stitch_loss(same_there, truth, half()).values())


def test_a_constant_weight_has_no_seam():
    for share in (0.0, 0.4, 1.0):
        assert seam_loss(EVERYWHERE * share, texture(0), texture(1), EVERYWHERE) == 0


def test_a_seam_costs_the_difference_of_the_pictures_along_it():
    reference = texture()
    target = reference.clone()
    target[..., W // 2 - 6 : W // 2 + 6] = texture(1)[..., W // 2 - 6 : W // 2 + 6]

    def seam_at(x):
        weight = EVERYWHERE.clone()
        weight[..., x:] = 0
        return seam_loss(weight, reference, target, EVERYWHERE).item()

    assert seam_at(10) == seam_at(50) == 0
    assert seam_at(W // 2) > 0.001


def test_the_gradient_moves_a_seam_away_from_differences():
    reference = texture()
    target = reference.clone()
    target[:, :, 20:28] = 1 - target[:, :, 20:28]
    weight = torch.sigmoid((20 - torch.arange(H)) / 2.0)[:, None].expand(B, 1, H, W).clone().requires_grad_()
    before = seam_loss(weight, reference, target, EVERYWHERE)
    (slope,) = torch.autograd.grad(before, weight)
    after = seam_loss((weight - 20 * slope).clamp(0, 1), reference, target, EVERYWHERE)
    assert after < before


def test_seams_outside_the_overlap_are_free():
    weight = EVERYWHERE.clone()
    weight[..., 50:] = 0
    assert seam_loss(weight, texture(0), texture(1), half()) == 0


def shifted_pair(shift=5):
    """Target pixel q shows what the reference shows at q + (shift, 0)."""
    wide = texture(width=W + shift)
    residual = STILL.clone()
    residual[:, 0] = shift
    return wide[..., :W], wide[..., shift:], residual


def test_the_true_warp_of_a_pair_costs_least():
    reference, target, truth = shifted_pair()
    costs = [
        warp_photometric_loss(reference, EVERYWHERE, target, EVERYWHERE, truth + shift, EVERYWHERE).item()
        for shift in (-3.0, -1.0, 0.0, 1.0, 3.0)
    ]
    assert costs[2] < 0.1
    assert costs[2] < 0.2 * min(costs[1], costs[3])
    assert max(costs[1], costs[3]) < min(costs[0], costs[4])


@pytest.mark.parametrize(("gain", "offset"), [(0.4, 0.0), (1.0, 0.15), (0.7, 0.3)])
def test_another_exposure_changes_nothing(gain, offset):
    reference, target, truth = shifted_pair()
    for residual in (truth, STILL):
        one = warp_photometric_loss(reference, EVERYWHERE, target, EVERYWHERE, residual, EVERYWHERE)
        other = warp_photometric_loss(reference, EVERYWHERE, target * gain + offset, EVERYWHERE, residual, EVERYWHERE)
        assert torch.allclose(one, other, rtol=1e-3)


def test_pixels_that_are_not_valid_do_not_count():
    """Neither their values nor their border."""
    reference, target, truth = shifted_pair(4)
    valid = half()
    costs = [
        warp_photometric_loss(reference * valid + grey * (1 - valid), valid, target, EVERYWHERE, truth, EVERYWHERE)
        for grey in (0.0, 1.0)
    ]
    assert torch.allclose(costs[0], costs[1], rtol=1e-4)
    residual = truth.clone()
    residual[..., W // 2 :] += 3  # these land where the reference is not valid
    moved = warp_photometric_loss(reference * valid, valid, target, EVERYWHERE, residual, EVERYWHERE)
    assert torch.allclose(moved, costs[0])


def test_gradient_descent_finds_the_warp_of_a_pair():
    reference, target, truth = shifted_pair(3)
    shift = torch.tensor([1.8, 0.4], requires_grad=True)
    descent = torch.optim.Adam([shift], lr=0.1)
    for _ in range(60):
        descent.zero_grad()
        residual = shift[None, :, None, None].expand_as(truth)
        warp_photometric_loss(reference, EVERYWHERE, target, EVERYWHERE, residual, EVERYWHERE).backward()
        descent.step()
    assert torch.allclose(shift, torch.tensor([3.0, 0.0]), atol=0.1)


def evaluate(stitched, weight, residual, where):
    terms = stitch_loss(stitched, texture(1), where)
    terms["seam"] = seam_loss(weight, stitched, texture(1), where)
    terms["warp"] = warp_photometric_loss(texture(2), where, texture(3), EVERYWHERE, residual, where)
    return terms


@pytest.mark.parametrize("where", [NOWHERE, EVERYWHERE, half()], ids=["nowhere", "everywhere", "half"])
@pytest.mark.parametrize("flat", [False, True])
def test_gradients_are_finite_and_zero_without_weights(where, flat):
    """Flat pictures too: their deviation is 0. And warps that leave the window."""
    stitched = (torch.zeros(B, 3, H, W) if flat else texture()).requires_grad_()
    weight = texture(4)[:, :1].clone().requires_grad_()
    residual = (100 * (texture(5)[:, :2] - 0.5)).requires_grad_()
    terms = evaluate(stitched, weight, residual, where)
    sum(terms.values()).backward()
    for tensor in (stitched, weight, residual):
        assert tensor.grad.isfinite().all()
        assert where.any() or tensor.grad.eq(0).all()
    assert where.any() or all(term == 0 for term in terms.values())


def test_flat_pictures_under_a_warp_cost_nothing():
    grey = torch.full((B, 3, H, W), 0.5)
    residual = STILL.clone().requires_grad_()
    loss = warp_photometric_loss(grey, EVERYWHERE, grey * 0.5, EVERYWHERE, residual, EVERYWHERE)
    loss.backward()
    assert loss.item() < 1e-3
    assert residual.grad.isfinite().all()


def test_losses_take_bfloat16_and_compute_in_float32_whatever_the_order_of_the_batch():
    inputs = [tensor.bfloat16() for tensor in (texture(), texture(4)[:, :1], STILL + 1.5, half())]
    terms = evaluate(*inputs)
    exact = evaluate(*(tensor.float() for tensor in inputs))
    assert all(term.dtype == torch.float32 and term == exact[name] for name, term in terms.items())
    one = stitch_loss(texture(0), texture(1), half())
    other = stitch_loss(texture(0).flip(0), texture(1).flip(0), half().flip(0))
    assert all(torch.allclose(one[name], other[name]) for name in one)


def test_gradients_are_those_of_the_values():
    def small(seed, channels=3):
        pictures = torch.rand(1, channels, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return pictures.requires_grad_()

    one, truth, residual = torch.ones(1, 1, 16, 16, dtype=torch.float64), small(1).detach(), small(3, 2)
    assert gradcheck(lambda s: tuple(stitch_loss(s, truth, one).values()), small(0), fast_mode=True)
    assert gradcheck(lambda w, s: seam_loss(w, s, truth, one), (small(2, 1), small(0)), fast_mode=True)
    assert gradcheck(lambda r: warp_photometric_loss(small(0), one, truth, one, r, one), residual, fast_mode=True)
