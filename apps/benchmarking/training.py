"""One training run of the benchmark, from settings to figures."""

import time
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from apps.benchmarking.data import Examples, in_order, mirrored, shuffled
from apps.benchmarking.detection import FINAL, LAST, LATE, WEIGHTS, LossRecord, instance_parameters, measure_detection
from apps.benchmarking.learner import Learner
from apps.benchmarking.memory import begin_peak, read_peak
from apps.benchmarking.prepared import BenchmarkData
from apps.benchmarking.scores import Scores, open_scorer
from apps.benchmarking.settings import RunSettings
from mtl.optimization import NonFiniteError
from stitching.errors import InputError

_FLIPS = 0x666C6970  # keeps these random numbers apart from the order's


@dataclass(frozen=True, eq=False)
class Result:
    """What a run gave.

    Attributes:
        scores: by task and metric, on the test set; empty where the training failed.
        validation: the same on the validation set.
        losses: by task, the mean of each epoch, on the training labels as they are.
        seconds: of a step, mean.
        cpu_seconds: the same of the process on all cores, which other work on the machine does not make longer.
        peak_mb: memory of the training: of the process, or on a GPU what torch allocated; MiB.
        forwards: passes of the trunk in a step, mean.
        parameters: of the network.
        report: what the strategy says that it learned.
        detection: where labels are wrong: how well rankings find them, by ranking and measure.
        error: why the training failed; "" where it did not.
    """

    scores: dict[str, Scores]
    validation: dict[str, Scores]
    losses: dict[str, list[float]]
    seconds: float
    cpu_seconds: float
    peak_mb: float
    forwards: float
    parameters: int
    report: dict[str, float]
    detection: dict[str, Scores] = field(default_factory=dict)
    error: str = ""


def check_method(settings: RunSettings, data: BenchmarkData) -> None:
    """Raise InputError where the method cannot train that network on these tasks."""
    try:
        Learner(settings, data)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--methods {settings.method}: {error}") from error


def train(settings: RunSettings, data: BenchmarkData) -> Result:
    """Train, and measure on validation and test set; a loss that is not finite ends it and gives `Result.error`.

    Raises ValueError where the strategy cannot train this network or these tasks.
    """
    if settings.device == "cpu":
        torch.set_num_threads(settings.threads)
    learner = Learner(settings, data)
    parameters = sum(p.numel() for p in learner.network.parameters())
    curves: dict[str, list[float]] = {task: [] for task in settings.tasks}
    begin_peak(learner.device)
    try:
        for epoch in range(settings.epochs):
            for task, value in train_epoch(learner, epoch).items():
                curves[task].append(value)
    except NonFiniteError as error:
        return Result({}, {}, curves, 0.0, 0.0, 0.0, 0.0, parameters, {}, error=str(error))
    peak = read_peak(learner.device)
    validation, test = (evaluate(learner, part) for part in (data.validation, data.test))
    wall, cpu = (fmean(times) for times in zip(*learner.times, strict=True))
    report = {name: float(value) for name, value in learner.strategy.report().items()}
    forwards = learner.forwards / len(learner.times)
    return Result(test, validation, curves, wall, cpu, peak, forwards, parameters, report, _detect(learner))


def train_epoch(learner: Learner, epoch: int) -> dict[str, float]:
    """Train on every batch of an epoch; mean losses by task. Raises NotFinite."""
    settings = learner.settings
    learner.network.train()
    sums = dict.fromkeys(settings.tasks, 0.0)
    order = shuffled(len(learner.data.train), settings.batch, settings.seed, epoch)
    coins = np.random.default_rng([_FLIPS, settings.seed, epoch])
    for number, batch in enumerate(learner.data.train.batches(order, learner.device)):
        flips = torch.from_numpy(coins.random(len(batch.places)) < 0.5).to(learner.device)
        batch = mirrored(batch, learner.data.labels, flips)
        learner.set_rate(epoch * learner.steps_of_epoch + number)
        noted: dict[str, Tensor] = {}
        begun = _now(learner.device)
        decision = learner.strategy.step(learner.closure(batch, noted), learner.updates, batch.places)
        wall, cpu = (now - before for now, before in zip(_now(learner.device), begun, strict=True))
        learner.times.append((wall, cpu))
        if settings.data.noisy in noted and epoch >= int((1 - LAST) * settings.epochs):
            learner.late_losses.add(batch.places, noted[settings.data.noisy])
        for task, value in decision.losses.items():
            sums[task] += value / len(order)
    return sums


def _now(device: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


@torch.no_grad()
def evaluate(learner: Learner, examples: Examples) -> dict[str, Scores]:
    """By task and metric."""
    labels = learner.data.labels
    scorers = {task: open_scorer(meaning, learner.data.scales[task].unit) for task, meaning in labels.items()}
    learner.network.eval()
    for batch in examples.batches(in_order(len(examples), learner.settings.batch), learner.device):
        for task, answer in learner.answer(batch.images, learner.settings.tasks).items():
            scorers[task].add(answer, batch.labels[task])
    return {task: scorer.scores() for task, scorer in scorers.items()}


@torch.no_grad()
def _detect(learner: Learner) -> dict[str, Scores]:
    """How well rankings of the training instances find the wrong labels; nothing where none is wrong."""
    task, data = learner.settings.data.noisy, learner.data
    if task not in data.corrupted or task not in data.labels:
        return {}
    final = LossRecord(len(data.train))
    learner.network.eval()
    for batch in data.train.batches(in_order(len(data.train), learner.settings.batch), learner.device):
        final.add(batch.places, learner.loss(task, learner.answer(batch.images, [task])[task], batch))
    rankings = {FINAL: final.means(), LATE: learner.late_losses.means()}
    learned = instance_parameters(learner.strategy, task)
    if learned is not None:
        rankings[WEIGHTS] = learned
    return measure_detection(rankings, torch.from_numpy(data.corrupted[task]))
