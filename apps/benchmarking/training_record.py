"""What is measured in the course of a training: scores on the validation set, conflict of gradients, memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor

from apps.benchmarking.data.array_dataset import ArrayDataset, LabelledBatch
from apps.benchmarking.metrics.gradient_conflict import GradientConflict
from apps.benchmarking.metrics.peak_memory import read_peak, reset_peak
from apps.benchmarking.metrics.scores import Scores
from apps.benchmarking.network_trainer import StepObserver, Trainer


@dataclass(frozen=True)
class CurvePoint:
    """A moment of the training.

    Attributes:
        progress: share of the training that is done.
        epochs: passes over the training pictures so far.
        updates: of the parameters so far.
        scores: by task and metric, on the validation set.
    """

    progress: float
    epochs: float
    updates: int
    scores: Mapping[str, Scores]


class TrainingRecord(StepObserver):
    """Measures at even distances between the steps of a training, whose times and memory are not touched by it.

    Attributes:
        curve: on the validation set; the last point is at the end.
        conflict: of the tasks' gradients; the first point is at the start.
    """

    def __init__(self, trainer: Trainer, validation: ArrayDataset) -> None:
        self.curve: list[CurvePoint] = []
        self.conflict: list[GradientConflict] = []
        self._trainer, self._validation = trainer, validation
        self._curve_points = _Milestones(trainer.settings.curve_points, 0)
        self._conflict_points = _Milestones(trainer.settings.conflict_points, -1)
        self._peak_mb = 0.0
        reset_peak(trainer.device)

    def before_step(self, batch: LabelledBatch) -> None:
        """Measure the conflict on this batch where it is time to."""
        if self._conflict_points.reached(self._trainer.progress):
            with self._outside_of_training():
                self.conflict.append(self._trainer.measure_conflict(batch))

    def after_step(self) -> None:
        """Validate where it is time to."""
        trainer = self._trainer
        if self._curve_points.reached(trainer.progress):
            with self._outside_of_training():
                scores = trainer.evaluate(self._validation)
            self.curve.append(CurvePoint(trainer.progress, trainer.epochs, trainer.updates, scores))

    def peak_mb(self) -> float:
        """Largest memory of the training so far, MiB."""
        return max(self._peak_mb, read_peak(self._trainer.device))

    @contextmanager
    def _outside_of_training(self) -> Iterator[None]:
        self._peak_mb = self.peak_mb()
        yield
        reset_peak(self._trainer.device)


class _Milestones:
    """Points of a training, `count` of them at even distances; those up to number `passed` are passed."""

    def __init__(self, count: int, passed: int) -> None:
        self._count, self._passed = count, passed

    def reached(self, progress: float) -> bool:
        """Whether progress, 0 .. 1, has come to another one."""
        number = floor(progress * self._count + 1e-9)  # 7 / 10 * 10 may be a little less than 7
        is_new = self._count > 0 and number > self._passed
        self._passed = max(self._passed, number)
        return is_new
