"""Batches with left and right exchanged."""

from dataclasses import replace

import pytest
import torch

from apps.training.data.mirror import mirrored
from apps.training.losses.targets import known_pixels
from apps.training.losses.warp_losses import epipolar_loss


def test_mirrored_twice_is_the_same_batch(batch):
    twice = mirrored(mirrored(batch))
    for expected, found in ((batch, twice), (batch.truth, twice.truth)):
        for name, value in vars(expected).items():
            if isinstance(value, torch.Tensor):
                assert torch.allclose(getattr(found, name), value, atol=1e-5), name
                assert torch.equal(getattr(found, name), value) or name in ("fundamental", "segments"), name


def test_pictures_are_flipped_and_the_truth_stays_true(batch):
    """A pixel and its true place are mirrored together; places stay on their epipolar lines."""
    flipped = mirrored(batch)
    assert torch.equal(flipped.target.flip(3), batch.target)
    assert torch.equal(flipped.truth.stitched.flip(3), batch.truth.stitched)
    columns = torch.arange(64.0)
    x, flipped_x = columns + batch.truth.residual[:, 0], columns + flipped.truth.residual[:, 0]
    assert torch.allclose(flipped_x, 63 - x.flip(2), atol=1e-4)
    assert torch.equal(flipped.truth.residual[:, 1].flip(2), batch.truth.residual[:, 1])
    losses = [epipolar_loss(b.truth.residual, b.truth.fundamental, known_pixels(b.truth)) for b in (batch, flipped)]
    assert losses[1] == pytest.approx(losses[0].item(), rel=1e-2)
    wrong = epipolar_loss(flipped.truth.residual, batch.truth.fundamental, known_pixels(flipped.truth))
    assert losses[1] < 0.1 < wrong
    assert torch.allclose(flipped.truth.segments[..., 0], 63 - batch.truth.segments[..., 0], atol=1e-4)
    assert torch.equal(flipped.truth.owner, batch.truth.owner)


def test_a_batch_without_ground_truth_is_mirrored_too(batch):
    flipped = mirrored(replace(batch, truth=None))
    assert flipped.truth is None
    assert torch.equal(flipped.start[:, 0], -batch.start[:, 0].flip(2))


def test_an_unknown_fundamental_matrix_stays_unknown(batch):
    unknown = torch.zeros_like(batch.truth.fundamental)
    flipped = mirrored(replace(batch, truth=replace(batch.truth, fundamental=unknown)))
    assert torch.equal(flipped.truth.fundamental, unknown)
