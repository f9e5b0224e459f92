"""Samples as batches of tensors, ready for a training step."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.sample import Geometry, Sample, View
from datasets.storage.encoding import StoredView
from datasets.storage.folder import StoredSample
from datasets.storage.reading import read_samples
from stitching.errors import InputError

_MULTIPLE = 8  # px; sides of the canvas are multiples of it, as networks that halve it ask


@dataclass(frozen=True, eq=False)
class BatchView:
    """One of the two pictures of b samples. Places are px, (0, 0) = centre of the first pixel."""

    picture: Tensor  # (b, 3, h, w) float32 BGR, 0 .. 1, as photographed
    warp: Tensor  # (b, 2, h, w) float32 x, y of every pixel on the plane of the other picture; finite
    mask: Tensor  # (b, h, w) uint8 datasets.sample.Visibility
    geometry: "BatchGeometry | None"  # None where SampleOptions.geometry is off


@dataclass(frozen=True, eq=False)
class BatchGeometry:
    """What b cameras see, at the pixel centres; as datasets.sample.Geometry."""

    depth: Tensor  # (b, h, w) float32 m, sky inf
    normals: Tensor  # (b, 3, h, w) float32 unit, camera frame, sky 0
    surfaces: Tensor  # (b, h, w) int32, sky 0
    kinds: Tensor  # (b, h, w) uint8 datasets.scenes.scene.Kind
    edges: Tensor  # (b, h, w) uint8, 255 or 0


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


def collate(samples: Sequence[Sample], device: str | torch.device = "cpu") -> Batch:
    """Put samples of one size together; hc, wc are their largest canvas, rounded up to multiples of 8."""
    shapes = np.array([sample.stitched_mask.shape for sample in samples])
    height, width = (int(side) for side in -(-shapes.max(axis=0) // _MULTIPLE) * _MULTIPLE)

    def moved(arrays: Sequence[Any], dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(device, dtype)

    def separate(arrays: Sequence[NDArray[np.float32]]) -> list[Tensor]:
        return [torch.tensor(array, device=device) for array in arrays]

    return Batch(
        indices=tuple(sample.index for sample in samples),
        reference=_views([sample.reference for sample in samples], device),
        target=_views([sample.target for sample in samples], device),
        stitched=_pictures([_padded(sample.stitched, height, width) for sample in samples], device),
        stitched_mask=moved([_padded(sample.stitched_mask, height, width) for sample in samples], torch.uint8),
        origins=moved([sample.origin for sample in samples], torch.int64),
        fundamental=moved([sample.facts["fundamental"] for sample in samples], torch.float32),
        segments=separate([sample.segments for sample in samples]),
        segments_visible=separate([sample.segments_visible for sample in samples]),
    )


def read_batches(
    folder: Path, batch_size: int, device: str | torch.device = "cpu", indices: Collection[int] | None = None
) -> Iterator[Batch]:
    """Batches of what `parastitch generate` wrote, all of it or `indices`, in order, once; the last may be smaller.

    Raises InputError where `batch_size` is below 1, and as datasets.storage.reading.read_samples does.
    """
    if batch_size < 1:
        raise InputError(f"batch_size {batch_size}: expected 1 or above")
    samples = map(_as_sample, read_samples(folder, indices))
    while batch := list(islice(samples, batch_size)):
        yield collate(batch, device)


def _as_sample(stored: StoredSample) -> Sample:
    """The pictures as rendered, which no batch holds, are those as photographed."""
    record, arrays = stored.record, stored.arrays

    def view(view: StoredView) -> View:
        return View(view.picture, view.picture, view.warp, view.mask, view.geometry)

    return Sample(
        index=record.index,
        reference=view(arrays.reference),
        target=view(arrays.target),
        stitched=arrays.stitched,
        clean_stitched=arrays.stitched,
        stitched_mask=arrays.stitched_mask,
        origin=record.origin,
        segments=record.segments,
        segments_visible=record.segments_visible,
        facts=record.facts,
    )


def _views(views: Sequence[View], device: str | torch.device) -> BatchView:
    geometries = [view.geometry for view in views if view.geometry is not None]
    return BatchView(
        picture=_pictures([view.picture for view in views], device),
        warp=_channels_first([view.warp for view in views], device),
        mask=torch.from_numpy(np.stack([view.mask for view in views])).to(device),
        geometry=_geometry(geometries, device) if geometries else None,
    )


def _geometry(geometries: Sequence[Geometry], device: str | torch.device) -> BatchGeometry:
    def maps(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(geometry, name) for geometry in geometries])).to(device)

    normals = _channels_first([geometry.normals for geometry in geometries], device)
    return BatchGeometry(maps("depth"), normals, maps("surfaces"), maps("kinds"), maps("edges"))


def _pictures(pictures: Sequence[NDArray[np.uint8]], device: str | torch.device) -> Tensor:
    """(b, 3, h, w) float32 0 .. 1; bytes travel to the device, a quarter of the floats."""
    return _channels_first(pictures, device).float().div_(255)


def _channels_first(arrays: Sequence[NDArray[Any]], device: str | torch.device) -> Tensor:
    """(b, c, h, w) of arrays (h, w, c)."""
    return torch.from_numpy(np.stack(arrays)).to(device).permute(0, 3, 1, 2).contiguous()


def _padded(array: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    padded = np.zeros((height, width, *array.shape[2:]), np.uint8)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded
