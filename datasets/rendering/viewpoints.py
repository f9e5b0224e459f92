"""Where the two cameras stand: tries many on a cloud of points and keeps the pair nearest to what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.options import SampleOptions
from datasets.rendering.cameras import FREE, NEAR, Cameras, join, upright
from datasets.rendering.hits import cast_evenly, cross, near_points
from datasets.rendering.parallax import homography_residual, masked_quantiles
from datasets.rendering.ray_caster import Tiles
from datasets.rendering.world import World
from datasets.sample import Visibility
from datasets.scenes.scene import Standpoint

_WIDE = 2.0  # times the reference's width: how much of its surroundings the cloud holds
_CELLS = 24  # a target's width in cells
_POINTS = 40  # the reference's width in points of the cloud
_FINE = 2  # px of the small films between points: small tiles have few triangles
_STEPS = 7  # baselines and as many turns, tried all together at first; then:
_FINER = 5
_CLEAR = 0.2  # m that must be free beyond the target
_TRIES = 4  # standpoints and directions
_GOOD = 1.0  # the misfit that needs no other try: 5 % of overlap or a fifth of parallax


@dataclass(frozen=True, eq=False)
class Request:
    """What a sample asks of its cameras; the `tries` are drawn ahead so that each is the sample's own."""

    overlap: float  # share of the target's pixels that the reference sees
    parallax: float  # px at 512 px width
    fov: float  # degrees
    roll: float  # degrees
    eyes: NDArray[np.float64]  # (tries, 3) m
    looks: NDArray[np.float64]  # (tries, 3) m
    directions: NDArray[np.float64]  # (tries, 3) unit, reference camera's frame
    turns: NDArray[np.float64]  # (tries,) radians: towards which side of the picture the target turns away


@dataclass(frozen=True, eq=False)
class Viewpoints:
    """The chosen cameras of b scenes."""

    reference: Cameras
    target: Cameras
    points: Tensor  # (q, 3) world points in view
    point_scene: Tensor  # (q,)


def draw_request(options: SampleOptions, standpoint: Standpoint, rng: np.random.Generator) -> Request:
    """Draw a sample's wishes, every one evenly from its range."""
    overlap, parallax, fov, roll = (
        float(rng.uniform(*getattr(options, name))) for name in ("overlap", "parallax", "fov", "roll")
    )
    eyes, looks = (
        rng.uniform(box[0].astype(np.float64), box[1].astype(np.float64), (_TRIES, 3))
        for box in (standpoint.eye, standpoint.look_at)
    )
    directions = rng.normal(size=(_TRIES, 3)) * options.baseline
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # Mostly towards the side to which the camera moves, as people and vehicles do.
    turns = rng.normal(0, 0.5, _TRIES) + np.where(directions[:, 0] * rng.uniform(-0.3, 1, _TRIES) < 0, np.pi, 0)
    return Request(overlap, parallax, fov, roll, eyes, looks, directions, turns)


def choose_viewpoints(world: World, requests: Sequence[Request], size: tuple[int, int]) -> Viewpoints:
    """Find a pair of cameras for each scene's request; pictures are (width, height) px."""
    left = list(range(len(requests)))
    best: dict[int, tuple[float, Cameras, Cameras, Tensor]] = {}
    for number in range(_TRIES):
        wish = _gather([requests[i] for i in left], number, size, world.device)
        scenes = torch.tensor(left, device=world.device)
        cloud = _see(world, wish, scenes, size)
        target, misfit = _search(world, wish, cloud, scenes)
        for k, i in enumerate(left):
            if i not in best or misfit[k] < best[i][0]:
                best[i] = float(misfit[k]), wish.reference[[k]], target[[k]], near_points(cloud.points[k])
        left = [i for i in left if best[i][0] > _GOOD]
        if not left:
            break
    chosen = [best[i] for i in range(len(requests))]
    counts = torch.tensor([len(points) for *_, points in chosen])
    return Viewpoints(
        join(*(reference for _, reference, _, _ in chosen)),
        join(*(target for _, _, target, _ in chosen)),
        torch.cat([points for *_, points in chosen]),
        torch.repeat_interleave(counts).to(world.device),
    )


