"""Test scores of a task, pooled over all pixels whose label is known."""

from math import nan
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from apps.benchmarking.losses import valid_pixels
from apps.benchmarking.metrics.metric import (
    ABSOLUTE_ERROR,
    ACCURACY,
    BEST_F,
    BEST_IOU,
    END_POINT_ERROR,
    MEAN_ANGLE,
    MIOU,
    PIXEL_ACCURACY,
    RELATIVE_ERROR,
    RMS_ERROR,
    Metric,
)
from datasets.labels import LabelKind, Labels

Scores = dict[str, float]  # by metric


MAIN_METRICS: dict[LabelKind, Metric] = {  # what is compared where nothing else is asked for
    "classes": MIOU, "distance": ABSOLUTE_ERROR, "normals": MEAN_ANGLE, "binary": BEST_F, "colour": ABSOLUTE_ERROR,
    "motion": END_POINT_ERROR, "category": ACCURACY, "number": RMS_ERROR,
}  # fmt: skip
ANGLE_BINS = 18000  # of angles: 0.01 degrees
THRESHOLDS = 100  # of probabilities: 0.01, 0.02, ... 1


class Scorer(Protocol):
    """Accumulates what a score needs, batch by batch."""

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """prediction: (b, channels, h, w), or (b, channels) of whole pictures; truth: see datasets.labels."""

    def scores(self) -> Scores:
        """By metric; NaN where no pixel is known."""


def make_scorer(labels: Labels, unit: float) -> Scorer:
    """The scorer of a task. unit: in which the network predicts distances, motion and numbers."""
    if labels.kind == "classes":
        return ClassScorer(labels)
    if labels.kind in ("distance", "number"):
        return DistanceScorer(labels, unit)
    if labels.kind == "motion":
        return MotionScorer(labels, unit)
    if labels.kind == "colour":
        return ColourScorer(labels)
    if labels.kind == "category":
        return CategoryScorer(labels)
    return NormalScorer(labels) if labels.kind == "normals" else BinaryScorer(labels)


class ClassScorer:
    """Mean intersection over union of the classes that occur, in the truth or in the predictions; pixel accuracy."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._counts = torch.zeros(labels.classes, labels.classes, dtype=torch.float64)  # true x predicted

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """As Scorer.add."""
        valid, n = valid_pixels(self._labels, truth), self._labels.classes
        pairs = truth[valid] * n + prediction.argmax(1)[valid]
        self._counts += torch.bincount(pairs, minlength=n * n).reshape(n, n).cpu()  # (n * n,) -> (n, n)

    def scores(self) -> Scores:
        """In percent."""
        hits, total = self._counts.diag(), self._counts.sum()
        union = self._counts.sum(0) + self._counts.sum(1) - hits
        occurs = union > 0
        mean = float((hits[occurs] / union[occurs]).mean()) if total else nan
        return {MIOU.name: 100 * mean, PIXEL_ACCURACY.name: 100 * _share(hits.sum(), total)}


class CategoryScorer:
    """The share of the pictures that are named rightly."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._counts = torch.zeros(2, dtype=torch.float64)  # right, all

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """As Scorer.add."""
        valid = valid_pixels(self._labels, truth)
        self._counts += torch.stack([(prediction.argmax(1) == truth)[valid].sum(), valid.sum()]).cpu()

    def scores(self) -> Scores:
        """In percent."""
        return {ACCURACY.name: 100 * _share(*self._counts)}


class DistanceScorer:
    """Of distances and numbers: mean absolute and root mean squared error, in their unit; mean of |error| / truth."""

    def __init__(self, labels: Labels, unit: float) -> None:
        self._labels, self._unit = labels, unit
        self._sums = torch.zeros(5, dtype=torch.float64)  # |error|, error^2, pixels; |error| / truth, pixels above 0

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """As Scorer.add."""
        valid = valid_pixels(self._labels, truth)
        known = truth[valid].double()
        error = (prediction[:, 0][valid].double() * self._unit - known).abs()
        above = known > 0  # a disparity may be 0: infinitely far
        ratios = error[above] / known[above]
        sums = [error.sum(), error.square().sum(), error.new_tensor(len(error)), ratios.sum(), above.sum()]
        self._sums += torch.stack(sums).cpu()

    def scores(self) -> Scores:
        """In the labels' unit; the relative error without one."""
        absolute, squared, count, relative, above = self._sums
        return {
            ABSOLUTE_ERROR.name: _share(absolute, count),
            RMS_ERROR.name: _share(squared, count) ** 0.5,
            RELATIVE_ERROR.name: _share(relative, above),
        }


