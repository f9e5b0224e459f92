"""The log of a run: lines of text; curves and pictures for TensorBoard."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from apps.training.losses.reduction import Terms
from apps.training.options import TASKS
from apps.training.prediction import predict
from apps.training.run import Run
from apps.training.validation import Metrics
from datasets.examples.batch import ExampleBatch
from mtl.strategy import StepResult
from stitching.network.stitching_network import StitchingNetwork

MAX_PICTURES = 4  # examples whose pictures TensorBoard gets
WHITE_ERROR = 10  # px of warp error that are white in TensorBoard


class TrainLog:
    """Gathers what happens between two lines of the log. Of several processes, the first one alone writes."""

    def __init__(self, run: Run, folder: Path, report: Callable[[str], None]) -> None:
        """Begin the log of a run: curves in `folder`, lines to `report`."""
        self._run, is_first = run, run.fabric.is_global_zero
        self._board = SummaryWriter(str(folder)) if is_first else None
        self._report = report if is_first else lambda line: None
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
        points: dict[str, float] = {f"loss/{name}": float(term) for name, term in terms.items()}
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

    def _write(self) -> None:
        run, options = self._run, self._run.options
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        seconds = time.perf_counter() - self._started
        speed = self._steps * options.batch_size * run.fabric.world_size / seconds
        waiting, rate = self._waited / seconds, float(max(run.stage.schedule.get_last_lr()))
        curves = means | {f"gradient/{name}": _gradient_norm(module) for name, module in _modules(run.network)}
        curves |= {"speed/examples a second": speed, "speed/share of time waiting for examples": waiting, "rate": rate}
        self._plot(curves | {f"strategy/{name}": value for name, value in run.stage.strategy.report().items()})
        losses = ", ".join(f"{task} {means[f'task/{task}']:.3g}" for task in run.stage.tasks)
        self._report(
            f"step {run.step} of {options.steps}, {run.seconds / 60:.1f} min: losses {losses}; rate {rate:.2g}; "
            f"{speed:.3g} examples/s, {waiting:.0%} of the time waiting for them"
        )

    def validation(self, metrics: Metrics, batch: ExampleBatch) -> None:
        """Curves and a line for the metrics, pictures of one batch by the averaged network."""
        self._plot({f"validation {name}": value for name, value in metrics.items()})
        words = ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())
        self._report(f"validation at step {self._run.step}: {words}")
        if self._board is not None:
            for name, pictures in _pictures(self._run.averaged_network, batch, TASKS[self._run.mode]).items():
                self._board.add_images(name, pictures[:MAX_PICTURES].flip(1), self._run.step)  # BGR -> RGB
        self._clear()

    def end(self, interrupted: bool) -> None:
        """A line that says why the run ends here."""
        step, options = self._run.step, self._run.options
        if step >= options.steps:
            self._report(f"finished: all {options.steps} steps are done")
        else:
            reason = "interrupted by Ctrl-C" if interrupted else f"--minutes {options.minutes:g} are over"
            self._report(f"stopped after step {step} of {options.steps}, {reason}; the same command resumes")

    def close(self) -> None:
        """Write what TensorBoard's writer still holds."""
        if self._board is not None:
            self._board.close()

    def _plot(self, points: dict[str, float]) -> None:
        if self._board is not None:
            for name, value in points.items():
                self._board.add_scalar(name, value, self._run.step)


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
        pictures["6 visibility"] = _grey(torch.sigmoid(prediction.warp.visibility))
    return pictures


def _grey(plane: Tensor) -> Tensor:
    return plane.float().clamp(0, 1).expand(-1, 3, -1, -1)  # (b, 1, h, w) -> (b, 3, h, w)
