"""Losses of each example alone."""

from dataclasses import replace

import pytest
import torch

from apps.training.losses.per_example import select_example
from apps.training.objectives import Objectives
from apps.training.options import TASKS
from stitching.network.stitching_network import StitchingNetwork


def test_losses_per_example_are_those_of_batches_of_one(batch):
    torch.manual_seed(0)
    network = StitchingNetwork().eval()  # in training mode, statistics of the batch would mix the examples
    losses, terms = Objectives(network, half=False, per_example=True)(batch, TASKS["joint"], True)
    for index in range(len(batch.reference)):
        one = select_example(batch, index)
        assert one.sample_ids.tolist() == [batch.sample_ids[index]]
        alone, _ = Objectives(network, half=False)(one, TASKS["joint"], True)
        for task, loss in alone.items():
            assert loss.item() == pytest.approx(losses[task][index].item(), rel=1e-4)
    assert terms["sequence"].shape == ()


def test_what_is_not_batched_stays(batch):
    assert select_example(replace(batch, truth=None), 1).truth is None
    assert select_example({"a": (torch.arange(3), "b")}, 2) == {"a": (torch.tensor([2]), "b")}
