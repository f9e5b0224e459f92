"""Waves: what they move can be moved back exactly, and nothing folds."""

import numpy as np
import torch

from datasets.moved_photographs.motion import draw_plan
from datasets.moved_photographs.photographs import Photographs
from datasets.moved_photographs.waves import Waves, deform, undeform
from stitching.network.tensor_maps import pixel_xy

SIZE = 320, 256


def drawn(count: int) -> Waves:
    """Waves of pairs of SIZE, the steepest and longest ones among them."""
    photographs = Photographs.of([np.full((300, 400, 3), 128, np.uint8)], torch.device("cpu"))
    plans = [draw_plan(np.random.default_rng(i), SIZE, photographs).waves for i in range(count)]
    parts = [np.stack([getattr(plan, name) for plan in plans]) for name in ("displacement", "frequency", "phase")]
    return Waves(*(torch.from_numpy(part).float() for part in parts))


def test_the_inverse_is_exact() -> None:
    points = pixel_xy(torch.empty(1, 1, 48, 64)).expand(30, -1, -1, -1) * 8 - 100
    back = undeform(drawn(30), deform(drawn(30), points))
    assert (back - points).abs().max() < 0.002


def test_deformations_are_large_smooth_and_never_fold() -> None:
    points = pixel_xy(torch.empty(1, 1, 64, 80)).expand(30, -1, -1, -1) * 4
    moved = deform(drawn(30), points)
    length = (moved - points).norm(dim=1).amax((1, 2))
    assert length.max() > 25
    assert (length < 0.2).sum() >= 2  # some pairs are flat
    across, down = moved.diff(dim=3)[:, :, 1:], moved.diff(dim=2)[:, :, :, 1:]
    area = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    assert area.min() > 0.05 * 4 * 4
