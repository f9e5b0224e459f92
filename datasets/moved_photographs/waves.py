"""Smooth deformations of the plane with an exact inverse: plane waves, one after the other."""

from dataclasses import dataclass

import torch
from torch import Tensor

STEEPEST = 0.5  # at most that much may a wave stretch or compress, so that nothing folds
_HALLEY_STEPS = 2  # leave an error below 1e-7 radians at that steepness


@dataclass(frozen=True, eq=False)
class Waves:
    """n plane waves of b pairs: wave i moves a point p by displacement_i sin(frequency_i . p + phase_i)."""

    displacement: Tensor  # (b, n, 2) px
    frequency: Tensor  # (b, n, 2) radians a px; |displacement . frequency| <= STEEPEST
    phase: Tensor  # (b, n)


def deform(waves: Waves, points: Tensor) -> Tensor:
    """Points (b, 2, h, w) px after all waves, the first one first."""
    for displacement, frequency, phase in _each(waves):
        points = points + displacement * torch.sin(_angle(points, frequency, phase))[:, None]
    return points


def undeform(waves: Waves, points: Tensor) -> Tensor:
    """The inverse of `deform`.

    A wave changes the angle a = frequency . p + phase to a + c sin a, c = frequency . displacement: Kepler's
    equation, which Halley's method solves.
    """
    for displacement, frequency, phase in reversed(_each(waves)):
        moved = _angle(points, frequency, phase)
        slope = (displacement * frequency).sum(1)  # (b, 1, 1)
        angle = moved
        for _ in range(_HALLEY_STEPS):
            bend = slope * torch.sin(angle)
            error, change = angle + bend - moved, 1 + slope * torch.cos(angle)
            angle = angle - error * change / (change.square() + error * bend / 2)
        points = points - displacement * torch.sin(angle)[:, None]
    return points


def _each(waves: Waves) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Displacement (b, 2, 1, 1), frequency (b, 2, 1, 1) and phase (b, 1, 1) of every wave."""
    return [
        (waves.displacement[:, i, :, None, None], waves.frequency[:, i, :, None, None], waves.phase[:, i, None, None])
        for i in range(waves.phase.shape[1])
    ]


def _angle(points: Tensor, frequency: Tensor, phase: Tensor) -> Tensor:
    """(b, h, w) radians."""
    return points[:, 0] * frequency[:, 0] + points[:, 1] * frequency[:, 1] + phase
