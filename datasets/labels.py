"""Items and labels of multi-task data sets, generated and public ones alike; labels that are wrong on purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stitching.errors import require

IGNORED = 255  # in maps of classes and binary maps: unknown
_WRONG_SEED = 0x6D746C  # of the choice of wrong labels; gives other random numbers than the items get

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

    @property
    def whole_picture(self) -> bool:
        """One label for the whole picture, no map."""
        return self.kind in ("category", "number")


def draw_donors(task: str, share: float, count: int, seeds: Sequence[int]) -> NDArray[np.int64]:
    """(count,) the item whose label each item gets: its own, or that of the next wrong item.

    Wrong items exchange their labels, so the set of labels stays the same.

    Args:
        task: for messages.
        share: of the items that get another one's label.
        count: items.
        seeds: of the choice.

    Raises:
        InputError: the share is impossible.
    """
    wrong = round(share * count) if 0 <= share <= 1 else -1
    possible = share == 0 or wrong >= 2
    require(possible, f"corrupt {task} {share}", f"0, or a share up to 1 of {count} that is 2 or more")
    donors = np.arange(count)
    chosen = np.random.default_rng([_WRONG_SEED, *seeds]).permutation(count)[:wrong]
    donors[chosen] = np.roll(chosen, 1)
    return donors
