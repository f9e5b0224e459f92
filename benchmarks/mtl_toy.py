"""Every strategy on two objectives of two parameters, whose conflict can be seen: paths to the Pareto front.

    python benchmarks/mtl_toy.py OUT [--methods equal cagrad ...] [--steps 1200] [--rate 0.03] [--scale 0.1]

The problem is that of CAGrad (Liu et al., NeurIPS 2021), as Nash-MTL (Navon et al., ICML 2022) and FAMO (Liu et al.,
NeurIPS 2023) use it: five starts, the first objective ten times smaller (`--scale`; CAGrad: 1), Adam. They take 35,000
to 50,000 steps at the rate 1e-3. Here fewer steps at a larger rate go as far, and Adam forgets so much faster that its
memory is as long a way, but for the first moment, which has none. OUT/toy.png shows the paths over the contours of the
mean loss, and in the plane of both losses. OUT/paths keeps them, so the same command goes on where it was stopped; all
methods take some six minutes of one core.

Task priority has no channels to own here: it is its phase 1 alone. An epoch, for strategies that count them, is a
fiftieth of the steps. Nash-MTL takes part where its solver ECOS is installed.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import torch
from environment import describe_environment
from numpy.typing import NDArray
from torch import Tensor, nn

from apps.benchmarking.ablations.registry import VARIANTS
from apps.tables import aligned_text
from mtl.connection_strength import Layer
from mtl.optimization import Parameters, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy
from stitching.io.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = NDArray[np.float64]  # (n, 2)

METHODS = (
    "equal", "random", "uncertainty", "dynamic", "gradient-norms", "famo", "stch", "db-mtl", "pcgrad", "imtl-g",
    "aligned-mtl", "mgda", "cagrad", "fairgrad", "nash-mtl", "priority:phases=first", "task-groups:beta=0.01",
)  # fmt: skip
TASKS = "first", "second"
STARTS = (-8.5, 7.5), (0.0, 0.0), (9.0, 9.0), (-7.5, -0.5), (9.0, -1.0)
TOLERANCE = 0.1  # distance to the front, in parameters, at which it is reached
USUAL_RATE = 1e-3  # of Adam, in the papers
EPOCHS = 50
FLOOR = 5e-6  # of what a logarithm is taken of
OFFSET = 21.0  # makes both losses positive, as FAMO's experiment does: several strategies take logarithms
VIEW = 11.0  # the plane of parameters is shown from -VIEW to VIEW


def objectives(points: Tensor, scale: float = 1.0) -> Tensor:
    """The two losses at points (..., 2): (2, ...).

    Above the line y = 0 each is the logarithm of the distance to a curved valley, below it a wide bowl; a valley leads
    down one objective alone. With a_1 = -(x + 7) / 2 + tanh y, a_2 = -(x - 3) / 2 - tanh y + 2, m_1 = 7, m_2 = -7:

        L_i = max(tanh(y / 2), 0) (log max(|a_i|, FLOOR) + 6)
            + max(-tanh(y / 2), 0) (((x - m_i)^2 + (y + 8)^2 / 10) / 10 - 20)

    scale: multiplies the first one.
    """
    x, y = points.unbind(-1)
    valleys = torch.stack([-(x + 7) / 2 + torch.tanh(y), -(x - 3) / 2 - torch.tanh(y) + 2])
    bowls = torch.stack([(x - 7).square(), (x + 7).square()]) / 10 + (y + 8).square() / 100 - 20
    # clamp has a slope at 0, so that a start on the line moves
    above, below = torch.tanh(y / 2).clamp(min=0), torch.tanh(-y / 2).clamp(min=0)
    first, second = above * (valleys.abs().clamp(min=FLOOR).log() + 6) + below * bowls
    return torch.stack([scale * first, second])


def losses_at(points: Points, scale: float) -> Points:
    """The two losses at points (..., 2): (..., 2)."""
    return np.moveaxis(objectives(torch.from_numpy(points), scale).numpy(), 0, -1)


def find_front() -> Points:
    """(n, 2) points from where no move lowers both objectives, from the best of the second to that of the first.

    The weighted sums of both have their minima there. In the bowls that of weights 1 + t, 1 - t lies at x = 7 t for
    every y; the best y is searched. A scale of one objective does not move the front.
    """
    t, y = np.linspace(-1, 1, 281), np.linspace(-9, -7.5, 3001)
    points = np.stack(np.broadcast_arrays(7 * t[:, None], y), -1)  # (t, y, 2)
    sums = (losses_at(points, 1.0) * np.stack([1 + t, 1 - t], -1)[:, None]).sum(-1)
    found: Points = points[np.arange(len(t)), sums.argmin(1)]
    return found


def walk(method: str, start: tuple[float, float], steps: int, rate: float, scale: float) -> Points:
    """(steps + 1, 2) the parameters before the first and after each step.

    Raises ValueError where there is no such method, or what it needs is not installed.
    """
    point = nn.Parameter(torch.tensor(start))
    betas = max(0.0, 1 - 0.1 * rate / USUAL_RATE), max(0.0, 1 - 0.001 * rate / USUAL_RATE)  # 0.9, 0.999 at that rate
    adam = torch.optim.Adam([point], rate, betas=betas)
    updater = ParameterUpdater(Parameters([point], {task: [] for task in TASKS}), adam)
    # Task priority asks for a layer; this one is not trained, so nobody owns channels of it.
    layer = Layer("none", nn.Parameter(torch.zeros(1, 1)), {task: nn.Identity() for task in TASKS})
    strategy = make_strategy(method, TASKS, TrainingContext([layer], steps, max(1, steps // EPOCHS)), VARIANTS)

    def closure(tasks: Sequence[str]) -> dict[str, Tensor]:
        first, second = objectives(point, scale)
        losses = dict(zip(TASKS, (first + scale * OFFSET, second + OFFSET), strict=True))
        return {task: losses[task] for task in tasks}

    path = [point.detach().numpy().copy()]
    for _ in range(steps):
        strategy.step(closure, updater)
        path.append(point.detach().numpy().copy())
    return np.array(path, np.float64)


def walk_from_all_starts(folder: Path, method: str, steps: int, rate: float, scale: float) -> Sequence[Points]:
    """The path from each start, read from `folder` if it was walked before. Raises as `walk`."""
    file = folder / f"{quote(method, safe='=,+:')}_{steps}-steps_rate-{rate:g}_scale-{scale:g}.npy"
    if not file.exists():
        walked = [walk(method, start, steps, rate, scale) for start in STARTS]
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as path:
            np.save(path, walked)
    return list(np.load(file))


@dataclass(frozen=True)
class Outcome:
    """Where the paths of a method lead.

    Attributes:
        reached: number of starts that end on the front.
        mean_loss: at the end, of both losses and all starts.
        places: x of the ends on the front, -7 to 7; at 7 the first loss is at its best.
        steps: until the front is reached, of each start that ever does.
    """

    reached: int
    mean_loss: float
    places: tuple[float, ...]
    steps: tuple[int, ...]


def judge(paths: Sequence[Points], front: Points, scale: float) -> Outcome:
    """What became of the paths of one method."""
    distances = [np.linalg.norm(path[:, None] - front, axis=-1).min(1) for path in paths]  # (steps + 1,) each
    ends = np.array([path[-1] for path in paths])
    on_front = [distance[-1] < TOLERANCE for distance in distances]
    first_steps = tuple(int((d < TOLERANCE).argmax()) for d in distances if d.min() < TOLERANCE)
    places = tuple(float(x) for x in ends[on_front, 0])
    return Outcome(int(sum(on_front)), float(losses_at(ends, scale).mean()), places, first_steps)


def main() -> None:
    """Walk, print and draw; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, metavar="OUT")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--rate", type=float, default=0.03, help="of Adam")
    parser.add_argument("--scale", type=float, default=0.1, help="of the first objective")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{describe_environment('torch')}; {options.steps} steps at {options.rate:g}, scale {options.scale:g}")
    front = find_front()
    paths: dict[str, Sequence[Points]] = {}
    rows = [["method", "on the front", "mean loss", "x of the ends there", "steps until reached"]]
    folder = options.output / "paths"
    for index, method in enumerate(options.methods, start=1):
        print(f"[{index}/{len(options.methods)}] {method}", file=sys.stderr)
        try:
            paths[method] = walk_from_all_starts(folder, method, options.steps, options.rate, options.scale)
        except ValueError as error:
            print(f"left out: {error}")
            continue
        rows.append([method, *_cells(judge(paths[method], front, options.scale))])
    if not paths:
        parser.error("none of the methods is left")
    print(aligned_text(rows))
    draw(paths, front, options.scale, options.output / "toy.png")


