"""Pairs with exact truth as tensors on one device: the common form of what the renderer, a data set or moved
photographs give, and of what a lesson turns into training examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.sample import Sample, View

_MULTIPLE = 8  # px; sides of the canvas are multiples of it


@dataclass(frozen=True, eq=False)
class PairView:
    """One of the two pictures of b pairs. Points are px; (0, 0) is the centre of the first pixel."""

    picture: Tensor  # (b, 3, h, w) float32 BGR, 0 .. 1
    warp: Tensor  # (b, 2, h, w) float32 x, y of every pixel on the plane of the other picture; finite
    mask: Tensor  # (b, h, w) uint8 datasets.sample.Visibility


@dataclass(frozen=True, eq=False)
class PairBatch:
    """b pairs of pictures of one size with their ground truth, all tensors on one device."""

    indices: tuple[int, ...]  # of the samples in their source
    reference: PairView  # its warp goes to the target's plane
    target: PairView  # its warp goes to the reference's plane
    stitched: Tensor  # (b, 3, hc, wc) float32 BGR, 0 .. 1, in the reference's tone; black right of and below a canvas
    stitched_mask: Tensor  # (b, hc, wc) uint8, bit 1: in the reference picture, bit 2: seen by the target; 0 around
    origins: Tensor  # (b, 2) int64, reference pixel (x, y) at canvas (0, 0)
    fundamental: Tensor  # (b, 3, 3) float32, x_reference^T F x_target = 0; all zeros: there is none
    segments: Tensor  # (k, 2, 2, 2) float32 straight edges, as datasets.sample.Sample.segments
    owner: Tensor  # (k,) int64: the pair that a segment belongs to


def collate(samples: Sequence[Sample], device: str | torch.device = "cpu") -> PairBatch:
    """Put samples of one size together; hc, wc are their largest canvas, rounded up to multiples of 8."""
    shapes = np.array([sample.stitched_mask.shape for sample in samples])
    height, width = (int(side) for side in -(-shapes.max(axis=0) // _MULTIPLE) * _MULTIPLE)
    counts = torch.tensor([len(sample.segments) for sample in samples])

    def stacked(arrays: Sequence[Any], dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(device, dtype)

    return PairBatch(
        indices=tuple(sample.index for sample in samples),
        reference=_views([sample.reference for sample in samples], device),
        target=_views([sample.target for sample in samples], device),
        stitched=_pictures([_padded(sample.stitched, height, width) for sample in samples], device),
        stitched_mask=stacked([_padded(sample.stitched_mask, height, width) for sample in samples], torch.uint8),
        origins=stacked([sample.origin for sample in samples], torch.int64),
        fundamental=stacked([sample.facts["fundamental"] for sample in samples], torch.float32),
        segments=torch.from_numpy(np.concatenate([sample.segments for sample in samples])).to(device),
        owner=torch.repeat_interleave(counts).to(device),
    )


def _views(views: Sequence[View], device: str | torch.device) -> PairView:
    return PairView(
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
