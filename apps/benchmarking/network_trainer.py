"""A network in training: its optimizer, its strategy, and what is recorded on the way."""

import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from apps.benchmarking.ablations.registry import VARIANTS, needs_task_norms
from apps.benchmarking.data.array_dataset import (
    IMAGE,
    ArrayDataset,
    LabelledBatch,
    flip_horizontally,
    sequential_batches,
    shuffled_batches,
)
from apps.benchmarking.data.preparation import BenchmarkData
from apps.benchmarking.data.zoom import random_zoom
from apps.benchmarking.experiment.settings import MethodSpec, RunSettings, parse_method
from apps.benchmarking.experiment.training_length import expected_steps
from apps.benchmarking.losses import LOSS_FORMS, instance_losses
from apps.benchmarking.metrics.gradient_conflict import (
    GradientConflict,
    group_by_layer,
    measure_conflict,
    undisturbed,
)
from apps.benchmarking.metrics.label_noise import LATE_SHARE, MeanLosses
from apps.benchmarking.metrics.scores import Scores, make_scorer
from apps.benchmarking.networks.multi_task_network import MultiTaskNetwork, build_network
from mtl.optimization import Closure, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy

_FLIP_SEED = 0x666C6970  # of the flips; the order of the examples has other random numbers
_ZOOM_SEED = 0x7A6F6F6D
_OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


class StepObserver:
    """Looks at a training between its steps; this one does nothing."""

    def before_step(self, batch: LabelledBatch) -> None:
        """Called with the batch of the next step."""

    def after_step(self) -> None:
        """Called when a step is done."""