@dataclass(frozen=True, eq=False)
class _Wish:
    """One try of b requests, on the device."""

    reference: Cameras
    overlap: Tensor  # (b,)
    parallax: Tensor  # (b,)
    fov: Tensor  # (b,) radians
    roll: Tensor  # (b,) radians
    direction: Tensor  # (b, 3) of the baseline, world
    axis: Tensor  # (b, 3) about which the target turns, reference camera's frame

    def targets(self, length: Tensor, angle: Tensor) -> Cameras:
        """(b k) cameras from baselines (b, k) m and turns (b, k) radians."""
        count = length.shape[1]
        turned = _rotation(self.axis[:, None], -angle)
        rolled = _rotation(self.axis.new_tensor([0.0, 0.0, 1.0]), self.roll)[:, None]
        rotation = (rolled @ turned @ self.reference.rotation[:, None]).flatten(0, 1)  # (b, k, 3, 3) -> (b k, 3, 3)
        centre = (self.reference.centre[:, None] + self.direction[:, None] * length[..., None]).flatten(0, 1)
        intrinsics = self.reference.intrinsics.repeat_interleave(count, 0)
        return Cameras(intrinsics, rotation, -(rotation @ centre[..., None])[..., 0])


def _gather(requests: list[Request], number: int, size: tuple[int, int], device: torch.device) -> _Wish:
    def column(values: list[float] | list[NDArray[np.float64]]) -> Tensor:
        return torch.from_numpy(np.array(values, np.float64)).to(device)

    fov = column([r.fov for r in requests])
    eyes, looks = column([r.eyes[number] for r in requests]), column([r.looks[number] for r in requests])
    reference = upright(eyes, looks, fov, size)
    moved = column([r.directions[number] for r in requests])
    turn = column([float(r.turns[number]) for r in requests])
    # Turning to the right is a turn about the axis that points down (y); to turn downwards, about the left (-x).
    axis = torch.stack([-torch.sin(turn) * size[1] / size[0], torch.cos(turn), torch.zeros_like(turn)], 1)
    return _Wish(
        reference,
        column([r.overlap for r in requests]),
        column([r.parallax for r in requests]),
        torch.deg2rad(fov),
        torch.deg2rad(column([r.roll for r in requests])),
        (reference.rotation.transpose(1, 2) @ moved[..., None])[..., 0],
        torch.nn.functional.normalize(axis, dim=1),
    )


def _rotation(axis: Tensor, angle: Tensor) -> Tensor:
    """Matrices (..., 3, 3) that turn by angles (...) radians about unit axes (..., 3) (Rodrigues)."""
    x, y, z = axis.expand(*angle.shape, 3).unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).view(*angle.shape, 3, 3)  # (..., 9) -> (..., 3, 3)
    sine, rest = torch.sin(angle)[..., None, None], (1 - torch.cos(angle))[..., None, None]
    return torch.eye(3, dtype=axis.dtype, device=axis.device) + sine * skew + rest * (skew @ skew)


@dataclass(frozen=True, eq=False)
class _Cloud:
    """What b references and their surroundings show: q points each, seen on small wide films."""

    points: Tensor  # (b, q, 4) float64 homogeneous world points; (direction, 0) for the sky
    places: Tensor  # (b, q, 2) px of the small films
    inside: Tensor  # (b, q) in the reference's picture
    distance: Tensor  # (b,) typical depth, m
    blocked: Tensor  # (b,) too much of the picture is too close
    tiles: Tiles  # of the small films
    cameras: Cameras  # of the small films
    window: Tensor  # (4,) x0, y0, x1, y1: the reference's picture on its small film, px
    scale: float  # px of the small film in a px of the picture
    size: tuple[int, int]  # (width, height) of the pictures, px


def _see(world: World, wish: _Wish, scenes: Tensor, size: tuple[int, int]) -> _Cloud:
    """Cast a coarse grid of rays from the references, beyond their pictures' borders too."""
    scale = _POINTS * _FINE / size[0]
    film = round(_WIDE * _POINTS), round(_WIDE * _POINTS * size[1] / size[0])
    shift = world.corners.new_tensor(size) * (1 - _WIDE) / 2
    cameras = wish.reference.moved(shift.expand(len(scenes), 2), scale)
    tiles, hits, nearness = cast_evenly(world, cameras, scenes, film, _FINE)
    places = hits.places.T.reshape(len(scenes), -1, 2)  # (2, b q) -> (b, q, 2)
    low = -shift * scale
    window = torch.cat([low, low + world.corners.new_tensor(size) * scale])
    inside = ((places >= window[:2] - 0.5) & (places < window[2:] - 0.5)).all(2)
    nearness = nearness.view(inside.shape)
    distance = masked_quantiles(1 / nearness.clamp_min(1e-6), inside & (nearness > 0), (0.4,))[:, 0].clamp(0.5, 60)
    blocked = (inside & (nearness > 1 / FREE)).double().sum(1) > 0.002 * inside.sum(1)
    points = hits.points.T.reshape(len(scenes), -1, 4)  # (4, b q) -> (b, q, 4)
    return _Cloud(points, places, inside, distance, blocked, tiles, cameras, window, scale, size)


