"""The log of a run: lines of text, and curves and pictures for TensorBoard."""

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from apps.training.objectives import Terms, answer_of
from apps.training.options import TASKS
from apps.training.state import Run, modules_of, rate_at
from apps.training.validation import Figures
from datasets.examples.batch import ExampleBatch
from mtl.strategy import StepResult
from stitching.network.stitching_network import StitchingNetwork

SHOWN = 4  # examples whose pictures TensorBoard gets


class Journal:
    """Gathers what happens between two lines of the log."""

    def __init__(self, run: Run, folder: Path, report: Callable[[str], None]) -> None:
        """Of several processes that train one network, the first one alone writes."""
        self._run, first = run, run.fabric.is_global_zero
        self._board = SummaryWriter(str(folder)) if first else None
        self._report = report if first else lambda line: None
        self._clear()
        for name, module in modules_of(run.network):
            self._report(f"{name}: {sum(p.numel() for p in module.parameters()):,} parameters")
        if run.step:
            self._report(f"goes on at step {run.step}")

    def _clear(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, int] = defaultdict(int)  # photographs have terms of their own
        self._steps, self._waited, self._begun = 0, 0.0, time.perf_counter()

    def waited(self, seconds: float) -> None:
        """For the next batch."""
        self._waited += seconds

    def stepped(self, terms: Terms, decision: StepResult) -> None:
        """A step is done; every log_every steps a line is written."""
        for name, term in terms.items():
            self._sums[f"loss/{name}"] += float(term.detach())
            self._counts[f"loss/{name}"] += 1
        for task, weight in decision.weights.items():
            self._sums[f"weight/{task}"] += weight
        self._sums["gradient/total"] += decision.norms.total
        self._sums["updates"] += len(decision.groups)
        self._steps += 1
        step, options = self._run.step, self._run.options
        if step % options.log_every:
            return
        means = {name: value / self._counts.get(name, self._steps) for name, value in self._sums.items()}
        means |= {f"gradient/{name}": _norm(module) for name, module in modules_of(self._run.network)}
        seconds = time.perf_counter() - self._begun
        means["speed/examples a second"] = self._steps * options.batch_size * self._run.fabric.world_size / seconds
        means["speed/share of time waiting for examples"] = self._waited / seconds
        means["rate"] = rate_at(step, options)
        self._draw({**means, **{f"strategy/{name}": value for name, value in self._run.strategy.report().items()}})
        self._report(f"step {step} ({self._run.seconds / 60:.1f} min): " + _words(means))
        self._clear()

    def validated(self, figures: Figures, network: StitchingNetwork, batch: ExampleBatch) -> None:
        """Curves and a line for the figures, pictures for one batch."""
        self._draw({f"validation {name}": value for name, value in figures.items()})
        self._report(f"validation at step {self._run.step}: " + _words(figures))
        if self._board is not None:
            for name, pictures in _pictures(network, batch, TASKS[self._run.mode]).items():
                self._board.add_images(name, pictures[:SHOWN].flip(1), self._run.step)  # BGR -> RGB
        self._clear()

    def close(self) -> None:
        """Write out what waits."""
        if self._board is not None:
            self._board.close()

    def _draw(self, points: dict[str, float]) -> None:
        if self._board is not None:
            for name, value in points.items():
                self._board.add_scalar(name, value, self._run.step)


def _words(means: dict[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('loss/')} {value:.3g}" for name, value in means.items())


def _norm(module: torch.nn.Module) -> float:
    """Length of the gradient of the last step, after clipping; 0 where nothing was trained."""
    squares = [p.grad.float().square().sum() for p in module.parameters() if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


@torch.no_grad()
def _pictures(network: StitchingNetwork, batch: ExampleBatch, tasks: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """(b, 3, h, w) each: what was seen, what it is to become, what it became."""
    truth = batch.truth
    assert truth is not None
    network.eval()
    made = answer_of(network, batch, tasks, classical=True)
    pictures = {"1 reference": batch.reference, "2 target": batch.target, "3 truth": truth.stitched}
    pictures |= {f"4 stitched, {name}": pair.generated.stitched.clamp(0, 1) for name, pair in made.stitched.items()}
    if made.warp is not None:
        error = (made.warp.residual - truth.residual).norm(dim=1, keepdim=True)
        pictures["5 warp error, 10 px = white"] = _grey(error / 10)
        pictures["6 visibility"] = _grey(torch.sigmoid(made.warp.visibility))
    return pictures


def _grey(plane: torch.Tensor) -> torch.Tensor:
    return plane.float().clamp(0, 1).expand(-1, 3, -1, -1)
