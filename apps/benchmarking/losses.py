"""The tasks' losses: one number for each instance, the mean over the pixels whose label is known."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from datasets.labels import IGNORED, LabelKind, Labels
from mtl.weightings.instance_weights import LossForm

_CHANNELS: dict[LabelKind, int] = {  # classes and categories: one for each
    "binary": 1, "distance": 1, "normals": 3, "colour": 3, "motion": 2, "number": 1,
}  # fmt: skip
LOSS_FORMS: dict[LabelKind, LossForm] = {  # of instance_losses
    "classes": "cross_entropy", "binary": "cross_entropy", "distance": "l1", "normals": "l1",
    "colour": "l1", "motion": "l1", "category": "cross_entropy", "number": "l2",
}  # fmt: skip


@dataclass(frozen=True)
class LabelScale:
    """The scale of a task's labels, measured on the training set, so that its loss depends on no unit.

    Attributes:
        unit: distances: their mean over the known pixels; motion: the mean of its length; numbers: their standard
            deviation. The network predicts them in this unit. 1 for other kinds.
        positive: binary: weight of the pixels that are 1, the share of those that are 0; they then weigh the same in
            total. 0.5 for other kinds.
    """

    unit: float = 1.0
    positive: float = 0.5


def output_channels(labels: Labels) -> int:
    """The number of channels of a network's prediction."""
    return labels.classes or _CHANNELS[labels.kind]


def valid_pixels(labels: Labels, truth: Tensor) -> Tensor:
    """(b, h, w) bool: where the label is known; (b,) for labels of whole pictures."""
    if labels.kind in ("distance", "number"):
        return truth.isfinite()
    if labels.kind in ("colour", "motion"):
        return truth.isfinite().all(1)
    return truth.any(1) if labels.kind == "normals" else truth != IGNORED


def instance_losses(labels: Labels, scale: LabelScale, prediction: Tensor, truth: Tensor) -> Tensor:
    """(b,) float32, 0 where nothing is known.

    classes: cross-entropy; binary: cross-entropy weighted by `scale.positive`; distance: |difference| in `scale.unit`;
    normals: sum over the three components of |difference| of unit vectors; colour: sum over the three channels of
    |difference|; motion: sum over x and y of |difference| in `scale.unit`; category: cross-entropy; number: squared
    difference in `scale.unit`.

    Args:
        labels: what the maps mean.
        scale: of the task.
        prediction: (b, channels, h, w), of the network; (b, channels) for labels of whole pictures.
        truth: labels, see datasets.labels.
    """
    valid = valid_pixels(labels, truth)
    truth = torch.where(valid[:, None] if truth.ndim == 4 else valid, truth, 0)  # no NaN gets into a gradient
    pixel_losses = _pixel_losses(labels.kind, scale, prediction.float(), truth)
    known = valid.flatten(1) if valid.ndim > 1 else valid[:, None]  # (b, h * w) or (b, 1)
    return torch.where(known, pixel_losses.reshape(known.shape), 0).sum(1) / known.sum(1).clamp_min(1)


def _pixel_losses(kind: LabelKind, scale: LabelScale, prediction: Tensor, truth: Tensor) -> Tensor:
    """(b, h, w); (b,) for labels of whole pictures."""
    if kind in ("classes", "category"):
        return functional.cross_entropy(prediction, truth, reduction="none")
    if kind == "distance":
        return (prediction[:, 0] - truth / scale.unit).abs()
    if kind == "number":
        return (prediction[:, 0] - truth / scale.unit).square()
    if kind == "normals":
        return (functional.normalize(prediction, dim=1) - truth).abs().sum(1)
    if kind in ("colour", "motion"):
        return (prediction - truth / scale.unit).abs().sum(1)
    weight = torch.where(truth > 0, scale.positive, 1 - scale.positive)
    return functional.binary_cross_entropy_with_logits(prediction[:, 0], truth, weight, reduction="none")


def measure_scale(labels: Labels, maps: Iterable[Tensor]) -> LabelScale:
    """The scale of all label maps of a training set, (b, ...) at a time; LabelScale() where no pixel is known."""
    if labels.kind not in ("distance", "binary", "motion", "number"):
        return LabelScale()
    if labels.kind == "number":
        deviation = float(torch.cat([batch[valid_pixels(labels, batch)] for batch in maps]).double().std(correction=0))
        return LabelScale(unit=deviation) if deviation > 0 else LabelScale()
    total, count = 0.0, 0
    for batch in maps:
        sizes = batch.norm(dim=1) if labels.kind == "motion" else batch
        values = sizes[valid_pixels(labels, batch)]
        total, count = total + float(values.double().sum()), count + len(values)
    if not total or (labels.kind == "binary" and total == count):
        return LabelScale()
    return LabelScale(positive=1 - total / count) if labels.kind == "binary" else LabelScale(unit=total / count)
