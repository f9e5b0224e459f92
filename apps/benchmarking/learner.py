"""A network in training: what a strategy works on, and what is noted about it."""

from collections.abc import Sequence
from math import cos, pi

import torch
from torch import Tensor

from apps.benchmarking.data import Batch, shuffled
from apps.benchmarking.detection import LossRecord
from apps.benchmarking.losses import losses
from apps.benchmarking.network import MultiTaskNetwork, build_network
from apps.benchmarking.prepared import BenchmarkData
from apps.benchmarking.settings import Method, RunSettings, read_method
from apps.benchmarking.strategies import open_strategy
from mtl.optimization import Closure, ParameterUpdater
from mtl.registry import needs_task_norms

WEIGHT_DECAY = 1e-4  # of AdamW


class Learner:
    """A network in training: what a strategy's closure needs, and what is noted about it."""

    def __init__(self, settings: RunSettings, data: BenchmarkData) -> None:
        self.settings, self.data = settings, data.only(settings.tasks)
        self.device = torch.device(settings.device)
        method = read_method(settings.method)
        norms = method.norms or needs_task_norms(method.spec)
        self.network = build_network(settings.network, self.data.labels, norms, settings.seed).to(self.device)
        self.steps_of_epoch = len(shuffled(len(data.train), settings.batch, 0, 0))
        self.strategy = open_strategy(method.spec, settings, self.network, self.data, self.steps_of_epoch)
        self.updates = _open_updates(self.network, method, settings.rate)
        self.forwards = 0
        self.times: list[tuple[float, float]] = []  # of each step, wall and CPU seconds
        self.late_losses = LossRecord(len(data.train))  # of the noisy task

    def closure(self, batch: Batch, noted: dict[str, Tensor]) -> Closure:
        """Losses on a batch, one for each instance; the first of each task goes into `noted`, too."""

        def compute(tasks: Sequence[str]) -> dict[str, Tensor]:
            answers = self.answer(batch.images, tasks)
            self.forwards += len(tasks) if self.network.norms else 1
            found = {task: self.loss(task, answers[task], batch) for task in tasks}
            for task, values in found.items():
                noted.setdefault(task, values.detach())
            return found

        return compute

    def answer(self, images: Tensor, tasks: Sequence[str]) -> dict[str, Tensor]:
        """The network's, in the precision of the run."""
        images = images.to(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            return self.network(images, tasks)  # type: ignore[no-any-return]

    def loss(self, task: str, answer: Tensor, batch: Batch) -> Tensor:
        """(b,)."""
        return losses(self.data.labels[task], self.data.scales[task], answer, batch.labels[task])

    def set_rate(self, step: int) -> None:
        """Of a step: half a cosine from the highest to 0."""
        factor = (1 + cos(pi * step / (self.settings.epochs * self.steps_of_epoch))) / 2
        for group in self.updates.optimizer.param_groups:
            group["lr"] = factor * group["highest"]


def _open_updates(network: MultiTaskNetwork, method: Method, rate: float) -> ParameterUpdater:
    parameters = network.split()
    own = [parameter for group in parameters.tasks.values() for parameter in group]
    groups = [{"params": list(parameters.shared), "highest": rate}, {"params": own, "highest": rate * method.heads}]
    return ParameterUpdater(parameters, torch.optim.AdamW(groups, lr=rate, weight_decay=WEIGHT_DECAY, fused=True))
