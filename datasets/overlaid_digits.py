"""Overlaid digits: up to four handwritten digits on one canvas, each a task; they hide each other."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from datasets.labels import Item, Labels, draw_donors
from stitching.errors import require

SIDE = 8  # px, of a digit
PARTS = {"train": 1000, "validation": 297, "test": 500}  # source digits of each, 1797 in all
CORNERS = 4  # digit k (from 0) is down where k & 2, right where k & 1
DIGIT_TASKS = tuple(f"digit-{k + 1}" for k in range(CORNERS))
NUMBER_TASKS = tuple(f"number-{k + 1}" for k in range(CORNERS))
LABELS: Mapping[str, Labels] = MappingProxyType(
    {task: Labels("category", 10) for task in DIGIT_TASKS} | {task: Labels("number") for task in NUMBER_TASKS}
)

_SPLIT_SEED = 0x646967  # of the choice of source digits, the same for all sets
_LEVELS = 16  # of grey in the source, 0 to 16


class OverlaidDigits(Dataset[Item]):
    """A set of pictures of any size: each has four digits, in the corners up-left, up-right, down-left, down-right.

    MultiMNIST (Sabour, Frosst & Hinton 2017; Sener & Koltun 2018) with the 8 x 8 px digits of scikit-learn (Alpaydin
    & Kaynak 1998). Where digits overlap the brighter one is seen, as strokes on one sheet would be. On a canvas of
    16 x 16 px they do not overlap, on one of 8 x 8 px completely. No source digit is in two parts.

    Item i is (image, labels): the image (3, h, w) float32 in 0 .. 1, three times the same grey, and the labels

        "digit-1" ... "digit-4"    () int64, the digit in the corner, 0 .. 9
        "number-1" ... "number-4"  () float32, the same as a number
    """

    def __init__(
        self,
        part: str,
        count: int,
        size: tuple[int, int],
        seed: int,
        corrupt: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Choose the digits of every item; item i depends on part, seed and i alone.

        Args:
            part: "train", "validation" or "test": which source digits are used.
            count: items.
            size: (width, height) of the canvas, px; 8 to 16 each.
            seed: another one gives other pictures.
            corrupt: task -> share of the items that get a wrong label for it, see datasets.labels.draw_donors.

        Raises:
            InputError: a number, part, task or share is impossible.
        """
        require(part in PARTS, f"part {part}", f"one of {', '.join(PARTS)}")
        require(count >= 1, f"count {count}", "1 or above")
        require(all(SIDE <= side <= 2 * SIDE for side in size), f"size {size[0]} {size[1]}", f"{SIDE} to {2 * SIDE}")
        require(seed >= 0, f"seed {seed}", "0 or above")
        unknown = set(corrupt) - set(LABELS)
        require(not unknown, f"corrupt {', '.join(sorted(unknown))}", f"tasks of {', '.join(LABELS)}")
        self._count, self._size = count, size
        self._pictures, values, sources = _load_part(part)
        part_number = tuple(PARTS).index(part)
        draws = [np.random.default_rng([seed, part_number, index]) for index in range(count)]
        self.sources = np.stack([rng.choice(sources, CORNERS) for rng in draws])  # (count, 4), indices in load_digits
        self._truth = {task: values[self.sources[:, int(task[-1]) - 1]] for task in LABELS}  # by task, (count,)
        self._labels = {
            task: self._truth[task][draw_donors(task, corrupt.get(task, 0.0), count, (seed, number))]
            for number, task in enumerate(LABELS)
        }

    def __len__(self) -> int:
        """How many items there are."""
        return self._count

    def __getitem__(self, index: int) -> Item:
        """Overlay the digits of an item."""
        if not 0 <= index < self._count:
            raise IndexError(f"item {index}: expected 0 to {self._count - 1}")
        w, h = self._size
        canvas = np.zeros((h, w), np.float32)
        for k, source in enumerate(self.sources[index]):
            top, left = (h - SIDE) * (k // 2), (w - SIDE) * (k % 2)
            corner = canvas[top : top + SIDE, left : left + SIDE]
            np.maximum(corner, self._pictures[source], out=corner)
        image = torch.from_numpy(canvas).expand(3, h, w).clone()
        digits = {task: torch.tensor(int(self._labels[task][index])) for task in DIGIT_TASKS}
        numbers = {task: torch.tensor(float(self._labels[task][index])) for task in NUMBER_TASKS}
        return image, digits | numbers

    def corrupted(self, task: str) -> NDArray[np.bool_]:
        """(count,) True for the items with a wrong label for the task: one tenth of the exchanged ones are right."""
        return np.asarray(self._labels[task] != self._truth[task])


def _load_part(part: str) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """All source pictures (n, 8, 8) in 0 .. 1 and their values (n,), and the indices of those of a part."""
    from sklearn.datasets import load_digits

    source = load_digits()
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(source.images))
    ends = np.cumsum(list(PARTS.values()))
    end = int(ends[tuple(PARTS).index(part)])
    return (source.images / _LEVELS).astype(np.float32), source.target, order[end - PARTS[part] : end]
