"""What the tasks' losses are: one number for each instance, the mean over the pixels that are known."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from datasets.labels import IGNORED, Kind, Labels

CHANNELS: dict[Kind, int] = {"classes": 0, "binary": 1, "distance": 1, "normals": 3}  # classes: as many as there are


@dataclass(frozen=True)
class Scale:
    """Of a task's labels, measured on the training set, so that its loss depends on no unit.

    Attributes:
        unit: distances: the mean of what is known; the network says distances in it. 1 for other kinds.
        positive: binary: weight of the pixels that are 1, the share of those that are 0; they then weigh the same in
            total. 0.5 for other kinds.
    """

    unit: float = 1.0
    positive: float = 0.5


def channels(labels: Labels) -> int:
    """How many channels a network's answer has."""
    return labels.classes or CHANNELS[labels.kind]


def known(labels: Labels, truth: Tensor) -> Tensor:
    """(b, h, w) bool: where the label is known."""
    if labels.kind == "distance":
        return truth.isfinite()
    return truth.any(1) if labels.kind == "normals" else truth != IGNORED


def losses(labels: Labels, scale: Scale, answer: Tensor, truth: Tensor) -> Tensor:
    """(b,) float32, 0 where nothing is known.

    classes: cross-entropy; binary: cross-entropy weighted by `scale.positive`; distance: |difference| in `scale.unit`;
    normals: sum over the three components of |difference| of unit vectors.

    Args:
        labels: what the maps mean.
        scale: of the task.
        answer: (b, channels, h, w), the network's.
        truth: label maps, see datasets.labels.
    """
    valid = known(labels, truth)
    truth = torch.where(valid[:, None] if labels.kind == "normals" else valid, truth, 0)  # no NaN gets into a gradient
    pixels = _pixels(labels.kind, scale, answer.float(), truth)
    return torch.where(valid, pixels, 0).sum((1, 2)) / valid.sum((1, 2)).clamp_min(1)


def _pixels(kind: Kind, scale: Scale, answer: Tensor, truth: Tensor) -> Tensor:
    """(b, h, w)."""
    if kind == "classes":
        return functional.cross_entropy(answer, truth, reduction="none")
    if kind == "distance":
        return (answer[:, 0] - truth / scale.unit).abs()
    if kind == "normals":
        return (functional.normalize(answer, dim=1) - truth).abs().sum(1)
    weight = torch.where(truth > 0, scale.positive, 1 - scale.positive)
    return functional.binary_cross_entropy_with_logits(answer[:, 0], truth, weight, reduction="none")


def measure_scale(labels: Labels, maps: Iterable[Tensor]) -> Scale:
    """Of all label maps of a training set; where they say nothing, as if it were not measured."""
    if labels.kind not in ("distance", "binary"):
        return Scale()
    total, count = 0.0, 0
    for some in maps:
        values = some[known(labels, some)]
        total, count = total + float(values.double().sum()), count + len(values)
    if not total or total == count:
        return Scale()
    return Scale(unit=total / count) if labels.kind == "distance" else Scale(positive=1 - total / count)
