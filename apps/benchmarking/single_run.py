"""One training run of the benchmark, from settings to a result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from statistics import fmean
from typing import Any

import torch

from apps.benchmarking.data.preparation import BenchmarkData
from apps.benchmarking.experiment.settings import RunSettings
from apps.benchmarking.metrics.gradient_conflict import GradientConflict
from apps.benchmarking.metrics.label_noise import (
    FINAL_LOSS,
    INSTANCE_WEIGHTS,
    LATE_LOSSES,
    instance_parameters,
    measure_detection,
)
from apps.benchmarking.metrics.scores import Scores
from apps.benchmarking.network_trainer import Trainer
from apps.benchmarking.training_record import CurvePoint, TrainingRecord
from mtl.optimization import NonFiniteError
from stitching.errors import InputError


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run gave.

    Attributes:
        scores: by task and metric, on the test set; empty where the training failed.
        validation: the same on the validation set.
        losses: by task, the mean of each epoch, on the training labels as they are.
        updates: of the parameters.
        epochs: passes over the training pictures.
        seconds: of a step, mean.
        cpu_seconds: the same of the process on all cores, which other work on the machine does not make longer.
        peak_mb: memory of the training: of the process, or on a GPU what torch allocated; MiB.
        forwards: passes of the trunk in a step, mean.
        parameters: number of the network's parameters.
        report: what the strategy says that it learned.
        curve: scores on the validation set in the course of the training.
        layers: names of the trunk's shared layers.
        conflict: of the tasks' gradients in the course of the training, by layer.
        detection: where labels are wrong: how well rankings find them, by ranking and measure.
        error: why the training failed; "" where it did not.
    """

    scores: dict[str, Scores]
    validation: dict[str, Scores]
    losses: dict[str, list[float]]
    updates: int
    epochs: float
    seconds: float
    cpu_seconds: float
    peak_mb: float
    forwards: float
    parameters: int
    report: dict[str, float]
    curve: list[CurvePoint] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    conflict: list[GradientConflict] = field(default_factory=list)
    detection: dict[str, Scores] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "RunResult":
        """Of what dataclasses.asdict gave; of anything else TypeError, KeyError, ValueError or AttributeError."""
        curve = [CurvePoint(**point) for point in stored["curve"]]
        conflict = [GradientConflict(**point) for point in stored["conflict"]]
        scores, validation = (_as_scores(stored[name]) for name in ("scores", "validation"))
        losses = {task: list(map(float, values)) for task, values in stored["losses"].items()}
        read = {"scores": scores, "validation": validation, "losses": losses, "curve": curve, "conflict": conflict}
        return cls(**{**stored, **read})


def _as_scores(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, Scores]:
    return {task: {metric: float(value) for metric, value in scores.items()} for task, scores in stored.items()}


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
    record = TrainingRecord(trainer, data.validation)
    try:
        for epoch in count():
            for task, value in trainer.train_epoch(epoch, record).items():
                losses[task].append(value)
            if trainer.progress >= 1:
                break
    except NonFiniteError as error:
        failure = str(error)
        return RunResult(
            {}, {}, losses, trainer.updates, trainer.epochs, 0.0, 0.0, 0.0, 0.0, parameters, {}, error=failure
        )  # fmt: skip
    peak_mb = record.peak_mb()
    seconds, cpu_seconds = (fmean(times) for times in zip(*trainer.times, strict=True))
    return RunResult(
        validation=dict(record.curve[-1].scores) if record.curve else trainer.evaluate(data.validation),
        scores=trainer.evaluate(data.test),
        losses=losses,
        updates=trainer.updates,
        epochs=trainer.epochs,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_mb=peak_mb,
        forwards=trainer.forwards / len(trainer.times),
        parameters=parameters,
        report={name: float(value) for name, value in trainer.strategy.report().items()},
        curve=record.curve,
        layers=list(trainer.layers),
        conflict=record.conflict,
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