def _search(world: World, wish: _Wish, cloud: _Cloud, scenes: Tensor) -> tuple[Cameras, Tensor]:
    """The best target for each reference and its misfit (b,)."""
    start = torch.log10(cloud.distance)[:, None] - 1.2, 0.3 * wish.fov[:, None]
    length, angle, guess = _narrow(wish, cloud, *start, (1.0, 0.25, 0.06))
    first, found, misfit = _try(world, wish, cloud, scenes, length, angle)
    good = misfit < _GOOD
    if bool(good.all()):
        return first, misfit
    # The cloud has holes; what a real look at the winner shows tells by how much to aim elsewhere.
    aim = replace(
        wish,
        overlap=wish.overlap + (guess.overlap - found.overlap)[:, 0],
        parallax=wish.parallax * ((guess.parallax + 0.5) / (found.parallax + 0.5))[:, 0],
    )
    length, angle, _ = _narrow(aim, cloud, length, angle, (0.2, 0.05))
    second, _, again = _try(world, wish, cloud, scenes, length, angle)
    # A good first one stays, whatever the rest of the batch needs: samples do not depend on each other.
    better = (again < misfit) & ~good
    which = torch.arange(len(again), device=again.device) + len(again) * better
    return join(first, second)[which], torch.where(better, again, misfit)


def _try(
    world: World, wish: _Wish, cloud: _Cloud, scenes: Tensor, length: Tensor, angle: Tensor
) -> tuple[Cameras, "_Figures", Tensor]:
    """Targets (b) of baselines and turns (b, 1), what they really achieve, and their misfits (b,)."""
    target = wish.targets(10**length, angle)
    figures = _measure(cloud, _look(world, cloud, target, scenes))
    through = crosses_surface(world, scenes, wish.reference.centre, target.centre)
    return target, figures, _misfit(wish, figures)[:, 0] + 100 * through.double()


