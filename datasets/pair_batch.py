"""Pairs with exact truth as tensors on one device: the common form of what the renderer, a data set or moved
photographs give, and of what a lesson turns into training examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.arrays import Doubles, Floats, Pixels
from stitching.geometry.pixel_maps import Size

_MULTIPLE = 8  # px; sides of the canvas are multiples of it


@dataclass(frozen=True, eq=False)
class PairBatch:
    """b pairs of pictures of one size with their ground truth, all tensors on one device.

    A batch of a single photographed pair may hold a reference of another size than its target.

    Points are px; (0, 0) is the centre of the first pixel.
    """

    indices: tuple[int, ...]  # of the samples in their source
    reference: Tensor  # (b, 3, h, w) float32 BGR, 0 .. 1
    target: Tensor  # (b, 3, h, w)
    warp: Tensor  # (b, 2, h, w) float32 x, y of every target pixel on the reference's plane; finite
    mask: Tensor  # (b, h, w) uint8 datasets.sample.Visibility of the target's pixels
    stitched: Tensor  # (b, 3, hc, wc) float32 BGR, 0 .. 1, in the reference's tone; black right of and below a canvas
    stitched_known: Tensor  # (b, hc, wc) bool, on the canvas
    origins: Tensor  # (b, 2) int64, reference pixel (x, y) at canvas (0, 0)
    fundamental: Tensor  # (b, 3, 3) float32, x_reference^T F x_target = 0; all zeros: there is none
    segments: Tensor  # (k, 2, 2, 2) float32 straight edges, as datasets.sample.Sample.segments
    owner: Tensor  # (k,) int64: the pair that a segment belongs to


@dataclass(frozen=True, eq=False)
class PairArrays:
    """One pair with its ground truth as arrays, as processes send it: an eighth of what its tensors need."""

    index: int
    pictures: tuple[Pixels, Pixels]  # reference, target: (h, w, 3) BGR
    warp: Floats  # (h, w, 2) px, of the target
    mask: Pixels  # (h, w) Visibility of the target
    stitched: Pixels  # (hc, wc, 3) BGR
    origin: tuple[int, int]
    fundamental: Doubles  # (3, 3)
    segments: Floats  # (k, 2, 2, 2)


def collate(pairs: Sequence[PairArrays], device: str | torch.device = "cpu") -> PairBatch:
    """Put pairs of one size together; hc, wc are their largest canvas, rounded up to multiples of 8."""
    width, height = canvas_size([(pair.stitched.shape[1], pair.stitched.shape[0]) for pair in pairs])
    counts = torch.tensor([len(pair.segments) for pair in pairs])

    def stacked(arrays: Sequence[Any], dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(device, dtype)

    return PairBatch(
        indices=tuple(pair.index for pair in pairs),
        reference=_pictures([pair.pictures[0] for pair in pairs], device),
        target=_pictures([pair.pictures[1] for pair in pairs], device),
        warp=_channels_first([pair.warp for pair in pairs], device),
        mask=stacked([pair.mask for pair in pairs], torch.uint8),
        stitched=_pictures([_padded(pair.stitched, height, width) for pair in pairs], device),
        stitched_known=stacked([_padded(_all_of(pair.stitched), height, width) for pair in pairs], torch.bool),
        origins=stacked([pair.origin for pair in pairs], torch.int64),
        fundamental=stacked([pair.fundamental for pair in pairs], torch.float32),
        segments=torch.from_numpy(np.concatenate([pair.segments for pair in pairs])).to(device),
        owner=torch.repeat_interleave(counts).to(device),
    )


def canvas_size(sizes: Sequence[Size]) -> Size:
    """(width, height) that holds canvases of these sizes, multiples of 8."""
    width, height = np.max(sizes, axis=0).tolist()
    return -(-width // _MULTIPLE) * _MULTIPLE, -(-height // _MULTIPLE) * _MULTIPLE


def select_pair(pairs: PairBatch, number: int) -> PairBatch:
    """A batch of one pair, not a copy."""
    part = slice(number, number + 1)
    own = pairs.owner == number
    return PairBatch(
        indices=pairs.indices[part],
        reference=pairs.reference[part],
        target=pairs.target[part],
        warp=pairs.warp[part],
        mask=pairs.mask[part],
        stitched=pairs.stitched[part],
        stitched_known=pairs.stitched_known[part],
        origins=pairs.origins[part],
        fundamental=pairs.fundamental[part],
        segments=pairs.segments[own],
        owner=torch.zeros_like(pairs.owner[own]),
    )


def _pictures(pictures: Sequence[NDArray[np.uint8]], device: str | torch.device) -> Tensor:
    """(b, 3, h, w) float32 0 .. 1; bytes travel to the device, a quarter of the floats."""
    return _channels_first(pictures, device).float().div_(255)


def _channels_first(arrays: Sequence[NDArray[Any]], device: str | torch.device) -> Tensor:
    stacked = torch.from_numpy(np.stack(arrays)).to(device)
    return stacked.permute(0, 3, 1, 2).contiguous()  # (b, h, w, c) -> (b, c, h, w)


def _all_of(picture: Pixels) -> Pixels:
    """(h, w) ones."""
    return np.ones(picture.shape[:2], np.uint8)


def _padded(array: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    padded = np.zeros((height, width, *array.shape[2:]), np.uint8)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded
