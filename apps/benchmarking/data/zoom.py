"""Augmentation by scale: a part of each picture enlarged, or the whole of it made smaller."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from apps.benchmarking.data.array_dataset import LabelledBatch
from datasets.labels import IGNORED, LabelKind, Labels

_UNKNOWN: Mapping[LabelKind, float] = {
    "classes": IGNORED, "binary": IGNORED, "distance": float("nan"), "normals": 0.0,
}  # fmt: skip


def zoom(batch: LabelledBatch, labels: Mapping[str, Labels], factors: Tensor, places: Tensor) -> LabelledBatch:
    """The batch at other scales, of the same size in px; what is outside of the pictures is black and unknown.

    Distances are divided by the factor: a longer lens shows what is as large from further away.

    Args:
        batch: some examples.
        labels: by task, what its maps mean: classes, binary maps, distances or normals.
        factors: (b,) > 0; above 1 pictures are enlarged.
        places: (b, 2) x and y, -1 to 1: where the part that is seen is, or where the whole picture then is.
    """
    scales = 1 / factors
    shifts = places * (1 - scales).abs()[:, None]
    transforms = torch.zeros(len(factors), 2, 3, device=batch.images.device)
    transforms[:, 0, 0] = transforms[:, 1, 1] = scales
    transforms[:, :, 2] = shifts
    grid = functional.affine_grid(transforms, list(batch.images.shape), align_corners=False)
    outside = (grid.abs() > 1).any(-1)
    images = functional.grid_sample(batch.images, grid, padding_mode="border", align_corners=False)
    images = images.masked_fill(outside[:, None], 0.0)
    maps = {
        task: _zoom_map(values, labels[task], grid, outside, factors[:, None, None])
        for task, values in batch.labels.items()
    }
    return LabelledBatch(batch.sample_ids, images, maps)


def _zoom_map(maps: Tensor, meaning: Labels, grid: Tensor, outside: Tensor, factors: Tensor) -> Tensor:
    """Nearest pixels, so that no new values arise."""
    planes = maps.float() if maps.ndim == 4 else maps.float()[:, None]  # (b, h, w) -> (b, 1, h, w)
    planes = functional.grid_sample(planes, grid, mode="nearest", padding_mode="border", align_corners=False)
    planes = planes.masked_fill(outside[:, None], _UNKNOWN[meaning.kind])
    zoomed = planes if maps.ndim == 4 else planes[:, 0]  # (b, 1, h, w) -> (b, h, w)
    return (zoomed / factors if meaning.kind == "distance" else zoomed).to(maps.dtype)


def random_zoom(
    batch: LabelledBatch, labels: Mapping[str, Labels], limits: tuple[float, float], random: np.random.Generator
) -> LabelledBatch:
    """`zoom` with a random factor between the limits and a random place for each example."""
    count, device = len(batch.sample_ids), batch.images.device
    factors = torch.from_numpy(random.uniform(*limits, count)).float().to(device)
    places = torch.from_numpy(random.uniform(-1, 1, (count, 2))).float().to(device)
    return zoom(batch, labels, factors, places)
