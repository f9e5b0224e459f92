"""What a sample requests of its two cameras, drawn before anything is rendered."""

from dataclasses import dataclass

import numpy as np

from datasets.arrays import Doubles
from datasets.options import SampleOptions
from datasets.scenes.scene import Standpoint

ATTEMPTS = 4  # standpoints and directions that a request holds


@dataclass(frozen=True, eq=False)
class CameraRequest:
    """What a sample requests of its cameras.

    All attempts are drawn in advance, so that a sample does not depend on how many attempts others need.
    """

    overlap: float  # share of the target's pixels that the reference sees
    parallax: float  # median residual of the best homography, px at 512 px width
    fov: float  # horizontal field of view, degrees
    roll: float  # of the target against the reference, degrees
    eyes: Doubles  # (attempts, 3) the reference's position, m
    aims: Doubles  # (attempts, 3) the point that it looks at, m
    directions: Doubles  # (attempts, 3) of the baseline, unit, reference camera's frame
    turns: Doubles  # (attempts,) radians: towards which side of the picture the target turns, 0 right, pi / 2 down


def draw_request(options: SampleOptions, standpoint: Standpoint, rng: np.random.Generator) -> CameraRequest:
    """Draw a request; each figure is uniformly distributed over its range."""
    overlap, parallax, fov, roll = (
        float(rng.uniform(*getattr(options, name))) for name in ("overlap", "parallax", "fov", "roll")
    )
    eyes, aims = (
        rng.uniform(box[0].astype(np.float64), box[1].astype(np.float64), (ATTEMPTS, 3))
        for box in (standpoint.eye, standpoint.look_at)
    )
    directions = rng.normal(size=(ATTEMPTS, 3)) * options.baseline
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # Mostly towards the side to which the camera moves, as people and vehicles do.
    turns = rng.normal(0, 0.5, ATTEMPTS) + np.where(directions[:, 0] * rng.uniform(-0.3, 1, ATTEMPTS) < 0, np.pi, 0)
    return CameraRequest(overlap, parallax, fov, roll, eyes, aims, directions, turns)
