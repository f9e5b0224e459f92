"""A position with an orientation: the local frame in which a thing is built."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from datasets.scenes.scene import Doubles
from datasets.scenes.shapes.vectors import turned


@dataclass(frozen=True, eq=False)
class Spot:
    """A place to put things: its local x is to the right, y down, z to the back."""

    at: Doubles  # (3,) m
    frame: Doubles  # (3, 3) local -> world

    @staticmethod
    def facing(at: ArrayLike, yaw: float) -> "Spot":
        """At a world place, turned about the vertical."""
        return Spot(np.asarray(at, np.float64), turned(yaw))

    def world(self, places: ArrayLike) -> Doubles:
        """World places (..., 3) of local ones."""
        return np.asarray(places, np.float64) @ self.frame.T + self.at


WORLD = Spot(np.zeros(3), np.eye(3))  # the world's own frame
