"""Cameras in a row, and in a ring: neighbours have the overlap, or the parallax, that a request asks for."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datasets.camera_request import ATTEMPTS, CameraRequest
from datasets.options import SampleOptions
from datasets.rendering.cameras import Cameras, concatenate, look_at
from datasets.rendering.ray_hits import near_points
from datasets.rendering.scene_batch import SceneBatch
from datasets.viewpoints.candidates import cast_cloud, measure_by_casting
from datasets.viewpoints.search import MAX_MISFIT, REJECTED, Goal, search_targets

MAX_VIEW_MISFIT = 4.0  # an error of 20 % of overlap, or parallax twice as large: better views are looked for
_LEAST_SOLID = 0.4  # share of a view that must not be sky
_FIRST_RADIUS, _LARGEST_RADIUS = 0.05, 0.3  # of rings, in distances of what they see
_RADII = 3  # that are tried


@dataclass(frozen=True, eq=False)
class Views:
    """Cameras that see one scene."""

    cameras: Cameras
    points: Tensor  # (q, 3) world points in view, which shadow maps have to cover
    misfit: float  # the largest of two neighbours, as Goal.misfit; REJECTED and more: not to be used


def choose_row(
    batch: SceneBatch,
    request: CameraRequest,
    count: int,
    options: SampleOptions,
    rng: np.random.Generator,
) -> Views:
    """Cameras from left to right around the one that the request's first fitting eye and aim give.

    Each is searched for beside its neighbour, with the request's overlap and parallax, turned about the vertical and
    moved to the same side; then all but the middle one roll. Of several attempts the best is returned.
    """
    found: list[Views] = []
    for attempt in range(ATTEMPTS):
        middle = _camera(batch, request, attempt, options.size)
        row, points, misfit = [middle], [], 0.0
        for side, steps in ((1, count - 1 - count // 2), (-1, count // 2)):
            for _ in range(steps):
                next_to = row[-1] if side > 0 else row[0]
                target, seen, step_misfit = _step(batch, next_to, request, side, options, rng)
                row = [*row, target] if side > 0 else [target, *row]
                points.append(seen)
                misfit = max(misfit, step_misfit)
        roll = torch.from_numpy(np.radians(rng.uniform(*options.roll, count)))
        roll[count // 2] = 0
        found.append(Views(_rolled(concatenate(*row), roll.to(batch.device)), torch.cat(points), misfit))
        if misfit < MAX_VIEW_MISFIT:
            break
    return min(found, key=lambda views: views.misfit)


def _camera(batch: SceneBatch, request: CameraRequest, attempt: int, size: tuple[int, int]) -> Cameras:
    """The level camera of an attempt."""
    eye, aim = (torch.from_numpy(points[[attempt]]).to(batch.device) for points in (request.eyes, request.aims))
    return look_at(eye, aim, eye.new_tensor([request.fov]), size)


def _step(
    batch: SceneBatch,
    neighbour: Cameras,
    request: CameraRequest,
    side: int,
    options: SampleOptions,
    rng: np.random.Generator,
) -> tuple[Cameras, Tensor, float]:
    """The camera right (side 1) or left (-1) of a neighbour; world points (q, 3) that the neighbour sees; a misfit."""
    moved = rng.normal(size=3) * options.baseline
    moved[0] = side * abs(moved[0])
    direction = neighbour.centre.new_tensor(moved / np.linalg.norm(moved))
    one, scene = neighbour.centre.new_ones(1), torch.zeros(1, dtype=torch.int64, device=batch.device)
    goal = Goal(
        reference=neighbour,
        overlap=one * request.overlap,
        parallax=one * request.parallax,
        fov=one * float(np.radians(request.fov)),
        roll=one * 0,
        direction=direction @ neighbour.rotation[0][None],  # (1, 3) rows: its transpose times the direction
        axis=side * neighbour.rotation[:, :, 1],  # the world's y points down
    )
    cloud = cast_cloud(batch, neighbour, scene, options.size)
    target, misfit = search_targets(batch, goal, cloud, scene, MAX_MISFIT)
    forward = neighbour.rotation[0] @ target.rotation[0, 2]  # of the target, in its neighbour's frame
    solid = (cloud.points[0, cloud.inside[0], 3] > 0).double().mean()
    wrong = bool(side * forward[0] < 0) or bool(solid < _LEAST_SOLID)
    return target, near_points(cloud.points[0]), float(misfit) + REJECTED * wrong


def _rolled(cameras: Cameras, angles: Tensor) -> Cameras:
    """The cameras turned about their optical axes by (v,) radians."""
    turn = torch.eye(3, dtype=torch.float64, device=angles.device).repeat(len(angles), 1, 1)
    turn[:, 0, 0] = turn[:, 1, 1] = torch.cos(angles)
    turn[:, 0, 1], turn[:, 1, 0] = -torch.sin(angles), torch.sin(angles)
    return Cameras(cameras.intrinsics, turn @ cameras.rotation, (turn @ cameras.translation[..., None])[..., 0])


def choose_ring(
    batch: SceneBatch,
    request: CameraRequest,
    count: int,
    options: SampleOptions,
    rng: np.random.Generator,
) -> Views:
    """Cameras that look outwards all around, in even steps to the right, from a circle about the request's eye.

    The field of view gives neighbours the request's overlap, within the limits of the options; the circle is as wide
    as the request's parallax needs, at most a third of the distance of what is seen. Of several attempts the best is
    returned.
    """
    fov = float(np.clip(360 / count / (1 - min(request.overlap, 0.95)), *options.fov))
    found: list[Views] = []
    for attempt in range(ATTEMPTS):
        eye, aim = (torch.from_numpy(points[attempt]).to(batch.device) for points in (request.eyes, request.aims))
        start = torch.atan2(aim[0] - eye[0], aim[2] - eye[2])
        angle = start + torch.arange(count, dtype=torch.float64, device=batch.device) * (2 * np.pi / count)
        outwards = torch.stack([torch.sin(angle), torch.zeros_like(angle), torch.cos(angle)], 1)
        heights = torch.from_numpy(rng.normal(0, 0.1, count)).to(batch.device)
        offsets = outwards + heights[:, None] * outwards.new_tensor([0.0, 1.0, 0.0])
        radius = _FIRST_RADIUS
        for _ in range(_RADII):
            views, parallax = _ring(batch, request, eye, outwards, offsets * radius, fov, options.size)
            found.append(views)
            # Parallax grows with the radius.
            radius = min(radius * (request.parallax + 0.5) / (parallax + 0.5), _LARGEST_RADIUS)
        if min(views.misfit for views in found) < MAX_VIEW_MISFIT:
            break
    best = min(found, key=lambda views: views.misfit)
    roll = torch.from_numpy(np.radians(rng.uniform(*options.roll, count)))
    roll[0] = 0
    return Views(_rolled(best.cameras, roll.to(batch.device)), best.points, best.misfit)


def _ring(
    batch: SceneBatch,
    request: CameraRequest,
    eye: Tensor,
    outwards: Tensor,
    offsets: Tensor,
    fov: float,
    size: tuple[int, int],
) -> tuple[Views, float]:
    """Cameras at offsets (v, 3) from an eye (3,), in distances of what is seen there, that look outwards (v, 3).

    Also the median parallax of neighbours, px at 512 px width.
    """
    fovs = outwards.new_full((len(outwards),), fov)
    scenes = torch.zeros(len(fovs), dtype=torch.int64, device=batch.device)
    around = cast_cloud(batch, look_at(eye.expand_as(outwards), eye + outwards, fovs, size), scenes, size)
    eyes = eye + offsets * around.distance.median()
    cameras = look_at(eyes, eyes + outwards, fovs, size)
    cloud = cast_cloud(batch, cameras, scenes, size)
    measures = measure_by_casting(batch, cloud, cameras[torch.arange(len(fovs)).roll(-1)], scenes)
    parallax = float(measures.parallax.median())
    misfit = abs(float(np.log((parallax + 0.5) / (request.parallax + 0.5)))) / 0.2
    solid = ((cloud.points[..., 3] > 0) & cloud.inside).double().sum(1) / cloud.inside.sum(1)
    least = (1 - 360 / len(fovs) / fov) / 2  # half of the overlap from one place
    wrong = measures.blocked.any() or (solid < _LEAST_SOLID).any() or (measures.overlap < least).any()
    points = torch.cat([near_points(points) for points in cloud.points])
    return Views(cameras, points, misfit + REJECTED * bool(wrong)), parallax