class Trainer:
    """Trains one network by one strategy.

    Attributes:
        layers: the shared layers of the trunk, for the conflict of gradients.
        times: of each step, wall and CPU seconds.
        updates: of the parameters so far.
        forwards: passes of the trunk so far.
        late_losses: of the task whose labels are partly wrong, in the last epochs.
    """

    def __init__(self, settings: RunSettings, data: BenchmarkData) -> None:
        """Build the network. Raises ValueError where the strategy cannot train it or these tasks."""
        self.settings, self.data = settings, data.with_tasks(settings.tasks)
        if settings.recipe.distances == "label":
            scales = {task: replace(scale, unit=1.0) for task, scale in data.scales.items()}
            self.data = replace(self.data, scales=scales)
        self.device = torch.device(settings.device)
        method = parse_method(settings.method)
        task_norms = method.norms or needs_task_norms(method.spec)
        labels, channels = self.data.labels, self.data.train.arrays[IMAGE].shape[1]
        network = build_network(settings.network, labels, task_norms, settings.seed, settings.width, channels)
        self.network = network.to(self.device)
        self.steps_per_epoch = len(shuffled_batches(len(data.train), settings.batch, 0, 0))
        self.total_steps = expected_steps(settings, self.steps_per_epoch)
        spec = settings.recipe.strategy(method.spec, settings.tasks)
        self.strategy = make_strategy(spec, settings.tasks, self._context(), VARIANTS)
        self.updater = _make_updater(self.network, method, settings)
        self.layers = group_by_layer(self.network.trunk.named_parameters(), self.updater.parameters.shared)
        self.forwards = self.updates = 0
        self.times: list[tuple[float, float]] = []
        self._schedule = LambdaLR(self.updater.optimizer, self._rate_factor)
        self.late_losses = MeanLosses(len(data.train))

    def _context(self) -> TrainingContext:
        loss_forms = {task: LOSS_FORMS[meaning.kind] for task, meaning in self.data.labels.items()}
        layers = self.network.shared_layers(self.settings.data.size) if self.network.task_norms else []
        return TrainingContext(
            layers, self.total_steps, self.steps_per_epoch, len(self.data.train), loss_forms, self.settings.seed
        )

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0 .. 1."""
        updates = self.settings.updates
        done = len(self.times) / self.total_steps if updates is None else self.updates / updates
        return min(done, 1.0)

    @property
    def epochs(self) -> float:
        """Passes over the training pictures so far."""
        return len(self.times) / self.steps_per_epoch

    def train_epoch(self, epoch: int, observer: StepObserver = StepObserver()) -> dict[str, float]:  # noqa: B008
        """Train for an epoch, or until the training is over; mean losses by task. Raises NonFiniteError."""
        settings = self.settings
        self.network.train()
        losses: dict[str, list[float]] = {task: [] for task in settings.tasks}
        order = shuffled_batches(len(self.data.train), settings.batch, settings.seed, epoch)
        random = np.random.default_rng([_FLIP_SEED, settings.seed, epoch])
        zooms = np.random.default_rng([_ZOOM_SEED, settings.seed, epoch])
        for batch in self.data.train.batches(order, self.device):
            if not any(meaning.whole_picture for meaning in self.data.labels.values()):  # those tell left from right
                flipped = torch.from_numpy(random.random(len(batch.sample_ids)) < 0.5).to(self.device)
                batch = flip_horizontally(batch, self.data.labels, flipped)
            if settings.recipe.zooms != (1.0, 1.0):
                batch = random_zoom(batch, self.data.labels, settings.recipe.zooms, zooms)
            observer.before_step(batch)
            is_late = self._is_late(epoch)
            first_losses: dict[str, Tensor] = {}
            start = self._clock()
            result = self.strategy.step(self._closure(batch, first_losses), self.updater, batch.sample_ids)
            wall, cpu = (now - before for now, before in zip(self._clock(), start, strict=True))
            self.times.append((wall, cpu))
            self.updates += len(result.groups)
            self._schedule.step()
            if is_late and settings.data.noisy in first_losses:
                self.late_losses.add(batch.sample_ids, first_losses[settings.data.noisy])
            for task, value in result.losses.items():
                losses[task].append(value)
            observer.after_step()
            if self.progress >= 1:
                break
        return {task: fmean(values) for task, values in losses.items()}

    def _is_late(self, epoch: int) -> bool:
        """In the last quarter of the training, of epochs rounded so that they are whole."""
        if self.settings.updates is not None:
            return self.progress >= 1 - LATE_SHARE
        return epoch >= int((1 - LATE_SHARE) * self.settings.passes)

    def measure_conflict(self, batch: LabelledBatch) -> GradientConflict:
        """Of the tasks' gradients on a batch, as the network is now; the training goes on as if it had not been."""
        with undisturbed(self.network):
            losses = {task: loss.mean() for task, loss in self._losses(batch, self.settings.tasks).items()}
            return measure_conflict(self.progress, self.layers, losses)

    @torch.no_grad()
    def evaluate(self, examples: ArrayDataset) -> dict[str, Scores]:
        """Scores by task and metric."""
        labels, scales = self.data.labels, self.data.scales
        scorers = {task: make_scorer(meaning, scales[task].unit) for task, meaning in labels.items()}
        training = self.network.training
        self.network.eval()
        for batch in examples.batches(sequential_batches(len(examples), self.settings.batch), self.device):
            for task, prediction in self._predict(batch.images, self.settings.tasks).items():
                scorers[task].add(prediction, batch.labels[task])
        self.network.train(training)
        return {task: scorer.scores() for task, scorer in scorers.items()}

    @torch.no_grad()
    def training_losses(self, task: str) -> Tensor:
        """(n,) the loss of each training instance for a task, as the network is now."""
        losses, train = MeanLosses(len(self.data.train)), self.data.train
        self.network.eval()
        for batch in train.batches(sequential_batches(len(train), self.settings.batch), self.device):
            losses.add(batch.sample_ids, self._loss(task, self._predict(batch.images, [task])[task], batch))
        return losses.means()

    def _closure(self, batch: LabelledBatch, first_losses: dict[str, Tensor]) -> Closure:
        """Losses on a batch, one for each instance; the first ones of each task go into `first_losses`, too."""

        def compute(tasks: Sequence[str]) -> dict[str, Tensor]:
            losses = self._losses(batch, tasks)
            self.forwards += len(tasks) if self.network.task_norms else 1
            for task, values in losses.items():
                first_losses.setdefault(task, values.detach())
            return losses

        return compute

    def _losses(self, batch: LabelledBatch, tasks: Sequence[str]) -> dict[str, Tensor]:
        """By task, (b,)."""
        predictions = self._predict(batch.images, tasks)
        return {task: self._loss(task, predictions[task], batch) for task in tasks}

    def _predict(self, images: Tensor, tasks: Sequence[str]) -> dict[str, Tensor]:
        """The network's predictions, in the precision of the run."""
        images = images.to(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            return self.network(images, tasks)  # type: ignore[no-any-return]

    def _loss(self, task: str, prediction: Tensor, batch: LabelledBatch) -> Tensor:
        """(b,)."""
        return instance_losses(self.data.labels[task], self.data.scales[task], prediction, batch.labels[task])

    def _rate_factor(self, step: int) -> float:
        """Of the recipe, at the progress of the training."""
        del step
        return self.settings.recipe.rate_factor(self.progress)

    def _clock(self) -> tuple[float, float]:
        """Wall and CPU seconds."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()


def _make_updater(network: MultiTaskNetwork, method: MethodSpec, settings: RunSettings) -> ParameterUpdater:
    parameters = network.split_parameters()
    own = [parameter for group in parameters.tasks.values() for parameter in group]
    groups = [
        {"params": list(parameters.shared), "lr": settings.rate},
        {"params": own, "lr": settings.rate * method.head_rate_factor},
    ]
    recipe = settings.recipe
    optimizer = _OPTIMIZERS[recipe.optimizer](groups, weight_decay=recipe.weight_decay, fused=True)
    return ParameterUpdater(parameters, optimizer)
