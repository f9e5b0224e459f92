"""What the label maps of a multi-task data set mean, the same for generated and public ones."""

from dataclasses import dataclass
from typing import Literal

IGNORED = 255  # in maps of classes and binary maps: nobody knows

Kind = Literal["classes", "binary", "distance", "normals"]


@dataclass(frozen=True)
class Labels:
    """The label maps of one task.

    Attributes:
        kind: what a map holds, with what stands for "nobody knows":
            classes   (h, w) int64, 0 .. classes - 1; IGNORED
            binary    (h, w) float32, 0 or 1; IGNORED
            distance  (h, w) float32, any unit; NaN
            normals   (3, h, w) float32, unit, camera frame, towards the camera; (0, 0, 0)
        classes: how many; 0 for the other kinds.
    """

    kind: Kind
    classes: int = 0
