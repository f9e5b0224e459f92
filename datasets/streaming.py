"""Batches of samples straight from the renderer, without a disk: what keeps a GPU busy."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.engines import job_error, run_local, usable_cores
from datasets.options import SampleOptions
from datasets.sample import Sample, View
from datasets.sample_renderer import open_renderer
from stitching.errors import require

_MULTIPLE = 8  # px; sides of the canvas are multiples of it, as networks that halve it need


@dataclass(frozen=True, eq=False)
class BatchView:
    """One of the two pictures of b samples. Points are px; (0, 0) is the centre of the first pixel."""

    picture: Tensor  # (b, 3, h, w) float32 BGR, 0 .. 1, as photographed
    warp: Tensor  # (b, 2, h, w) float32 x, y of every pixel on the plane of the other picture; finite
    mask: Tensor  # (b, h, w) uint8 datasets.sample.Visibility


@dataclass(frozen=True, eq=False)
class Batch:
    """b samples with their ground truth, all tensors on one device."""

    indices: tuple[int, ...]  # of the samples
    reference: BatchView  # its warp goes to the target's plane
    target: BatchView  # its warp goes to the reference's plane
    stitched: Tensor  # (b, 3, hc, wc) float32 BGR, 0 .. 1, in the reference's tone; black right of and below a canvas
    stitched_mask: Tensor  # (b, hc, wc) uint8, bit 1: in the reference picture, bit 2: seen by the target; 0 around
    origins: Tensor  # (b, 2) int64, reference pixel (x, y) at canvas (0, 0)
    fundamental: Tensor  # (b, 3, 3) float32, x_reference^T F x_target = 0
    segments: list[Tensor]  # (m, 2, 2, 2) float32 each, as datasets.sample.Sample.segments
    segments_visible: list[Tensor]  # (m, 2) float32 each, 0 .. 1


def stream(
    options: SampleOptions,
    seed: int,
    batch_size: int,
    device: str = "cpu",
    first: int = 0,
    workers: int | None = None,
) -> Iterator[Batch]:
    """Batches without end; batch k holds the samples first + k batch_size, ... of `parastitch generate`.

    So `first` = k * batch_size continues a run that stopped after k batches, whatever `workers` is. This process
    renders whole batches on the device; workers build the scenes ahead; photometry runs on the CPU of this process.
    Workers end when the iterator is closed or dropped, and when this process ends. Scripts with workers need
    `if __name__ == "__main__"`, as workers import them.

    Args:
        options: what the samples are like.
        seed: another one gives other samples; in distributed training each process takes its own.
        batch_size: samples in a batch.
        device: where to render, and where the tensors will be: cpu, cuda, cuda:1.
        first: index of the first sample.
        workers: processes; None: one less than usable cores; 0: this process builds the scenes too.

    Raises:
        InputError: a number is impossible; from the first batch on: textures, mesh or device cannot be used.
        JobError: from the iterator: a sample cannot be made; names its index.
    """
    workers = usable_cores() - 1 if workers is None else workers
    require(seed >= 0, f"seed {seed}", "0 or above")
    require(batch_size >= 1, f"batch_size {batch_size}", "1 or above")
    require(first >= 0, f"first {first}", "0 or above")
    require(workers >= 0, f"workers {workers}", "0 or above")
    return _render_batches(options, seed, batch_size, device, first, workers)


def _render_batches(
    options: SampleOptions, seed: int, batch_size: int, device: str, first: int, workers: int
) -> Iterator[Batch]:
    renderer = open_renderer(options, seed, device)
    with closing(run_local(renderer.sample_scene, count(first), workers)) as scenes:
        while True:
            chosen = list(islice(scenes, batch_size))
            try:
                batch = collate(renderer.render(chosen), device)
            except Exception as error:
                raise job_error(f"samples {chosen[0].index} to {chosen[-1].index}", error) from error
            yield batch


def collate(samples: Sequence[Sample], device: str | torch.device = "cpu") -> Batch:
    """Put samples of one size together; hc, wc are their largest canvas, rounded up to multiples of 8."""
    shapes = np.array([sample.stitched_mask.shape for sample in samples])
    height, width = (int(side) for side in -(-shapes.max(axis=0) // _MULTIPLE) * _MULTIPLE)

    def stacked(arrays: Sequence[Any], dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(device, dtype)

    def separate(arrays: Sequence[NDArray[np.float32]]) -> list[Tensor]:
        return [torch.tensor(array, device=device) for array in arrays]

    return Batch(
        indices=tuple(sample.index for sample in samples),
        reference=_views([sample.reference for sample in samples], device),
        target=_views([sample.target for sample in samples], device),
        stitched=_pictures([_padded(sample.stitched, height, width) for sample in samples], device),
        stitched_mask=stacked([_padded(sample.stitched_mask, height, width) for sample in samples], torch.uint8),
        origins=stacked([sample.origin for sample in samples], torch.int64),
        fundamental=stacked([sample.facts["fundamental"] for sample in samples], torch.float32),
        segments=separate([sample.segments for sample in samples]),
        segments_visible=separate([sample.segments_visible for sample in samples]),
    )


def _views(views: Sequence[View], device: str | torch.device) -> BatchView:
    return BatchView(
        picture=_pictures([view.picture for view in views], device),
        warp=_channels_first([view.warp for view in views], device),
        mask=torch.from_numpy(np.stack([view.mask for view in views])).to(device),
    )


def _pictures(pictures: Sequence[NDArray[np.uint8]], device: str | torch.device) -> Tensor:
    """(b, 3, h, w) float32 0 .. 1; bytes travel to the device, a quarter of the floats."""
    return _channels_first(pictures, device).float().div_(255)


def _channels_first(arrays: Sequence[NDArray[Any]], device: str | torch.device) -> Tensor:
    stacked = torch.from_numpy(np.stack(arrays)).to(device)
    return stacked.permute(0, 3, 1, 2).contiguous()  # (b, h, w, c) -> (b, c, h, w)


def _padded(array: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    padded = np.zeros((height, width, *array.shape[2:]), np.uint8)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded
