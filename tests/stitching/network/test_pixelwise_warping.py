"""PWM: what becomes of matches and of a given start, and what gradients reach."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stitching.network.backbone import EIGHTH, QUARTER, Features
from stitching.network.pair_tensors import PairTensors, Start
from stitching.network.pixelwise_warping import STEPS, PixelwiseWarp, PixelwiseWarping, keep_trusted
from stitching.warping.estimators import pwm

H, W = 64, 96


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def pair(b: int = 1, h: int = H, w: int = W) -> PairTensors:
    """Random pictures; the right quarter of the reference and the left one of the target are not valid."""
    valid = torch.ones(2, b, 1, h, w)
    valid[0, ..., 3 * w // 4 :], valid[1, ..., : w // 4] = 0, 0
    return PairTensors(noise(b, 3, h, w) * valid[0], noise(b, 3, h, w, seed=1) * valid[1], valid[0], valid[1])


def features(b: int = 1, h: int = H, w: int = W, seed: int = 0) -> Features:
    return Features(noise(b, QUARTER, h // 4, w // 4, seed=seed), noise(b, EIGHTH, h // 8, w // 8, seed=seed))


def start(trusted: Tensor) -> Start:
    """A bend of some pixels, trusted where the mask (h, w) says so."""
    x, y = torch.meshgrid(torch.arange(W), torch.arange(H), indexing="xy")
    residual = torch.stack([5 * torch.sin(y / 9) + 3, 0.05 * x - 2])[None]
    return Start(residual, trusted.float()[None, None])


@pytest.fixture
def network() -> PixelwiseWarping:
    torch.manual_seed(0)
    return PixelwiseWarping().eval()


def warp(network: PixelwiseWarping, given: Start | None = None) -> PixelwiseWarp:
    result: PixelwiseWarp = network(pair(), features(), features(seed=1), given)
    return result


@pytest.mark.parametrize("started", [False, True])
@torch.no_grad()
def test_shapes_and_types(network: PixelwiseWarping, started: bool) -> None:
    """One residual a step, one after the extrapolation, one with the start put back; matches without a start."""
    result = warp(network, start(torch.ones(H, W)) if started else None)
    assert len(result.sequence) == (2 if started else STEPS + 1)
    for residual in result.sequence:
        assert (residual.shape, residual.dtype) == ((1, 2, H, W), torch.float32)
        assert residual.isfinite().all()
    assert torch.equal(result.residual, result.sequence[-1])
    assert (result.visibility.shape, result.visibility.dtype) == ((1, 1, H, W), torch.float32)
    assert torch.equal(result.extrapolated, result.sequence[-2 if started else -1])
    if started:
        assert result.matching is None
    else:
        assert result.matching is not None
        assert result.matching.shape == (1, H * W // 64, H * W // 64 + 1)


@pytest.mark.parametrize(
    ("changed", "pixels"), [("matching.describe.weight", 0), ("update.correct.2.bias", 0), ("move.bias", 4)]
)
@torch.no_grad()
def test_a_start_is_extrapolated_without_matching_and_refinement(
    network: PixelwiseWarping, changed: str, pixels: int
) -> None:
    trusted = torch.zeros(H, W)
    trusted[:, :48] = 1
    given = start(trusted)
    before = warp(network, given).residual
    network.get_parameter(changed).add_(0.5)  # of a cell, where it is a displacement
    after = warp(network, given).residual
    assert torch.equal(before, after) == (pixels == 0)
    assert torch.allclose((after - before)[..., 53:], torch.tensor(float(pixels)), atol=1e-4)
    for residual in (before, after):
        assert torch.equal(residual[..., :48], given.residual[..., :48])


@torch.no_grad()
def test_a_trusted_start_stays_as_it_is_and_the_rest_is_extrapolated(
    network: PixelwiseWarping,
) -> None:
    trusted = torch.zeros(H, W)
    trusted[10:50, 30:70] = 1
    given = start(trusted)
    result = warp(network, given)
    inside = (trusted[None, None] > 0).expand_as(result.residual)
    assert torch.equal(result.residual[inside], given.residual[inside])
    far = torch.ones_like(inside)
    far[..., 6:54, 26:74] = False
    assert torch.equal(result.residual[far], result.sequence[-2][far])
    assert not torch.isclose(result.residual, given.residual)[far].all()


@torch.no_grad()
def test_a_start_trusted_everywhere_is_the_result_up_to_the_windows_border(network: PixelwiseWarping) -> None:
    given = start(torch.ones(H, W))
    assert torch.equal(warp(network, given).residual, given.residual)


@torch.no_grad()
def test_nothing_tears_where_trust_ends(network: PixelwiseWarping) -> None:
    """The result changes from the start to the extrapolation within four pixels, without a jump."""
    trusted = torch.zeros(H, W)
    trusted[:, :48] = 1
    given = start(trusted)
    result = warp(network, given)
    difference = (result.sequence[-2] - given.residual).abs().amax()
    steps = torch.maximum(result.sequence[-2].diff(dim=3).abs(), given.residual.diff(dim=3).abs())
    assert (result.residual.diff(dim=3).abs() - steps).amax() < 0.25 * difference


@torch.no_grad()
def test_a_start_that_is_trusted_nowhere_is_not_in_the_result(network: PixelwiseWarping) -> None:
    result = warp(network, start(torch.zeros(H, W)))
    assert torch.equal(result.sequence[-1], result.sequence[-2])


@pytest.mark.parametrize("started", [False, True])
def test_every_parameter_gets_a_gradient(network: PixelwiseWarping, started: bool) -> None:
    """But for those of matching, which has a loss of its own, and of refinement where the warp begins from a start."""
    result = warp(network, start(noise(H, W) > 0.3) if started else None)
    loss = sum((residual - 3).abs().mean() for residual in result.sequence) + result.visibility.square().mean()
    loss.backward()
    idle = ("matching.", "update.") if started else ("matching.",)
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == name.startswith(idle), name
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name


def test_each_step_gets_gradients_of_its_own_correction_alone(network: PixelwiseWarping) -> None:
    """No gradient flows from a step's residual into the displacement before it (RAFT)."""
    result = warp(network)
    result.sequence[0].sum().backward(retain_graph=True)
    assert network.update.correct[2].weight.grad is not None
    assert network.upsampling.from_quarter.weight.grad is None
    assert network.extension.down[0].layers[0].weight.grad is None


