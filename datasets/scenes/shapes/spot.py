"""The local frames in which things are built: a position with an orientation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from datasets.arrays import Doubles
from datasets.scenes.shapes.vectors import turned


@dataclass(frozen=True, eq=False)
class Spot:
    """A local frame: x to the right, y down, z to the back of the thing that is built in it."""

    at: Doubles  # (3,) m
    frame: Doubles  # (3, 3) local -> world

    @staticmethod
    def facing(at: ArrayLike, yaw: float) -> "Spot":
        """At a world position (3,), turned about the vertical by `yaw` radians."""
        return Spot(np.asarray(at, np.float64), turned(yaw))

    def world(self, points: ArrayLike) -> Doubles:
        """World points (..., 3) of local ones."""
        return np.asarray(points, np.float64) @ self.frame.T + self.at


WORLD = Spot(np.zeros(3), np.eye(3))  # the world's own frame
