"""The order in which a training takes its examples. It depends on the seed and the step alone, so runs can resume."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from apps.training.options import TrainOptions


def photo_steps_before(step: int, options: TrainOptions) -> int:
    """How many steps before `step` train on --pairs: every second one."""
    return 0 if options.pairs is None else step // 2


def taken_before(position: int, share: float) -> int:
    """How many of the positions 0 .. position - 1 belong to an evenly spread share of all positions."""
    return int(share * position + 1e-9)


@dataclass(frozen=True)
class EpochOrder:
    """All indices again and again, in a new order in each epoch: an endless sequence."""

    indices: tuple[int, ...]
    seed: int

    def __getitem__(self, position: int) -> int:
        """The index at a position from 0 on."""
        epoch, place = divmod(position, len(self.indices))
        return int(_permuted(self, epoch)[place])


@lru_cache(maxsize=4)
def _permuted(order: EpochOrder, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((order.seed, epoch)).permutation(np.array(order.indices, np.int64))
