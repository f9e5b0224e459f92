"""A public data set as (image, labels) tensors of one size."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datasets.labels import IGNORED, Item, Labels
from datasets.public.layout import Layout
from datasets.public.readers import Map
from stitching.errors import InputError

_LARGEST = 1e18  # distance or component of a normal; its square is a float32, too


class MultiTaskDataset(Dataset[Item]):
    """Pictures with a label map for each of several tasks, all resized to one size and otherwise unchanged.

    Item i is (image, labels): the image (3, h, w) float32 BGR in 0 .. 1, and task -> map as `Labels` says. The image
    is resized by area, maps by their nearest pixel, so that no new values appear; the aspect ratio is not kept.

    Attributes:
        labels: task -> what its maps mean.
    """

    def __init__(self, layout: Layout, folder: Path, split: str, size: tuple[int, int]) -> None:
        """List the items and check that their files exist; nothing is decoded yet.

        Args:
            layout: of the files in `folder`.
            folder: of the data set.
            split: a part of it, such as train, by the name that the data set gives it.
            size: (w, h) px of the items.

        Raises:
            InputError: the split or a file is missing.
        """
        self.labels: Mapping[str, Labels] = layout.labels
        self._layout, self._folder, self._split, self._size = layout, folder, split, size
        self._names = layout.names(folder, split)
        for name in self._names:
            for source in (layout.image, *layout.maps.values()):
                source.find(folder, split, name)

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._names)

    def __getitem__(self, index: int) -> Item:
        """Read an item. Raises InputError where a file is damaged or holds something else than its layout says."""
        if not 0 <= index < len(self):
            raise IndexError(f"item {index}: expected 0 to {len(self) - 1}")
        item = self._folder, self._split, self._names[index]
        path = self._layout.image.find(*item)
        image = self._layout.image.decode(path)
        if image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise InputError(f"{path}: a picture of shape {image.shape}; expected (height, width, 3), 1 px or more")
        labels = {}
        for task, source in self._layout.maps.items():
            path = source.find(*item)
            label_map = source.decode(path)
            _check(label_map, self.labels[task], image.shape[:2], path)
            labels[task] = _resize_map(label_map, self.labels[task], self._size)
        small = cv2.resize(np.asarray(image, np.float32), self._size, interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small.transpose(2, 0, 1).copy()), labels  # (h, w, 3) -> (3, h, w)


def _check(label_map: Map, labels: Labels, size: tuple[int, int], path: Path) -> None:
    """Raise InputError unless a decoded map is what `labels` says; size: (h, w) of the picture."""
    expected = (*size, 3) if labels.kind == "normals" else size
    if label_map.shape != expected:
        raise InputError(f"{path}: a map of shape {label_map.shape}; expected {expected}, the size of the picture")
    if labels.kind in ("classes", "binary"):
        classes = labels.classes if labels.kind == "classes" else 2
        known = (label_map >= 0) & (label_map < classes) & (label_map == np.floor(label_map))
        wrong = label_map[(label_map != IGNORED) & ~known]
        if wrong.size:
            raise InputError(f"{path}: a value that stands for class {wrong[0]}; expected classes 0 to {classes - 1}")
    if labels.kind == "distance" and (farthest := label_map[np.isfinite(label_map)].max(initial=0)) > _LARGEST:
        raise InputError(f"{path}: a distance of {farthest:g}; expected at most {_LARGEST:g}")
    if labels.kind == "normals" and not (np.abs(label_map) <= _LARGEST).all():
        raise InputError(f"{path}: normals that are not finite, or huge; expected numbers, 0 where unknown")


def _resize_map(label_map: Map, labels: Labels, size: tuple[int, int]) -> Tensor:
    """The map at (w, h) = size, as a tensor of the type that `Labels` says."""
    stored: NDArray[np.uint8 | np.float32] = label_map.astype(np.uint8 if labels.kind == "classes" else np.float32)
    small = cv2.resize(stored, size, interpolation=cv2.INTER_NEAREST_EXACT)
    if labels.kind == "classes":
        return torch.from_numpy(small).long()
    if labels.kind == "normals":
        planes = torch.from_numpy(small.transpose(2, 0, 1).copy())  # (h, w, 3) -> (3, h, w)
        return torch.nn.functional.normalize(planes, dim=0)  # 0 stays 0
    return torch.from_numpy(small)
