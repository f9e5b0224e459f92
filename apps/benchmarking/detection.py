"""How well wrong labels are found by what a training leaves: its losses, and where there are any, instance weights."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from apps.benchmarking.scores import Scores
from mtl.strategy import Strategy

LAST = 0.25  # share of the epochs, the last ones, that the mean loss is over
FINAL, LATE, WEIGHTS = "final loss", "mean of late losses", "instance weights"  # rankings
_WORDS = {
    "roc_auc": "ROC-AUC", "average_precision": "average precision",
    "precision": "precision", "recall": "recall", "share": "share flagged",
}  # fmt: skip


class LossRecord:
    """Sums up the losses of one task's training instances, as they come by."""

    def __init__(self, count: int) -> None:
        self._sums, self._times = torch.zeros(count), torch.zeros(count)

    def add(self, places: Tensor, losses: Tensor) -> None:
        """places: (b,) int64, each once; losses: (b,)."""
        self._sums[places.cpu()] += losses.float().cpu()
        self._times[places.cpu()] += 1

    def means(self) -> Tensor:
        """(count,); an instance that never came by has the mean of the others."""
        valid = self._times > 0
        means = self._sums / self._times.clamp_min(1)
        return torch.where(valid, means, means[valid].mean())


def instance_parameters(strategy: Strategy, task: str) -> Tensor | None:
    """(count,) log sigma of a task where the strategy, or one inside it, has instance weights."""
    from mtl.weightings.instance_weights import InstanceWeights

    for one in _layers(strategy):
        if isinstance(one, InstanceWeights):
            return one.parameters[:, one.tasks.index(task)]
    return None


def _layers(strategy: object) -> Iterator[object]:
    while strategy is not None:
        yield strategy
        strategy = getattr(strategy, "inner", None)


def measure_detection(rankings: Mapping[str, Tensor], corrupted: Tensor) -> dict[str, Scores]:
    """By ranking and measure. rankings: by name, (count,), higher is more suspicious; corrupted: (count,) bool."""
    from mtl.noisy_labels import detection

    measured = {}
    for name, scores in rankings.items():
        found = detection(scores.cpu().double().numpy(), corrupted.numpy())
        measured[name] = {_WORDS[measure]: value for measure, value in asdict(found).items()}
    return measured