class NormalScorer:
    """Angles between normals, degrees: mean, median, shares within 11.25, 22.5 and 30."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._bins = torch.zeros(ANGLE_BINS, dtype=torch.float64)
        self._sum = 0.0

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """As Scorer.add."""
        cosine = (functional.normalize(prediction.float(), dim=1) * truth).sum(1)[valid_pixels(self._labels, truth)]
        angles = torch.rad2deg(torch.acos(cosine.double().clamp(-1, 1)))
        self._sum += float(angles.sum())
        bins = (angles * (ANGLE_BINS / 180)).long().clamp(0, ANGLE_BINS - 1)
        self._bins += torch.bincount(bins, minlength=ANGLE_BINS).cpu()

    def scores(self) -> Scores:
        """Degrees, and percent; the median to 0.01 degrees."""
        total, up_to = self._bins.sum(), self._bins.cumsum(0)
        median = (int((up_to < total / 2).sum()) + 0.5) * 180 / ANGLE_BINS if total else nan
        within = {f"within {angle:g} %": 100 * _share(up_to[round(angle * ANGLE_BINS / 180) - 1], total)
                  for angle in (11.25, 22.5, 30)}  # fmt: skip
        return {MEAN_ANGLE.name: _share(torch.tensor(self._sum), total), "median angle": median, **within}


class ColourScorer:
    """Mean absolute error of all channels."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._sums = torch.zeros(2, dtype=torch.float64)  # |error|, pixels

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """As Scorer.add."""
        error = (prediction.double() - truth).abs().mean(1)[valid_pixels(self._labels, truth)]
        self._sums += torch.stack([error.sum(), error.new_tensor(len(error))]).cpu()

    def scores(self) -> Scores:
        """1 is from black to white."""
        return {ABSOLUTE_ERROR.name: _share(*self._sums)}


class MotionScorer:
    """Distance from the true to the predicted end of the motion, px: mean, share within 1."""

    def __init__(self, labels: Labels, unit: float) -> None:
        self._labels, self._unit = labels, unit
        self._sums = torch.zeros(3, dtype=torch.float64)  # error, errors within 1 px, pixels

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """As Scorer.add."""
        error = (prediction.double() * self._unit - truth).norm(dim=1)[valid_pixels(self._labels, truth)]
        self._sums += torch.stack([error.sum(), (error <= 1).sum(), error.new_tensor(len(error))]).cpu()

    def scores(self) -> Scores:
        """Px, and percent."""
        total, within, count = self._sums
        return {END_POINT_ERROR.name: _share(total, count), "within 1 px %": 100 * _share(within, count)}


class BinaryScorer:
    """The best that one threshold for the whole set gives: F measure, of all pixels; mean IoU of the pictures.

    Pixels must match exactly. The IoU is that of the pixels that are 1, in a picture without any, found or true, 1.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._bins = torch.zeros(2, THRESHOLDS, dtype=torch.float64)  # truth x probability, from the largest down
        self._overlaps = torch.zeros(THRESHOLDS, dtype=torch.float64)  # sum over the pictures, at each threshold
        self._pictures = torch.zeros((), dtype=torch.float64)

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """As Scorer.add."""
        valid, count = valid_pixels(self._labels, truth), len(truth)
        bins = (prediction[:, 0].float().sigmoid() * THRESHOLDS).long().clamp(0, THRESHOLDS - 1)
        picture = torch.arange(count, device=truth.device)[:, None, None].expand_as(truth)
        cells = ((picture * 2 + (truth == 1)) * THRESHOLDS + bins)[valid]
        size = count, 2, THRESHOLDS
        found = (
            torch.bincount(cells, minlength=count * 2 * THRESHOLDS).reshape(size).cpu().double()
        )  # (n,) -> (b, 2, t)
        found = found.flip(2)
        self._bins += found.sum(0)
        false_positives, true_positives = found.cumsum(2).unbind(1)
        union = false_positives + found[:, 1].sum(1, keepdim=True)
        known = found.sum((1, 2)) > 0
        self._overlaps += torch.where(union > 0, true_positives / union.clamp_min(1), 1)[known].sum(0)
        self._pictures += known.sum()

    def scores(self) -> Scores:
        """In percent."""
        false_positives, true_positives = self._bins.cumsum(1)  # at each threshold
        false_negatives = self._bins[1].sum() - true_positives
        f_measure = 2 * true_positives / (2 * true_positives + false_positives + false_negatives).clamp_min(1)
        best = float(f_measure.max()) if self._bins.sum() else nan
        overlap = _share(self._overlaps.max(), self._pictures)
        return {BEST_F.name: 100 * best, BEST_IOU.name: 100 * overlap}


def _share(part: Tensor, total: Tensor) -> float:
    return float(part / total) if total else nan
