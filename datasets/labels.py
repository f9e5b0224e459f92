"""Kinds of label maps in multi-task data sets, for generated and public ones alike."""

from dataclasses import dataclass
from typing import Literal

IGNORED = 255  # in maps of classes and binary maps: unknown

LabelKind = Literal["classes", "binary", "distance", "normals"]


@dataclass(frozen=True)
class Labels:
    """The label maps of one task.

    Attributes:
        kind: type and values of a map, and the value that means unknown:
            classes   (h, w) int64, 0 .. classes - 1; IGNORED
            binary    (h, w) float32, 0 or 1; IGNORED
            distance  (h, w) float32, any unit; NaN
            normals   (3, h, w) float32, unit, camera frame, towards the camera; (0, 0, 0)
        classes: how many; 0 for the other kinds.
    """

    kind: LabelKind
    classes: int = 0
