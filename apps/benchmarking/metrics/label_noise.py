"""How well wrong labels are found by what a training leaves: its losses, and where there are any, instance weights."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from apps.benchmarking.metrics.scores import Scores
from mtl.strategy import Strategy

LATE_SHARE = 0.25  # of the epochs, the last ones, over which the late losses are averaged
FINAL_LOSS, LATE_LOSSES, INSTANCE_WEIGHTS = "final loss", "mean of late losses", "instance weights"  # rankings
ROC_AUC = "ROC-AUC"
_NAMES = {
    "roc_auc": ROC_AUC, "average_precision": "average precision",
    "precision": "precision", "recall": "recall", "share": "share flagged",
}  # fmt: skip


class MeanLosses:
    """The mean loss of each training instance for one task."""

    def __init__(self, count: int) -> None:
        self._sums, self._counts = torch.zeros(count), torch.zeros(count)

    def add(self, sample_ids: Tensor, losses: Tensor) -> None:
        """sample_ids: (b,) int64, each once; losses: (b,)."""
        self._sums[sample_ids.cpu()] += losses.float().cpu()
        self._counts[sample_ids.cpu()] += 1

    def means(self) -> Tensor:
        """(count,); an instance without a loss gets the mean of the others."""
        valid = self._counts > 0
        means = self._sums / self._counts.clamp_min(1)
        return torch.where(valid, means, means[valid].mean())


def instance_parameters(strategy: Strategy, task: str) -> Tensor | None:
    """(count,) log sigma of a task where the strategy, or one inside it, has instance weights."""
    from mtl.weightings.instance_weights import InstanceWeights

    for nested in _with_inner(strategy):
        if isinstance(nested, InstanceWeights):
            return nested.parameters[:, nested.tasks.index(task)]
    return None


def _with_inner(strategy: object) -> Iterator[object]:
    while strategy is not None:
        yield strategy
        strategy = getattr(strategy, "inner", None)


def measure_detection(rankings: Mapping[str, Tensor], corrupted: Tensor) -> dict[str, Scores]:
    """By ranking and measure. rankings: by name, (count,), higher is more suspicious; corrupted: (count,) bool."""
    from mtl.noisy_labels import detection

    measured = {}
    for name, scores in rankings.items():
        figures = asdict(detection(scores.cpu().double().numpy(), corrupted.numpy()))
        measured[name] = {_NAMES[measure]: value for measure, value in figures.items()}
    return measured
