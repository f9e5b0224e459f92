"""Batches with left and right exchanged: the training's only augmentation of geometry."""

from dataclasses import replace
from typing import Any

import torch

from datasets.examples.batch import ExampleBatch


def mirrored(batch: ExampleBatch) -> ExampleBatch:
    """The batch as if all its pictures had been flipped about their vertical centre line, its truth too."""
    flipped = _flipped(batch, "start")
    truth = batch.truth
    if truth is None:
        return replace(batch, **flipped)
    maps = _flipped(truth, "residual")
    last = batch.reference.shape[3] - 1
    flip = truth.fundamental.new_tensor([[-1, 0, last], [0, 1, 0], [0, 0, 1]])
    fundamental = flip.T @ truth.fundamental @ flip
    norm = torch.linalg.matrix_norm(fundamental, keepdim=True)
    fundamental = fundamental / norm.clamp_min(1e-30)  # all zeros stay so: there is none
    segments = truth.segments * truth.segments.new_tensor([-1, 1]) + truth.segments.new_tensor([last, 0])
    return replace(batch, **flipped, truth=replace(truth, **maps, fundamental=fundamental, segments=segments))


def _flipped(maps: object, displacement: str) -> dict[str, Any]:
    """All (b, c, h, w) fields with their columns reversed; the x of the field `displacement` changes its sign too."""
    flipped = {name: value.flip(3) for name, value in vars(maps).items() if getattr(value, "ndim", 0) == 4}
    flipped[displacement] = flipped[displacement] * flipped[displacement].new_tensor([-1, 1])[:, None, None]
    return flipped
