"""Matching the cells of two pictures."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stitching.network.backbone import EIGHTH, Features
from stitching.network.matching.cell_matching import CellMatching
from stitching.network.matching.correlation import CELL, NO_MATCH, best_match
from stitching.network.pair_tensors import PairTensors

ROWS, COLUMNS, CHANNELS = 9, 12, 96
VALID = torch.ones(1, 1, CELL * ROWS, CELL * COLUMNS)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_descriptions(b: int, seed: int = 0) -> Tensor:
    return functional.normalize(noise(b, CHANNELS, ROWS, COLUMNS, seed=seed), dim=1)


@pytest.fixture(scope="module")
def matching() -> CellMatching:
    """A logit is the cosine times 20; the dustbin has 12."""
    torch.manual_seed(0)
    module = CellMatching().eval()
    with torch.no_grad():
        module.log_sharpness.fill_(torch.tensor(20.0).log())
        module.dustbin.fill_(12.0)
    return module


@torch.no_grad()
def test_a_known_shift_of_descriptions_is_found(matching: CellMatching) -> None:
    """A match 8 above the dustbin: to a hundredth of a cell, with confidence, wherever it lies on the grid."""
    reference = random_descriptions(2)
    target = torch.roll(reference, (2, -3), (2, 3))  # the target's cell (x, y) is the reference's (x + 3, y - 2)
    logits = matching.logits(reference, target, VALID.expand(2, -1, -1, -1))
    displacement, confidence = best_match(logits, ROWS, COLUMNS)
    inside = (..., slice(2, None), slice(None, -3))
    assert (displacement - torch.tensor([3.0, -2]).view(1, 2, 1, 1))[inside].abs().max() < 0.01
    assert confidence[inside].min() > 0.99


@torch.no_grad()
def test_cells_without_a_match_go_to_the_dustbin_and_stay(matching: CellMatching) -> None:
    logits = matching.logits(random_descriptions(1), random_descriptions(1, seed=1), VALID)
    displacement, confidence = best_match(logits, ROWS, COLUMNS)
    assert (logits.argmax(2) == ROWS * COLUMNS).float().mean() > 0.95
    assert confidence.mean() < 0.05
    assert displacement[(confidence < 0.01).expand_as(displacement)].abs().max() < 0.1


@torch.no_grad()
def test_cells_that_are_not_valid_in_the_reference_are_never_matched(matching: CellMatching) -> None:
    reference = random_descriptions(1)
    valid = VALID.clone()
    valid[..., 5 * CELL :] = 0.49
    valid[..., 4 * CELL : 5 * CELL] = 0.5
    logits = matching.logits(reference, reference, valid)
    hidden = torch.zeros(ROWS, COLUMNS, dtype=torch.bool)
    hidden[:, 5:] = True
    assert (logits[..., :-1][..., hidden.flatten()] == NO_MATCH).all()
    assert (logits[..., :-1][..., ~hidden.flatten()] > -1000).all()
    displacement, confidence = best_match(logits, ROWS, COLUMNS)
    assert displacement[..., :5].abs().max() < 0.01
    assert confidence[..., :5].min() > 0.99
    assert confidence[..., 5:].max() < 0.05
    nothing = matching.logits(reference, reference, 0 * VALID)
    assert not best_match(nothing, ROWS, COLUMNS)[0].any()


def test_pictures_become_logits_with_gradients_for_all_but_the_backbone() -> None:
    torch.manual_seed(0)
    matching = CellMatching()
    pictures = torch.rand(2, 3, CELL * ROWS, CELL * COLUMNS)
    features = [Features(torch.zeros(0), torch.rand(1, EIGHTH, ROWS, COLUMNS, requires_grad=True)) for _ in range(2)]
    logits = matching(PairTensors(*pictures.split(1), VALID, VALID), *features)
    assert logits.shape == (1, ROWS * COLUMNS, ROWS * COLUMNS + 1)
    displacement, confidence = best_match(logits, ROWS, COLUMNS)
    (displacement.square().sum() + confidence.sum()).backward()
    for parameter in matching.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    assert all(shared.eighth.grad is None for shared in features)
    assert matching.dustbin.grad
    assert matching.log_sharpness.grad
