"""Losses on photographs, without ground truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from photo_pairs import two_views

from apps.training.losses.self_supervised_tasks import photometric_difference, stitch_terms, swapped
from apps.training.objectives import Objectives
from apps.training.options import TASKS
from apps.training.prediction import pair_of
from datasets.examples.batch import collate_examples
from datasets.examples.example import Example
from stitching.network.pair_tensors import PairTensors
from stitching.network.stitched_image_generating import Generated
from stitching.network.stitching_network import StitchedPair, StitchingNetwork


def translated(translation=2):
    """An example whose target belongs `translation` px to the right, which the classical warp did not find."""
    reference, target = two_views(5, translation)
    everywhere = np.ones((64, 64), bool)
    start = np.zeros((64, 64, 2), np.float32)
    return Example(reference, target, everywhere, everywhere, start, everywhere, None)


@pytest.mark.slow
def test_a_translation_is_learned_from_the_pictures_alone():
    torch.manual_seed(0)
    batch = collate_examples([translated()])
    objectives = Objectives(StitchingNetwork(), half=False)
    optimizer = torch.optim.AdamW(objectives.parameters(), 2e-4)
    differences = []
    for _ in range(30):
        losses, terms = objectives(batch, TASKS["flow"], start_from_classical=False)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(objectives.parameters(), 1.0)
        optimizer.step()
        differences.append(float(terms["pairs/photometric"].detach()))
    assert np.mean(differences[-3:]) < 0.6 * differences[0]


def test_pictures_differ_least_under_the_true_warp_in_both_directions():
    batch = collate_examples([translated()])
    forward = torch.tensor([2.0, 0.0])[None, :, None, None].expand(1, 2, 64, 64)
    pair = pair_of(batch)
    for pictures, residual in ((pair, forward), (swapped(pair), -forward)):
        right, wrong = (photometric_difference(pictures, r, pictures.target_valid) for r in (residual, 0 * residual))
        assert right < 0.2 * wrong


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("classical", [False, True])
def test_every_task_has_a_loss_with_gradient_and_those_that_need_ground_truth_have_0(half, classical):
    losses, _ = Objectives(StitchingNetwork(), half)(collate_examples([translated()]), TASKS["joint"], classical)
    assert list(losses) == list(TASKS["joint"])
    assert all(loss.requires_grad and loss.shape == () for loss in losses.values())
    assert losses["geometry"] == losses["visibility"] == 0
    assert losses["warp"] > 0
    assert losses["stitch"] > 0


def test_pairs_whose_alignment_failed_have_loss_0():
    example = translated()
    empty = np.zeros((64, 64), bool)
    network = Objectives(StitchingNetwork(), half=False).eval()
    for changes in ({"trusted": empty}, {"target_valid": empty, "target": 0 * example.target}):
        losses, terms = network(collate_examples([replace(example, **changes)]), TASKS["joint"], False)
        assert all(loss == 0 for loss in losses.values())
        assert all(torch.isfinite(term) for term in terms.values())


# --- stitches ---


def stitched(weight, gain=1.0, target_gain=1.0, ghost=False):
    """A stitch of pictures that overlap in columns 16 to 47 and agree there; with a ghost not in columns 24 to 31."""
    scene = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) / 2
    column = torch.arange(64).expand(1, 1, 64, 64)
    reference_valid, target_valid = (column < 48).float(), (column >= 16).float()
    target = torch.where((column >= 24) & (column < 32), 0.5 - scene, scene) if ghost else scene
    inputs = PairTensors(scene * reference_valid, target_gain * target * target_valid, reference_valid, target_valid)
    weights = torch.where(column < 16, 1.0, torch.where(column < 48, weight, 0.0)).requires_grad_(True)
    gains = torch.full_like(scene, gain).requires_grad_(True)
    return StitchedPair(inputs, Generated(weights, gains, scene, scene)), torch.ones(1, 1, 64, 64)


def seam_at(column):
    """Weights (64,): the reference left of the column, the target from there on."""
    return (torch.arange(64) < column).float()


def test_the_right_gain_costs_nothing():
    right, wrong = (stitch_terms(*stitched(seam_at(40), gain, target_gain=0.5)) for gain in (2.0, 1.0))
    assert right["pairs/gain"] < 1e-6 < 0.05 < wrong["pairs/gain"]


def test_a_seam_costs_where_the_pictures_differ_also_along_the_border_of_the_overlap():
    beside, through, along = (stitch_terms(*stitched(seam_at(at), ghost=True)) for at in (40, 28, 24))
    assert beside["pairs/seam"] < 1e-6
    assert through["pairs/seam"] > 0.001
    assert 0 < along["pairs/seam"] < through["pairs/seam"]
    border = stitch_terms(*stitched(seam_at(48), gain=1.5))
    inside = stitch_terms(*stitched(seam_at(40), gain=1.5))
    assert border["pairs/seam"] > 0.3 * inside["pairs/seam"]


def test_mixing_costs_where_the_pictures_differ():
    mixed, unmixed = stitched(torch.tensor(0.5), ghost=True), stitched(seam_at(40), ghost=True)
    assert stitch_terms(*unmixed)["pairs/ghost"] == 0 < stitch_terms(*mixed)["pairs/ghost"]
    assert stitch_terms(*stitched(torch.tensor(0.5)))["pairs/ghost"] == 0


def test_seam_and_ghost_move_the_weight_not_the_gain():
    pair, mask = stitched(seam_at(28), ghost=True)
    terms = stitch_terms(pair, mask)
    (terms["pairs/seam"] + terms["pairs/ghost"]).backward()
    assert pair.generated.weight.grad.abs().sum() > 0
    assert pair.generated.gain.grad is None
