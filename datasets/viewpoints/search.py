"""Searches the target camera of each pair: of many candidates, the one whose overlap and parallax fit the request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from datasets.arrays import Doubles
from datasets.camera_request import ATTEMPTS, CameraRequest
from datasets.rendering.cameras import Cameras, concatenate, cross_product_matrix, look_at
from datasets.rendering.ray_hits import near_points
from datasets.rendering.scene_batch import SceneBatch
from datasets.viewpoints.candidates import (
    Measures,
    PointCloud,
    cast_cloud,
    measure_by_casting,
    measure_by_projection,
)

_COARSE_STEPS = 7  # baselines, and as many turns, of the first grid; then:
_FINE_STEPS = 5
_CLEARANCE = 0.2  # m that must be free beyond the target
MAX_MISFIT = 1.0  # no further attempt below it: an error of 5 % of overlap, or of a fifth of parallax
REJECTED = 100.0  # added to the misfit of targets that are blocked, see nothing or are behind a wall


@dataclass(frozen=True, eq=False)
class Viewpoints:
    """The chosen cameras of b pairs."""

    reference: Cameras
    target: Cameras
    scenes: Tensor  # (b,) int64, the scene of each pair
    points: Tensor  # (q, 3) world points in view, which shadow maps have to cover
    point_scene: Tensor  # (q,) which scene each belongs to


@dataclass(frozen=True, eq=False)
class Goal:
    """One attempt at b requests, on the device."""

    reference: Cameras
    overlap: Tensor  # (b,)
    parallax: Tensor  # (b,)
    fov: Tensor  # (b,) radians
    roll: Tensor  # (b,) radians
    direction: Tensor  # (b, 3) of the baseline, unit, world
    axis: Tensor  # (b, 3) about which the target turns, unit, reference camera's frame

    def targets(self, baseline: Tensor, turn: Tensor) -> Cameras:
        """(b k) cameras from baselines (b, k) m and turns (b, k) radians."""
        count = baseline.shape[1]
        turned = _rotation(self.axis[:, None], -turn)
        rolled = _rotation(self.axis.new_tensor([0.0, 0.0, 1.0]), self.roll)[:, None]
        rotation = (rolled @ turned @ self.reference.rotation[:, None]).flatten(0, 1)  # (b, k, 3, 3) -> (b k, 3, 3)
        centre = (self.reference.centre[:, None] + self.direction[:, None] * baseline[..., None]).flatten(0, 1)
        intrinsics = self.reference.intrinsics.repeat_interleave(count, 0)
        return Cameras(intrinsics, rotation, -(rotation @ centre[..., None])[..., 0])

    def misfit(self, measures: Measures) -> Tensor:
        """(b, k) how far targets are from the request: 1 is 5 % of overlap or a fifth of parallax."""
        overlap = (measures.overlap - self.overlap[:, None]).abs() / 0.05
        parallax = torch.log((measures.parallax + 0.5) / (self.parallax[:, None].clamp_min(0) + 0.5)).abs() / 0.2
        return overlap + parallax + REJECTED * (measures.blocked | (measures.overlap < 0.05)).double()


@dataclass(frozen=True, eq=False)
class _Trial:
    """One target for each of b references, measured by rays of its own."""

    target: Cameras
    measures: Measures  # (b, 1)
    misfit: Tensor  # (b,)


def choose_viewpoints(
    batch: SceneBatch,
    requests: Sequence[CameraRequest],
    scenes: Sequence[int],
    size: tuple[int, int],
    max_misfit: float = MAX_MISFIT,
) -> Viewpoints:
    """Find a pair of cameras for each request, in the scene of that number; pictures are (width, height) px.

    max_misfit: cameras that are nearer to their request than this are taken; a larger one takes less time.
    """
    unsolved = list(range(len(requests)))
    best: dict[int, tuple[float, Cameras, Cameras, Tensor]] = {}
    for attempt in range(ATTEMPTS):
        goal = _make_goal([requests[i] for i in unsolved], attempt, size, batch.device)
        searched = torch.tensor([scenes[i] for i in unsolved], device=batch.device)
        cloud = cast_cloud(batch, goal.reference, searched, size)
        target, misfit = search_targets(batch, goal, cloud, searched, max_misfit)
        for k, i in enumerate(unsolved):
            if i not in best or misfit[k] < best[i][0]:
                best[i] = float(misfit[k]), goal.reference[[k]], target[[k]], near_points(cloud.points[k])
        unsolved = [i for i in unsolved if best[i][0] > max_misfit]
        if not unsolved:
            break
    _, reference, target_of, points = zip(*(best[i] for i in range(len(requests))), strict=True)
    counts = torch.tensor([len(some) for some in points], device=batch.device)
    shown = torch.tensor(scenes, device=batch.device)
    return Viewpoints(
        concatenate(*reference),
        concatenate(*target_of),
        shown,
        torch.cat(points),
        shown.repeat_interleave(counts),
    )


def _make_goal(requests: list[CameraRequest], attempt: int, size: tuple[int, int], device: torch.device) -> Goal:
    def column(values: list[float] | list[Doubles]) -> Tensor:
        return torch.from_numpy(np.array(values, np.float64)).to(device)

    fov = column([r.fov for r in requests])
    eyes, aims = column([r.eyes[attempt] for r in requests]), column([r.aims[attempt] for r in requests])
    reference = look_at(eyes, aims, fov, size)
    direction = column([r.directions[attempt] for r in requests])
    turn = column([float(r.turns[attempt]) for r in requests])
    # Turning to the right is a turn about the axis that points down (y); to turn downwards, about the left (-x).
    axis = torch.stack([-torch.sin(turn) * size[1] / size[0], torch.cos(turn), torch.zeros_like(turn)], 1)
    return Goal(
        reference,
        column([r.overlap for r in requests]),
        column([r.parallax for r in requests]),
        torch.deg2rad(fov),
        torch.deg2rad(column([r.roll for r in requests])),
        (reference.rotation.transpose(1, 2) @ direction[..., None])[..., 0],
        torch.nn.functional.normalize(axis, dim=1),
    )


def _rotation(axis: Tensor, angle: Tensor) -> Tensor:
    """Matrices (..., 3, 3) that turn by angles (...) radians about unit axes (..., 3) (Rodrigues' formula)."""
    skew = cross_product_matrix(axis.expand(*angle.shape, 3))
    sine, versine = torch.sin(angle)[..., None, None], (1 - torch.cos(angle))[..., None, None]
    return torch.eye(3, dtype=axis.dtype, device=axis.device) + sine * skew + versine * (skew @ skew)


def search_targets(
    batch: SceneBatch, goal: Goal, cloud: PointCloud, scenes: Tensor, max_misfit: float
) -> tuple[Cameras, Tensor]:
    """The best target for each reference of the goal, whose cloud is cast in scenes (b,), and its misfit (b,)."""
    baseline, turn = torch.log10(cloud.distance)[:, None] - 1.2, 0.3 * goal.fov[:, None]
    baseline, turn, predicted = _refine(goal, cloud, baseline, turn, (1.0, 0.25, 0.06))
    first = _try(batch, goal, cloud, scenes, baseline, turn)
    good = first.misfit < max_misfit
    if bool(good.all()):
        return first.target, first.misfit
    # The cloud has holes: search again with a goal corrected by what the prediction was wrong by.
    corrected = replace(
        goal,
        overlap=goal.overlap + (predicted.overlap - first.measures.overlap)[:, 0],
        parallax=goal.parallax * ((predicted.parallax + 0.5) / (first.measures.parallax + 0.5))[:, 0],
    )
    baseline, turn, _ = _refine(corrected, cloud, baseline, turn, (0.2, 0.05))
    second = _try(batch, goal, cloud, scenes, baseline, turn)
    # A good first target is kept whatever the others need: samples do not depend on each other.
    better = (second.misfit < first.misfit) & ~good
    which = torch.arange(len(better), device=better.device) + len(better) * better
    return concatenate(first.target, second.target)[which], torch.where(better, second.misfit, first.misfit)


def _try(batch: SceneBatch, goal: Goal, cloud: PointCloud, scenes: Tensor, baseline: Tensor, turn: Tensor) -> _Trial:
    """Targets of decimal logarithms of baselines and turns (b, 1), measured by rays of their own."""
    target = goal.targets(10**baseline, turn)
    measures = measure_by_casting(batch, cloud, target, scenes)
    crossed = path_crosses_surface(batch, scenes, goal.reference.centre, target.centre)
    return _Trial(target, measures, goal.misfit(measures)[:, 0] + REJECTED * crossed.double())


def path_crosses_surface(batch: SceneBatch, scenes: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """(b,) whether straight paths from start to just beyond end (b, 3) hit a triangle of scenes (b,).

    Moeller & Trumbore 1997, "Fast, minimum storage ray/triangle intersection".
    """
    path = (end - start) + _CLEARANCE * torch.nn.functional.normalize(end - start, dim=1)
    found = []
    for number, scene in enumerate(scenes.tolist()):
        a, b, c = batch.corners[batch.scene == scene].unbind(1)
        direction = path[number].expand_as(a)
        p = torch.linalg.cross(direction, c - a)
        scale = 1 / (p * (b - a)).sum(1)
        q = torch.linalg.cross(start[number] - a, b - a)
        u, v = (p * (start[number] - a)).sum(1) * scale, (q * direction).sum(1) * scale
        t = (q * (c - a)).sum(1) * scale
        found.append(((u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1)).any())
    return torch.stack(found)


def _refine(
    goal: Goal, cloud: PointCloud, baseline: Tensor, turn: Tensor, spreads: tuple[float, ...]
) -> tuple[Tensor, Tensor, Measures]:
    """Search finer and finer grids around decimal logarithms of baselines (b, 1) and turns (b, 1)."""
    for spread in spreads:
        steps = _COARSE_STEPS if spread == 1 else _FINE_STEPS
        step = torch.linspace(-1, 1, steps, dtype=torch.float64, device=goal.fov.device)
        baselines = (baseline + 1.1 * spread * step).repeat_interleave(steps, 1)  # (b, steps) -> (b, steps^2)
        turns = (turn + 0.6 * spread * goal.fov[:, None] * step).repeat(1, steps)
        measures = measure_by_projection(cloud, goal.targets(10**baselines, turns))
        best = goal.misfit(measures).argmin(1, keepdim=True)
        baseline, turn = baselines.gather(1, best), turns.gather(1, best)
    return baseline, turn, measures.select(best)
