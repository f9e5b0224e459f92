"""A flow network as a module that takes a pair of any size; with stand-ins."""

import numpy as np
import pytest
import torch
from flow_stand_ins import Failing, Pyramid, Tiny, strips, tensors

from stitching.errors import JobError
from stitching.geometry.rectangles import Rectangle
from stitching.network.flow_networks.ptlflow_warping import (
    MIN_SIDE,
    TRAINING_ITERATIONS,
    PtlflowStitchingNetwork,
    PtlflowWarping,
)
from stitching.warping.estimators.classical import fill_outside
from stitching.warping.estimators.ptlflow import warp_by_network


@pytest.mark.parametrize(("height", "width"), [(MIN_SIDE, MIN_SIDE + 24), (72, 300), (51, 33)])
def test_small_pictures_are_padded_for_the_network(height, width):
    network = Tiny()
    warp = PtlflowWarping(network)(tensors(height, width, batch=2))
    assert all(residual.shape == (2, 2, height, width) for residual in warp.sequence)
    assert network.images[0].shape == (2, 2, 3, max(height, MIN_SIDE), max(width, MIN_SIDE))


def test_the_target_comes_first():
    """The flow is that from the target to the reference."""
    network, pair = Tiny(), tensors(MIN_SIDE, MIN_SIDE)
    PtlflowWarping(network)(pair)
    target, reference = network.images[0][0]
    gain = pair.reference.mean((2, 3), keepdim=True) / pair.target.mean((2, 3), keepdim=True)
    assert torch.allclose(target, (pair.target * gain).clamp(0, 1)[0], atol=1e-5)
    assert torch.equal(reference, pair.reference[0])


def test_pictures_are_filled_as_for_the_classical_estimator():
    pair, network = strips(), Tiny()
    warp_by_network(pair, PtlflowWarping(network))
    expected = fill_outside(pair.crop(Rectangle(28, 0, 182, 140)))[::-1]  # the overlap and 32 px
    valid = network.images[0][0, :, :, :140, :154].permute(0, 2, 3, 1).numpy() * 255
    for picture, truth in zip(valid, expected, strict=True):
        assert np.abs(picture - truth).max() <= 1.01  # bytes are cut off, not rounded


def test_in_training_the_sequence_has_all_steps_and_the_result_is_the_last():
    network = Tiny()
    warp = PtlflowWarping(network).train()(tensors(64, 64))
    assert len(warp.sequence) == 3
    assert torch.allclose(warp.sequence[0] * 3, warp.residual)
    assert warp.visibility is None
    assert warp.matching is None


def test_of_a_pyramid_of_smaller_predictions_the_result_counts_alone():
    warp = PtlflowWarping(Pyramid()).train()(tensors(64, 96))
    assert [residual.shape for residual in warp.sequence] == [(1, 2, 64, 96)]


@pytest.mark.parametrize("usual", [4, 32])
def test_a_recurrent_network_makes_fewer_iterations_in_training_alone(usual):
    network = Tiny(usual)
    warping = PtlflowWarping(network).train()
    assert len(warping(tensors(64, 64)).sequence) == min(usual, TRAINING_ITERATIONS)
    warping.eval()
    assert network.iters == usual


def test_a_network_that_cannot_be_trained_is_reported():
    with pytest.raises(JobError, match=r"it wants four pictures.*--precision fp32"):
        PtlflowStitchingNetwork(Failing()).train().warp(tensors(64, 64))
