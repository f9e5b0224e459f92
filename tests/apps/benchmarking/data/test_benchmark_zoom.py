"""Augmentation by scale, on pictures of a few pixels."""

import numpy as np
import torch

from apps.benchmarking.data.array_dataset import LabelledBatch
from apps.benchmarking.data.zoom import random_zoom, zoom
from datasets.labels import IGNORED, Labels

LABELS = {
    "parts": Labels("classes", 64), "depth": Labels("distance"), "normals": Labels("normals"), "edges": Labels("binary")
}  # fmt: skip
NUMBERS = torch.arange(64).reshape(8, 8)


def make_batch(count=1):
    """Every pixel has a class of its own, 0 to 63."""
    numbers = NUMBERS.expand(count, 8, 8)
    grey = (numbers / 64)[:, None].repeat(1, 3, 1, 1)
    normals = torch.zeros(count, 3, 8, 8)
    normals[:, 2] = -1
    maps = {"parts": numbers, "depth": 1.0 + numbers, "normals": normals, "edges": (numbers % 2).float()}
    return LabelledBatch(torch.arange(count), grey, maps)


def zoomed(factor, x=0.0, y=0.0):
    return zoom(make_batch(), LABELS, torch.tensor([factor]), torch.tensor([[x, y]]))


def test_a_factor_of_one_changes_nothing():
    before, after = make_batch(), zoomed(1.0, 0.5, -0.5)
    assert torch.allclose(after.images, before.images, atol=1e-6)
    assert all(torch.equal(after.labels[task], maps) for task, maps in before.labels.items())


def test_a_part_is_enlarged_and_looks_nearer():
    for (x, y), rows, columns in (((-1.0, -1.0), range(4), range(4)), ((1.0, 0.0), range(2, 6), range(4, 8))):
        found = zoomed(2.0, x, y).labels
        expected = NUMBERS[rows][:, columns].repeat_interleave(2, 0).repeat_interleave(2, 1)
        assert found["parts"].dtype == torch.int64
        assert torch.equal(found["parts"][0], expected)
        assert torch.equal(found["depth"][0], (1 + expected) / 2)
        assert torch.equal(found["edges"][0], (expected % 2).float())
        assert torch.equal(found["normals"], make_batch().labels["normals"])


def test_around_a_smaller_picture_nothing_is_known():
    found = zoomed(0.5, 1.0, 1.0)
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[:4, :4] = True  # the view goes beyond the picture's lower right corner
    assert torch.equal(found.labels["parts"][0] != IGNORED, inside)
    assert torch.equal(found.labels["edges"][0] != IGNORED, inside)
    assert torch.equal(found.labels["depth"][0].isfinite(), inside)
    assert torch.equal(found.labels["normals"][0].any(0), inside)
    assert torch.equal(found.images[0, 0] > 0, inside & (found.images[0, 0] > 0))
    assert found.labels["depth"][0][inside].max() > 64  # twice as far


def test_random_factors_stay_within_their_limits():
    batch = make_batch(64)
    depth = random_zoom(batch, LABELS, (1.0, 1.5), np.random.default_rng(0)).labels["depth"]
    parts = random_zoom(batch, LABELS, (1.0, 1.5), np.random.default_rng(0)).labels["parts"]
    factors = ((1 + parts) / depth).mean((1, 2))
    assert 1 <= float(factors.min()) < 1.1
    assert 1.4 < float(factors.max()) <= 1.5
    assert len({tuple(map(tuple, picture.tolist())) for picture in parts}) > 32
