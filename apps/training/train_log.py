"""The log of a run: short lines of text, a bar, a table; curves and pictures for TensorBoard."""

import csv
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from signal import SIGINT, Signals

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from apps.tables import write_csv
from apps.training.checkpoints import BEST, CURVE, LAST, STATE
from apps.training.losses.reduction import Terms
from apps.training.options import MATCHING_TASKS, tasks_at, tasks_of
from apps.training.prediction import predict
from apps.training.run import Run
from apps.training.validation import Metrics
from datasets.examples.batch import ExampleBatch
from mtl.strategy import StepResult
from stitching.network.stitching_network import StitchingNetwork

MAX_LINE = 119  # characters
MAX_PICTURES = 4  # examples whose pictures TensorBoard gets
WHITE_ERROR = 10  # px of warp error that are white in TensorBoard

Bar = Callable[[str, int, int], None]  # text beside it, steps done, steps in all


class TrainLog:
    """Gathers what happens between two lines of the log. Of several processes, the first one alone writes."""

    def __init__(self, run: Run, folder: Path, report: Callable[[str], None], bar: Bar | None = None) -> None:
        """Begin the log of a run: curves in `folder`, lines to `report`; those of steps go beside a bar, if any."""
        self._run, self._folder, is_first = run, folder, run.fabric.is_global_zero
        self._board = SummaryWriter(str(folder)) if is_first else None
        self._report = report if is_first else lambda line: None
        self._bar = bar if is_first else None
        self._before = run.step, run.seconds  # of this session
        self._line = ""
        self._rows = _read_curve(folder / CURVE, run.step)
        self._clear()
        parts = {"backbone": run.network.backbone, "PWM": run.network.warping, "SIGMo": run.network.generating}
        sizes = [f"{name} {sum(p.numel() for p in part.parameters()):,}" for name, part in parts.items()]
        self._report(f"parameters: {', '.join(sizes)}")
        if run.step:
            self._report(f"resumed at step {run.step}")

    def _clear(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._steps, self._waited, self._started = 0, 0.0, time.perf_counter()

    def waited(self, seconds: float) -> None:
        """Time spent waiting for the next batch."""
        self._waited += seconds

    def step(self, terms: Terms, result: StepResult) -> None:
        """Take in a step; every --log-every steps curves and a line are written."""
        values = torch.stack(list(terms.values())).tolist()  # one copy from the device for all
        points: dict[str, float] = {f"loss/{name}": value for name, value in zip(terms, values, strict=True)}
        points |= {f"task/{task}": loss for task, loss in result.losses.items()}
        points |= {f"weight/{task}": weight for task, weight in result.weights.items()}
        points |= {"gradient/total": result.norms.total, "updates": len(result.groups)}
        for name, value in points.items():  # photographs have other terms than generated examples
            self._sums[name] += value
            self._counts[name] += 1
        self._steps += 1
        if self._run.step % self._run.options.log_every == 0:
            self._write()
            self._clear()
        if self._bar is not None:
            self._bar(self._line, self._run.step, self._run.options.steps)

    def _write(self) -> None:
        run, options = self._run, self._run.options
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        seconds = time.perf_counter() - self._started
        speed = self._steps * options.batch_size * run.fabric.world_size / seconds
        waiting, rate = self._waited / seconds, float(max(run.stage.schedule.get_last_lr()))
        curves = means | {f"gradient/{name}": _gradient_norm(module) for name, module in _modules(run.network)}
        curves |= {"speed/examples a second": speed, "speed/share of time waiting for examples": waiting, "rate": rate}
        self._plot(curves | {f"strategy/{name}": value for name, value in run.stage.strategy.report().items()})
        losses = " ".join(f"{task} {means[f'task/{task}']:.2g}" for task in run.stage.tasks)
        self._line = (
            f"step {run.step}/{options.steps}, {duration(self._seconds_left())} left, {speed:.3g} examples/s, "
            f"{waiting:.0%} waiting: {', '.join(filter(None, (losses, run.stage.strategy.phase())))}"
        )[:MAX_LINE]
        if self._bar is None:
            self._report(self._line)

    def _seconds_left(self) -> float:
        """Until the steps or the minutes are over, at the speed of this session."""
        run, (step, seconds) = self._run, self._before
        spent = run.seconds - seconds
        left = spent / (run.step - step) * (run.options.steps - run.step)
        return left if run.options.minutes is None else max(0.0, min(left, 60 * run.options.minutes - spent))

    def validation(self, metrics: Metrics, score: float, batch: ExampleBatch) -> None:
        """Curves and a line for the metrics, as many as there is room for; a row of the table; pictures."""
        self._plot({f"validation {name}": value for name, value in ({"score": score} | metrics).items()})
        place = {"minutes": round(self._run.seconds / 60, 2), "step": self._run.step, "examples": self._run.examples}
        self._rows.append(place | {"score": score} | metrics)
        if self._board is not None:
            write_csv(self._folder / CURVE, self._rows)
        line = f"validation at step {self._run.step}, {duration(self._run.seconds)}: score {score:.3f}"
        for name, value in metrics.items():
            word = f", {name} {value:.3g}"
            line += word if len(line + word) <= MAX_LINE else ""
        self._report(line)
        if self._board is not None:
            tasks = tasks_of(self._run.mode, self._run.options)
            for name, pictures in _pictures(self._run.averaged_network, batch, tasks).items():
                self._board.add_images(name, pictures[:MAX_PICTURES].flip(1), self._run.step)  # BGR -> RGB
        self._clear()

    def end(self, interrupted: bool, signals: list[Signals]) -> None:
        """Lines that say why the run ends here, what was saved, and how to go on. signals: what this process caught."""
        step, options = self._run.step, self._run.options
        if step >= options.steps:
            matching_alone = tasks_at(step - 1, self._run.mode, options) == MATCHING_TASKS  # no score tells its best
            weights = LAST if matching_alone else BEST
            more = "more --steps" if options.schedule == "constant" else f"a new folder and --begin-from {weights}"
            self._report(f"finished: all {options.steps} steps are done; to go on, the same command with {more}")
        else:
            by = "another process"
            if signals:
                by = "Ctrl-C" if signals[0] == SIGINT else signals[0].name
            reason = f"interrupted by {by}" if interrupted else f"--minutes {options.minutes:g} are over"
            self._report(f"stopped after step {step} of {options.steps}, {reason}; the same command resumes")
        saved = [name for name in (LAST, BEST, STATE, CURVE) if (self._folder / name).exists()]
        self._report(f"saved in {self._folder}: {', '.join(saved)}")

    def close(self) -> None:
        """Write what TensorBoard's writer still holds."""
        if self._board is not None:
            self._board.close()

    def _plot(self, points: dict[str, float]) -> None:
        if self._board is not None:
            for name, value in points.items():
                self._board.add_scalar(name, value, self._run.step)


def _read_curve(path: Path, step: int) -> list[Mapping[str, object]]:
    """The rows of a table that an earlier session wrote, without those after the step that it was resumed at."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) <= step]


def duration(seconds: float) -> str:
    """A time in the largest unit that leaves more than one of it: 59 s, 35 min, 9.1 h, 12 days."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, hours = seconds / 60, seconds / 3600
    return f"{minutes:.0f} min" if minutes < 100 else f"{hours:.1f} h" if hours < 100 else f"{hours / 24:.0f} days"


def _modules(network: StitchingNetwork) -> Iterator[tuple[str, nn.Module]]:
    """The parts of the network whose sizes and gradients the log shows."""
    yield "backbone", network.backbone
    for name, module in network.warping.named_children():
        yield f"warping.{name}", module
    yield "generating", network.generating


def _gradient_norm(module: nn.Module) -> float:
    """Length of the gradient that the last step left, after clipping; 0 where nothing was trained."""
    squares = [p.grad.float().square().sum() for p in module.parameters() if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


@torch.no_grad()
def _pictures(network: StitchingNetwork, batch: ExampleBatch, tasks: tuple[str, ...]) -> dict[str, Tensor]:
    """(b, 3, h, w) BGR each: the input, the ground truth, the prediction from the classical start."""
    truth = batch.truth
    assert truth is not None
    network.eval()
    prediction = predict(network, batch, tasks, start_from_classical=True)
    pictures = {"1 reference": batch.reference, "2 target": batch.target, "3 truth": truth.stitched}
    for name, pair in prediction.stitched.items():
        pictures[f"4 stitched, {name}"] = pair.generated.stitched.clamp(0, 1)
    if prediction.warp is not None:
        error = (prediction.warp.residual - truth.residual).norm(dim=1, keepdim=True)
        pictures[f"5 warp error, {WHITE_ERROR} px = white"] = _grey(error / WHITE_ERROR)
        if prediction.warp.visibility is not None:
            pictures["6 visibility"] = _grey(torch.sigmoid(prediction.warp.visibility))
    return pictures


def _grey(plane: Tensor) -> Tensor:
    return plane.float().clamp(0, 1).expand(-1, 3, -1, -1)  # (b, 1, h, w) -> (b, 3, h, w)
