"""PWM and SIGMo on one backbone: masks, sizes, norms of tasks, gradients."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stitching.errors import InputError
from stitching.network.backbone import Backbone, TaskBatchNorm
from stitching.network.interface import MULTIPLE
from stitching.network.pair_tensors import PairTensors, Start, padded, to_tensor
from stitching.network.stitching_network import STITCH, WARP, StitchingNetwork

H, W = 64, 96


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def pair(fill: float = 0.0, h: int = H, w: int = W) -> PairTensors:
    """Two random pictures, each with a side that is not valid, filled with `fill`."""
    pictures, valid = noise(2, 1, 3, h, w), torch.ones(2, 1, 1, h, w)
    valid[0, ..., 3 * w // 4 :], valid[1, ..., : w // 4] = 0, 0
    pictures = torch.where(valid > 0, pictures, fill)
    return PairTensors(pictures[0], pictures[1], valid[0], valid[1])


def start() -> Start:
    return Start(3 * noise(1, 2, H, W), (noise(1, 1, H, W) > 0.3).float())


@pytest.fixture
def network() -> StitchingNetwork:
    """With random statistics of the batch norms."""
    torch.manual_seed(0)
    result = StitchingNetwork()
    with torch.no_grad():
        for norm in result.backbone.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                assert norm.running_mean is not None
                norm.running_mean.normal_(std=0.3)
    return result


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("started", [False, True])
@torch.no_grad()
def test_pixels_that_are_not_valid_do_not_matter(network: StitchingNetwork, training: bool, started: bool) -> None:
    network.train(training)
    residual, importance = 4 * noise(1, 2, H, W), noise(1, 1, H, W)
    results = []
    for fill in (0.0, 1.0, 1000.0):
        result = network.warp(pair(fill), start() if started else None)
        stitched = network.stitch(pair(fill), residual, importance).generated
        matching = [] if result.matching is None else [result.matching]
        results.append([*result.sequence, result.visibility, *matching, *vars(stitched).values()])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize(("h", "w"), [(60, 96), (64, 100), (24, 96), (64, 16)])
def test_other_sizes_are_refused_with_what_to_do(network: StitchingNetwork, h: int, w: int) -> None:
    with pytest.raises(InputError, match=rf"{w} x {h} px: .* multiples of 8, 32 or more; pad it"):
        network.warp(pair(h=h, w=w))
    with pytest.raises(InputError, match="pad it"):
        network.stitch(pair(h=h, w=w), torch.zeros(1, 2, h, w), torch.zeros(1, 1, h, w))


@torch.no_grad()
def test_padding_with_zeros_makes_any_size_fit(network: StitchingNetwork) -> None:
    odd = pair(h=61, w=90)
    fits = PairTensors(*(padded(plane) for plane in vars(odd).values()))
    assert fits.target.shape == (1, 3, 64, 96)
    assert all(side % MULTIPLE == 0 for side in fits.target.shape[2:])
    assert torch.equal(fits.target[..., :61, :90], odd.target)
    assert not fits.target_valid[..., 61:, :].any()
    assert network.eval().warp(fits).residual.isfinite().all()


def test_one_task_does_not_change_the_norms_of_the_other(network: StitchingNetwork) -> None:
    """Statistics, and parameters: they get no gradient."""
    for task, other in ((WARP, STITCH), (STITCH, WARP)):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        network.zero_grad(set_to_none=True)
        features = network.backbone(noise(2, 3, H, W), torch.ones(2, 1, H, W), task)
        (features.quarter.square().mean() + features.eighth.square().mean()).backward()
        norms = {name: value for name, value in network.state_dict().items() if "norms." in name}
        assert norms
        for name, value in norms.items():
            moved = "running" in name or "num_batches" in name
            assert torch.equal(value, before[name]) == (f"norms.{other}." in name or not moved), name
        for name, parameter in network.backbone.named_parameters():
            assert (parameter.grad is None) == (f"norms.{other}." in name), name


def test_norms_of_two_tasks_differ_once_they_were_trained() -> None:
    norm, x = TaskBatchNorm(3, ("a", "b")), noise(4, 3, 8, 8)
    assert torch.equal(norm(x, "a"), norm(x, "b"))
    norm(5 * x + 2, "b")
    norm.eval()
    assert not torch.allclose(norm(x, "a"), norm(x, "b"))


@torch.no_grad()
def test_evaluation_does_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    backbone, pictures, valid = Backbone((WARP,)).eval(), noise(2, 3, H, W), torch.ones(2, 1, H, W)
    together, alone = backbone(pictures, valid, WARP), backbone(pictures[1:], valid[1:], WARP)
    assert torch.allclose(together.quarter[1:], alone.quarter, atol=1e-5)
    assert torch.allclose(together.eighth[1:], alone.eighth, atol=1e-5)


def test_every_parameter_gets_a_gradient_from_both_modules(network: StitchingNetwork) -> None:
    result = network.warp(pair())
    stitched = network.stitch(pair(), result.residual.detach(), result.visibility.detach()).generated.stitched
    loss = sum((residual - 3).abs().mean() for residual in result.sequence) + result.visibility.square().mean()
    assert result.matching is not None  # nothing else reaches the matching, which learns apart
    loss = loss + result.matching.softmax(2).square().sum()
    (loss + (stitched - 0.5).square().mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_pictures_and_masks_become_tensors() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert torch.equal(to_tensor(picture)[0, 2], torch.tensor(picture[..., 2] / 255).float())
    assert to_tensor(picture[..., 0] > 4).unique().tolist() == [0, 1]
    assert to_tensor(np.full((2, 4, 2), -7.5, np.float32)).shape == (1, 2, 2, 4)
