"""SIGMo: what its fields are where, and that all of it learns."""

from dataclasses import replace
from math import log

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stitching.errors import InputError
from stitching.network.backbone import EIGHTH, QUARTER, Features
from stitching.network.pair_tensors import PairTensors
from stitching.network.splatting import MIN_COVERAGE
from stitching.network.stitched_image_generating import Generated, StitchedImageGenerating

H, W = 64, 96


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def features(seed: int, height: int = H, width: int = W) -> Features:
    quarter = noise(seed, 1, QUARTER, height // 4, width // 4)
    return Features(quarter, noise(seed, 1, EIGHTH, height // 8, width // 8))


def masks(height: int = H, width: int = W) -> tuple[Tensor, Tensor]:
    """The reference is valid on the left two thirds, the target on the right; neither on the upper eighth."""
    valid = torch.zeros(2, 1, 1, height, width)
    valid[0, ..., height // 8 :, : 2 * width // 3] = 1
    valid[1, ..., height // 8 :, width // 3 :] = 1
    return valid[0], valid[1]


def pair(height: int = H, width: int = W) -> PairTensors:
    reference_valid, target_valid = masks(height, width)
    reference, target = noise(1, 1, 3, height, width), noise(2, 1, 3, height, width)
    return PairTensors(reference * reference_valid, target * target_valid, reference_valid, target_valid)


def network(spread: float = 0.0) -> StitchedImageGenerating:
    """As before training, or with random changes of all parameters."""
    torch.manual_seed(0)
    module = StitchedImageGenerating()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += spread * torch.randn_like(parameter)
    return module


def generate(module: StitchedImageGenerating, inputs: PairTensors) -> Generated:
    height, width = inputs.reference.shape[2:]
    return module(inputs, features(3, height, width), features(4, height, width))


@torch.no_grad()
def evaluate(module: StitchedImageGenerating, inputs: PairTensors) -> Generated:
    return generate(module, inputs)


@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize("half", [False, True])
def test_where_one_picture_is_valid_the_stitch_is_that_picture(spread: float, half: bool) -> None:
    inputs = pair()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        result = evaluate(network(spread), inputs)
    reference_valid, target_valid = (mask.bool() for mask in masks())
    reference_only = reference_valid & ~target_valid
    assert (result.weight[reference_only] == 1).all()
    assert (result.weight[~reference_valid] == 0).all()
    for mask, expected in (
        (reference_only, inputs.reference),
        (target_valid & ~reference_valid, inputs.target * result.gain),
        (~reference_valid & ~target_valid, result.fill),
    ):
        assert mask.any()
        mask = mask.expand(-1, 3, -1, -1)
        assert torch.equal(result.stitched[mask], expected[mask])


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_the_stitch_is_the_blend_of_its_fields(spread: float) -> None:
    inputs = pair()
    result = evaluate(network(spread), inputs)
    both = masks()[0] * masks()[1] > 0
    expected = result.weight * inputs.reference + (1 - result.weight) * inputs.target * result.gain
    assert torch.equal(result.stitched[both.expand(-1, 3, -1, -1)], expected[both.expand(-1, 3, -1, -1)])
    assert 0 <= result.weight.min() <= result.weight.max() <= 1
    assert 0.25 * 0.999 < result.gain.min() <= result.gain.max() < 4 * 1.001
    assert 0 <= result.fill.min() <= result.fill.max() <= 1
    if spread:
        assert result.weight[both].std() > 0.3
        assert result.gain.log().abs().max() > 1


def test_before_training_it_is_a_plain_blend() -> None:
    result = evaluate(network(), pair())
    both = masks()[0] * masks()[1] > 0
    assert result.weight[both] == pytest.approx(0.5, abs=0.1)
    assert result.gain == pytest.approx(1, abs=0.1)


def test_before_training_holes_have_the_mean_colour_around() -> None:
    reference_valid, target_valid = masks()
    dark, light = 0.25 * reference_valid, 0.75 * target_valid * (1 - reference_valid)
    inputs = PairTensors(
        dark.expand(-1, 3, -1, -1), light.expand(-1, 3, -1, -1), reference_valid, target_valid * (1 - reference_valid)
    )
    hole = evaluate(network(), inputs).fill[..., : H // 8, :]
    assert hole[..., : W // 3] == pytest.approx(0.25, abs=0.05)
    assert hole[..., -W // 6 :] == pytest.approx(0.75, abs=0.08)
    assert hole.diff(dim=3).abs().max() < 0.15  # no edge between them


def test_gain_and_fill_are_smooth_whatever_the_network_learned() -> None:
    result = evaluate(network(0.3), pair())
    for dim in (2, 3):
        assert result.gain.log().diff(dim=dim).abs().max() <= 2 * log(4) / 8 + 1e-5  # from 1/4 to 4 takes 8 px
        assert result.fill.diff(dim=dim).abs().max() <= 1 / 4 + 1e-5  # from black to white takes 4 px


def test_the_weight_can_be_as_sharp_as_a_seam() -> None:
    """From one pixel to the next it passes from target to reference, after learning to cut along a line."""
    inputs, module = pair(), network()
    step = (torch.arange(W) < W // 2).float().expand(1, 1, H, W)
    inputs = replace(inputs, reference=inputs.reference_valid * (0.2 + 0.6 * step.expand(-1, 3, -1, -1)))
    both = masks()[0] * masks()[1]
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
    for _ in range(40):
        optimizer.zero_grad()
        functional.binary_cross_entropy(generate(module, inputs).weight, step, both).backward()
        optimizer.step()
    weight = evaluate(module, inputs).weight[..., H // 8 :, W // 3 : 2 * W // 3]
    assert weight.diff(dim=3).abs().amax(3).mean() > 0.85


def test_coverage_scales_the_odds_and_almost_none_is_a_hole() -> None:
    inputs = pair()
    for coverage, reference_share in ((1.0, 0.5), (0.25, 0.8), (0.5 * MIN_COVERAGE, 1.0)):
        thin = replace(inputs, target_valid=coverage * inputs.target_valid)
        result = evaluate(network(), thin)
        both = masks()[0] * masks()[1] > 0
        assert result.weight[both] == pytest.approx(reference_share, abs=0.1)
    right = (..., slice(-W // 3, None))  # where the target alone is valid
    assert torch.equal(result.stitched[right], result.fill[right])


def test_all_parameters_and_inputs_get_gradients_before_training() -> None:
    module = network()
    reference, target = features(3), features(4)
    inputs, leaves = pair(), [*vars(reference).values(), *vars(target).values()]
    inputs.target.requires_grad_()
    for leaf in leaves:
        leaf.requires_grad_()
    stitched = module(inputs, reference, target).stitched
    (stitched - noise(5, 1, 3, H, W)).abs().mean().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.norm() > 1e-7, name
    for leaf in (*leaves, inputs.target):
        assert leaf.grad is not None
        assert leaf.grad.any()


def test_gradients_are_finite_in_half_precision() -> None:
    module = network(0.1)
    with torch.autocast("cpu", torch.bfloat16):
        stitched = generate(module, pair()).stitched
    assert stitched.dtype == torch.float32
    (stitched - noise(5, 1, 3, H, W)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in module.parameters())


def test_training_does_not_depend_on_the_layout_in_memory() -> None:
    """Batches and weights have their channels first or last; on a CPU group norm has a way of its own for each."""
    gradients = []
    for layout in (torch.contiguous_format, torch.channels_last):
        module = network(0.1).to(memory_format=layout)  # type: ignore[call-overload]
        generated = generate(module, pair())
        (generated.stitched.square().mean() + generated.weight.mean()).backward()
        gradients.append({name: parameter.grad for name, parameter in module.named_parameters()})
    first, last = gradients
    for name, gradient in first.items():
        assert torch.allclose(gradient, last[name], rtol=1e-3, atol=1e-4 * float(gradient.abs().max())), name


def test_learns_one_pair() -> None:
    """The target is darker and shows something in the overlap that the truth does not; the hole is red."""
    reference_valid, target_valid = masks()
    coarse = 0.3 + 0.4 * noise(6, 1, 3, H // 8, W // 8)
    scene = functional.interpolate(coarse, (H, W), mode="bilinear")
    intruder = torch.zeros(1, 1, H, W)
    intruder[..., 24:44, 44:56] = 1
    target = 0.6 * (scene + intruder * (noise(7, 1, 3, H, W) - scene))
    red = torch.tensor([0.1, 0.1, 0.9]).view(1, 3, 1, 1)
    truth = torch.where(reference_valid + target_valid > 0, scene, red)
    inputs = PairTensors(scene * reference_valid, target * target_valid, reference_valid, target_valid)
    module = network()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (generate(module, inputs).stitched - truth).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.15 * losses[0]
    result = evaluate(module, inputs)
    assert result.weight[intruder > 0].mean() > 0.9
    assert result.gain[..., H // 8 :, 2 * W // 3 :].mean() == pytest.approx(1 / 0.6, rel=0.1)


@pytest.mark.parametrize(("height", "width"), [(32, 40), (56, 72), (40, 104)])
def test_sides_are_any_multiple_of_8(height: int, width: int) -> None:
    result = evaluate(network(), pair(height, width))
    assert result.weight.shape == (1, 1, height, width)
    assert result.gain.shape == result.fill.shape == result.stitched.shape == (1, 3, height, width)


def test_other_sides_are_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"96 x 60 px.*multiples of 8"):
        evaluate(network(), pair(60, W))


def test_a_picture_does_not_depend_on_its_batch() -> None:
    one, module = pair(), network(0.1)
    two = PairTensors(*[torch.cat([first, first.flip(2)]) for first in vars(one).values()])
    maps = [Features(*[torch.cat([one, one.flip(2)]) for one in vars(features(seed)).values()]) for seed in (3, 4)]
    together, alone = module(two, *maps).stitched[:1], generate(module, one).stitched
    assert torch.allclose(together, alone, atol=1e-4)


def test_gain_where_the_target_alone_is_valid_is_a_mean_of_the_overlap() -> None:
    reference_valid, target_valid = masks()
    module = network()
    torch.nn.init.normal_(module.gain.weight, std=0.5)
    gain = evaluate(module, pair()).gain.flatten(2)[0]  # (1, 3, h, w) -> (3, h w)
    overlap, alone = (
        ((reference_valid * target_valid).flatten() > 0),
        ((target_valid > reference_valid).flatten()),
    )  # (1, 1, h, w) -> (h w,)
    lowest, highest = gain[:, overlap].amin(1, keepdim=True), gain[:, overlap].amax(1, keepdim=True)
    assert (highest / lowest).min() > 1.5
    assert bool(((lowest * 0.999 <= gain[:, alone]) & (gain[:, alone] <= highest * 1.001)).all())
