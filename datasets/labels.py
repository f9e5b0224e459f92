"""Items and label maps of multi-task data sets, generated and public ones alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray
from torch import Tensor

IGNORED = 255  # in maps of classes and binary maps: unknown

LabelKind = Literal["classes", "binary", "distance", "normals", "colour", "motion", "category", "number"]
Item = tuple[Tensor, Mapping[str, Tensor]]  # image (3, h, w) float32 BGR in 0 .. 1; task -> label map, see Labels
Arrays = Mapping[str, NDArray[Any]]  # "image" and tasks, in the smallest types that hold them


@dataclass(frozen=True)
class Labels:
    """The label maps of one task.

    Attributes:
        kind: type and values of a map, and the value that means unknown:
            classes   (h, w) int64, 0 .. classes - 1; IGNORED
            binary    (h, w) float32, 0 or 1; IGNORED
            distance  (h, w) float32, any unit; NaN
            normals   (3, h, w) float32, unit, camera frame, towards the camera; (0, 0, 0)
            colour    (3, h, w) float32 BGR in 0 .. 1; NaN
            motion    (2, h, w) float32, (x, y) to where the point is in the other picture, px; NaN
            category  () int64, of the whole picture, 0 .. classes - 1; IGNORED
            number    () float32, of the whole picture, any unit; NaN
        classes: how many, of classes and categories; 0 for the other kinds.
    """

    kind: LabelKind
    classes: int = 0
