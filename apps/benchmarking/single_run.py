"""One training run of the benchmark, from settings to a result."""

from dataclasses import dataclass, field
from statistics import fmean

import torch

from apps.benchmarking.data.preparation import BenchmarkData
from apps.benchmarking.metrics.label_noise import (
    FINAL_LOSS,
    INSTANCE_WEIGHTS,
    LATE_LOSSES,
    instance_parameters,
    measure_detection,
)
from apps.benchmarking.metrics.peak_memory import read_peak, reset_peak
from apps.benchmarking.metrics.scores import Scores
from apps.benchmarking.network_trainer import Trainer
from apps.benchmarking.settings import RunSettings
from mtl.optimization import NonFiniteError
from stitching.errors import InputError


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run gave.

    Attributes:
        scores: by task and metric, on the test set; empty where the training failed.
        validation: the same on the validation set.
        losses: by task, the mean of each epoch, on the training labels as they are.
        seconds: of a step, mean.
        cpu_seconds: the same of the process on all cores, which other work on the machine does not make longer.
        peak_mb: memory of the training: of the process, or on a GPU what torch allocated; MiB.
        forwards: passes of the trunk in a step, mean.
        parameters: number of the network's parameters.
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


def make_trainer(settings: RunSettings, data: BenchmarkData) -> Trainer:
    """The trainer of a run. Raises InputError where the method cannot train that network on these tasks."""
    try:
        return Trainer(settings, data)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--methods {settings.method}: {error}") from error


def train_run(settings: RunSettings, data: BenchmarkData) -> RunResult:
    """Train, and measure on validation and test set; a loss that is not finite ends it and gives `RunResult.error`.

    Raises InputError where the method cannot train this network or these tasks.
    """
    if settings.device == "cpu":
        torch.set_num_threads(settings.threads)
    trainer = make_trainer(settings, data)
    parameters = sum(p.numel() for p in trainer.network.parameters())
    losses: dict[str, list[float]] = {task: [] for task in settings.tasks}
    reset_peak(trainer.device)
    try:
        for epoch in range(settings.epochs):
            for task, value in trainer.train_epoch(epoch).items():
                losses[task].append(value)
    except NonFiniteError as error:
        return RunResult({}, {}, losses, 0.0, 0.0, 0.0, 0.0, parameters, {}, error=str(error))
    peak_mb = read_peak(trainer.device)
    seconds, cpu_seconds = (fmean(times) for times in zip(*trainer.times, strict=True))
    return RunResult(
        validation=trainer.evaluate(data.validation),
        scores=trainer.evaluate(data.test),
        losses=losses,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_mb=peak_mb,
        forwards=trainer.forwards / len(trainer.times),
        parameters=parameters,
        report={name: float(value) for name, value in trainer.strategy.report().items()},
        detection=_measure_detection(trainer),
    )


def _measure_detection(trainer: Trainer) -> dict[str, Scores]:
    """How well rankings of the training instances find the wrong labels; nothing where none is wrong."""
    task, data = trainer.settings.data.noisy, trainer.data
    if task not in data.corrupted or task not in data.labels:
        return {}
    rankings = {FINAL_LOSS: trainer.training_losses(task), LATE_LOSSES: trainer.late_losses.means()}
    learned = instance_parameters(trainer.strategy, task)
    if learned is not None:
        rankings[INSTANCE_WEIGHTS] = learned
    return measure_detection(rankings, torch.from_numpy(data.corrupted[task]))