@pytest.mark.parametrize(("h", "w"), [(32, 32), (40, 72), (64, 32), (136, 88)])
@torch.no_grad()
def test_windows_of_any_size_in_multiples_of_eight(network: PixelwiseWarping, h: int, w: int) -> None:
    result = network(pair(2, h, w), features(2, h, w), features(2, h, w, seed=1))
    assert result.residual.shape == (2, 2, h, w)
    assert result.residual.isfinite().all()


@torch.no_grad()
def test_a_pair_does_not_depend_on_its_batch(network: PixelwiseWarping) -> None:
    both, reference, target = pair(2), features(2), features(2, seed=1)
    together = network(both, reference, target)
    alone = network(
        replace(both, **{name: value[1:] for name, value in vars(both).items()}),
        Features(reference.quarter[1:], reference.eighth[1:]), Features(target.quarter[1:], target.eighth[1:]),
    )  # fmt: skip
    assert torch.allclose(together.residual[1:], alone.residual, atol=1e-3)
    assert torch.allclose(together.visibility[1:], alone.visibility, atol=1e-3)


@torch.no_grad()
def test_without_valid_pixels_results_are_finite(network: PixelwiseWarping) -> None:
    nothing = torch.zeros(1, 1, H, W)
    blank = PairTensors(torch.zeros(1, 3, H, W), torch.zeros(1, 3, H, W), nothing, nothing)
    result = network(blank, features(), features(seed=1))
    assert result.residual.isfinite().all()
    assert result.visibility.isfinite().all()


def test_in_half_precision_results_are_single_and_about_the_same(network: PixelwiseWarping) -> None:
    with torch.no_grad():
        exact = warp(network)
        with torch.autocast("cpu", torch.bfloat16):
            result = warp(network)
    assert result.residual.dtype == result.visibility.dtype == result.matching.dtype == torch.float32
    assert (result.residual - exact.residual).abs().max() < 0.1 * exact.residual.abs().max()


def test_trusted_pixels_are_kept_as_in_numpy() -> None:
    """But for a rim of 4 px, where the means are of fewer pixels."""
    given = start(torch.nn.functional.interpolate(noise(1, 1, H // 8, W // 8), (H, W))[0, 0] > 0.6)
    residual = 10 * noise(1, 2, H, W)
    arrays = [given.residual[0].permute(1, 2, 0).numpy(), given.trusted[0, 0].numpy() > 0]
    expected = pwm.keep_trusted(*arrays, residual[0].permute(1, 2, 0).numpy())
    found = keep_trusted(given, residual)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - expected)[4:-4, 4:-4].max() < 1e-5