def crosses_surface(world: World, scenes: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """(b,) whether the straight ways from start to end (b, 3), a little beyond it too, meet a triangle of scenes (b,).

    Moeller & Trumbore 1997, "Fast, minimum storage ray/triangle intersection".
    """
    way = (end - start) + _CLEAR * torch.nn.functional.normalize(end - start, dim=1)
    found = []
    for number, scene in enumerate(scenes.tolist()):
        a, b, c = world.corners[world.scene == scene].unbind(1)
        direction = way[number].expand_as(a)
        p = torch.linalg.cross(direction, c - a)
        scale = 1 / (p * (b - a)).sum(1)
        q = torch.linalg.cross(start[number] - a, b - a)
        u, v = (p * (start[number] - a)).sum(1) * scale, (q * direction).sum(1) * scale
        t = (q * (c - a)).sum(1) * scale
        found.append(((u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1)).any())
    return torch.stack(found)


def _narrow(
    wish: _Wish, cloud: _Cloud, length: Tensor, angle: Tensor, spreads: tuple[float, ...]
) -> tuple[Tensor, Tensor, "_Figures"]:
    """Search finer and finer grids around decimal logarithms of baselines (b, 1) and turns (b, 1)."""
    for spread in spreads:
        steps = _STEPS if spread == 1 else _FINER
        step = torch.linspace(-1, 1, steps, dtype=torch.float64, device=wish.fov.device)
        lengths = (length + 1.1 * spread * step).repeat_interleave(steps, 1)  # (b, steps) -> (b, steps^2)
        angles = (angle + 0.6 * spread * wish.fov[:, None] * step).repeat(1, steps)
        figures = _measure(cloud, _project(cloud, wish.targets(10**lengths, angles)))
        least = _misfit(wish, figures).argmin(1, keepdim=True)
        length, angle = lengths.gather(1, least), angles.gather(1, least)
    return length, angle, figures.of(least)


@dataclass(frozen=True, eq=False)
class _Cells:
    """What k targets of each of b references see, cell by cell (c)."""

    there: Tensor  # (b, k, c, 2) px of the target
    here: Tensor  # (b, k, c, 2) px of the reference's small film
    seen: Tensor  # (b, k, c) seen by both
    nearness: Tensor  # (b, k, c) 1 / m


def _project(cloud: _Cloud, targets: Cameras) -> _Cells:
    """The cloud, nearest points first, on grids of cells of (b k) targets."""
    count, points = cloud.points.shape[:2]
    each = len(targets.rotation) // count
    projection = targets.projection.float().view(count, each, 3, 4)  # (b k, 3, 4) -> (b, k, 3, 4)
    on_film = torch.einsum("bkij,bqj->bkiq", projection, cloud.points.float())
    depth, weight = on_film[:, :, 2], cloud.points[:, None, :, 3].float()
    x, y = (on_film[:, :, axis] / depth.clamp_min(1e-6) for axis in (0, 1))
    width, height = cloud.size
    rows = max(1, round(_CELLS * height / width))
    column, row = ((x + 0.5) * (_CELLS / width)).floor(), ((y + 0.5) * (rows / height)).floor()
    shown = (depth > NEAR * weight) & (column >= 0) & (column < _CELLS) & (row >= 0) & (row < rows)
    cell = torch.where(shown, row * _CELLS + column, _CELLS * rows).long()
    nearness = torch.where(shown, weight / depth.clamp_min(1e-6), -1)
    first = nearness.new_full((count, each, _CELLS * rows + 1), -1).scatter_reduce(2, cell, nearness, "amax")
    number = torch.where(nearness == first.gather(2, cell), torch.arange(points, device=cell.device), -1)
    front = torch.full_like(first, -1, dtype=torch.int64).scatter_reduce(2, cell, number, "amax")[..., :-1]
    known = front.clamp_min(0)
    here = cloud.places[:, None].expand(-1, each, -1, -1).gather(2, known[..., None].expand(-1, -1, -1, 2))
    seen = (front >= 0) & cloud.inside[:, None].expand(-1, each, -1).gather(2, known)
    return _Cells(torch.stack([x.gather(2, known), y.gather(2, known)], 3), here, seen, first[..., :-1])


def _look(world: World, cloud: _Cloud, targets: Cameras, scenes: Tensor) -> _Cells:
    """What rays from one target (b) each really meet."""
    film = _POINTS, max(2, round(_POINTS * cloud.size[1] / cloud.size[0]))
    cameras = targets.moved(torch.zeros_like(targets.centre[:, :2]), cloud.scale)
    _, hits, nearness = cast_evenly(world, cameras, scenes, film, _FINE)
    crossing = cross(hits, cloud.tiles, cloud.cameras, cloud.window.expand(len(scenes), 4))
    shape = len(scenes), 1, -1
    there, here = (places.T.reshape(*shape, 2) for places in (hits.places / cloud.scale, crossing.places))
    return _Cells(there, here, (crossing.seen == Visibility.VISIBLE).view(shape), nearness.view(shape))


@dataclass(frozen=True, eq=False)
class _Figures:
    """What targets achieve, each (b, k)."""

    overlap: Tensor
    parallax: Tensor  # px at 512 px width
    blocked: Tensor  # something is too close before the camera

    def of(self, which: Tensor) -> "_Figures":
        """Those of targets (b, 1)."""
        return _Figures(*(values.gather(1, which) for values in (self.overlap, self.parallax, self.blocked)))


def _measure(cloud: _Cloud, cells: _Cells) -> _Figures:
    count, each = cells.seen.shape[:2]
    there, here = (places.double().flatten(0, 1) for places in (cells.there, cells.here / cloud.scale))
    seen = cells.seen.flatten(0, 1)
    residual = homography_residual(there, here, seen, cloud.size[0])
    parallax = masked_quantiles(residual, seen, (0.5,)).view(count, each)  # (b k, 1) -> (b, k)
    blocked = (cells.nearness > 1 / FREE).double().mean(2) > 0.002
    return _Figures(cells.seen.double().mean(2), parallax, blocked | cloud.blocked[:, None])


def _misfit(wish: _Wish, figures: _Figures) -> Tensor:
    """(b, k) how far targets are from what was asked: 1 is 5 % of overlap or a fifth of parallax."""
    wrong = (figures.overlap - wish.overlap[:, None]).abs() / 0.05
    wrong = wrong + torch.log((figures.parallax + 0.5) / (wish.parallax[:, None].clamp_min(0) + 0.5)).abs() / 0.2
    return wrong + 100 * (figures.blocked | (figures.overlap < 0.05)).double()
