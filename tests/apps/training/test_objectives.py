"""The network with its losses."""

import pytest
import torch

from apps.training.objectives import Objectives
from apps.training.options import TASKS
from stitching.network.stitching_network import StitchingNetwork


def test_the_stitch_is_trained_on_the_same_warp_whether_it_is_asked_for_alone_or_not(batch):
    torch.manual_seed(0)
    network = StitchingNetwork()
    objectives = Objectives(network, half=False, trains_warp=True)
    together, _ = objectives(batch, TASKS["joint"], False)
    alone, terms = objectives(batch, ("stitch",), False)
    assert list(alone) == ["stitch"]
    assert "sequence" not in terms
    assert alone["stitch"].item() == pytest.approx(together["stitch"].item(), rel=1e-5)
    blend, _ = Objectives(network, half=False)(batch, ("stitch",), False)  # PWM does not run: the classical warp
    assert blend["stitch"].item() != pytest.approx(together["stitch"].item(), rel=1e-5)
    alone["stitch"].backward()
    assert all(parameter.grad is None for parameter in network.warping.parameters())
