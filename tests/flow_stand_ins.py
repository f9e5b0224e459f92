"""Stand-ins for the package ptlflow and its networks, and pairs for them."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from stitching.errors import InputError
from stitching.io.picture import to_grey
from stitching.network.pair_tensors import PairTensors
from stitching.warping.warp import CanvasPair

NO_POINTS = np.zeros((0, 2))
ADDRESS = "https://nowhere.example/tiny-things.ckpt"


class Tiny(nn.Module):
    """A flow from one convolution, in training with predictions of `iters` steps."""

    def __init__(self, iters=3):
        super().__init__()
        self.pretrained_checkpoints = {"things": ADDRESS}
        self.convolution = nn.Conv2d(6, 2, 3, padding=1)
        self.extra_params = {}
        self.iters = iters
        self.images = []

    def forward(self, inputs):
        self.images.append(inputs["images"].detach())
        flow = self.convolution(inputs["images"].flatten(1, 2))  # (b, 2, 3, h, w) -> (b, 6, h, w)
        steps = [flow * (step + 1) / self.iters for step in range(self.iters)]
        return {"flows": flow[:, None]} | ({"flow_preds": steps} if self.training else {})

    def add_extra_param(self, name, value):
        self.extra_params[name] = value


class Pyramid(nn.Module):
    """Predictions of a pyramid: smaller than the pictures, in units of their own."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(6, 2, 4, stride=4)

    def forward(self, inputs):
        quarter = self.convolution(inputs["images"].flatten(1, 2))  # (b, 2, 3, h, w) -> (b, 6, h, w)
        flow = nn.functional.interpolate(20 * quarter, scale_factor=4.0)
        return {"flows": flow[:, None], "flow_preds": [quarter, nn.functional.avg_pool2d(quarter, 2)]}


class Search(nn.Module):
    """Finds flow as a function of two grey pictures does."""

    def __init__(self, find):
        super().__init__()
        self.find = find

    def forward(self, inputs):
        first, second = (to_grey((p.permute(1, 2, 0) * 255).byte().numpy()) for p in inputs["images"][0])
        return {"flows": torch.from_numpy(self.find(first, second)).permute(2, 0, 1)[None, None]}


class Failing(nn.Module):
    """Has weights, but does not run."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        raise RuntimeError("it wants\nfour pictures")


NETWORKS = {"tiny": Tiny, "pyramid": Pyramid, "failing": Failing}


def use_stand_ins(monkeypatch):
    """Put in the place of ptlflow a package with `NETWORKS`, and one that cannot be made here, `greedy`."""

    def get_model(name):
        if name == "greedy":
            raise OSError("there is no net\nto get parts from")
        return NETWORKS[name]()

    known = SimpleNamespace(get_model_names=lambda: ["greedy", *NETWORKS], get_model=get_model)
    monkeypatch.setitem(sys.modules, "ptlflow", known)
    monkeypatch.setattr("stitching.warping.estimators.registry.find_spec", lambda name: name)


def tensors(height, width, batch=1):
    """A pair of noise, valid everywhere."""
    random = torch.Generator().manual_seed(0)
    pictures = [torch.rand(batch, 3, height, width, generator=random) for _ in range(2)]
    return PairTensors(*pictures, *(torch.ones(batch, 1, height, width) for _ in range(2)))


def strips():
    """A pair of which the reference sees the left, the target the right; darker, with a rim that nobody sees."""
    random = np.random.default_rng(0)
    height, width = 140, 200
    columns, inner = np.arange(width), np.zeros((height, width), bool)
    inner[10:-10] = True
    reference_valid, target_valid = (columns < 150) & inner, (columns >= 60) & inner
    scene = random.integers(60, 256, (height, width, 3), np.uint8)
    reference = np.where(reference_valid[..., None], scene, 0).astype(np.uint8)
    target = np.where(target_valid[..., None], scene // 2, 0).astype(np.uint8)
    return CanvasPair(reference, target, reference_valid, target_valid, NO_POINTS, NO_POINTS)


def refused(call):
    """The one line with which a call is refused."""
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)