def _cells(outcome: Outcome) -> tuple[str, str, str, str]:
    places = " ".join(f"{x:.1f}" for x in sorted(outcome.places))
    steps = f"{min(outcome.steps)} - {max(outcome.steps)}" if outcome.steps else "-"
    return f"{outcome.reached} / {len(STARTS)}", f"{outcome.mean_loss:.2f}", places or "-", steps


def draw(paths: Mapping[str, Sequence[Points]], front: Points, scale: float, file: Path) -> None:
    """Two panels for each method: its paths over the contours of the mean loss, and in the plane of both losses."""
    from matplotlib.figure import Figure

    columns = 4
    rows = -(-len(paths) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.3 * rows), layout="constrained")
    panels = figure.subplots(rows, 2 * columns, squeeze=False).reshape(-1, 2)  # (rows, 2 columns) -> (n, 2)
    for panel in panels.flat[2 * len(paths) :]:
        panel.set_axis_off()
    for (method, walked), (plane, plot) in zip(paths.items(), panels, strict=False):
        _draw_parameters(plane, walked, front, scale)
        _draw_losses(plot, walked, front, scale)
        plane.set_title(method, fontsize=8, loc="left")
    with atomic_write(file) as path:
        figure.savefig(path, dpi=110)


def _draw_parameters(axes: "Axes", paths: Sequence[Points], front: Points, scale: float) -> None:
    side = np.linspace(-VIEW, VIEW, 221)
    grid = np.stack(np.meshgrid(side, side), -1)
    axes.contour(side, side, losses_at(grid, scale).mean(-1), levels=14, linewidths=0.5, cmap="viridis")
    axes.plot(*front.T, color="0.5", linewidth=3)
    for path in paths:
        axes.plot(*path.T, color="C3", linewidth=0.9)
    _mark_ends(axes, paths)
    axes.set(xlim=(-VIEW, VIEW), ylim=(-VIEW, VIEW))
    axes.tick_params(labelsize=6)


def _draw_losses(axes: "Axes", paths: Sequence[Points], front: Points, scale: float) -> None:
    axes.plot(*losses_at(front, scale).T, color="0.5", linewidth=3)
    in_losses = [losses_at(path, scale) for path in paths]
    for path in in_losses:
        axes.plot(*path.T, color="C3", linewidth=0.7)
    _mark_ends(axes, in_losses)
    axes.set_xlabel("first loss", fontsize=6, labelpad=1)
    axes.set_ylabel("second loss", fontsize=6, labelpad=1)
    axes.tick_params(labelsize=6)


def _mark_ends(axes: "Axes", paths: Sequence[Points]) -> None:
    """A black point where a path begins, a red one where it ends."""
    for color, index in (("k", 0), ("C3", -1)):
        axes.plot(*np.array([path[index] for path in paths]).T, "o", color=color, markersize=3)


if __name__ == "__main__":
    main()
