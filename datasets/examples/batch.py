"""Training examples as batches of tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.examples.example import Example
from datasets.examples.windows import WindowTruth
from datasets.sample import Visibility


@dataclass(frozen=True, eq=False)
class ExampleBatch:
    """b examples as tensors; names as in Example and WindowTruth."""

    reference: Tensor  # (b, 3, h, w) BGR, 0 .. 1
    target: Tensor  # (b, 3, h, w)
    reference_valid: Tensor  # (b, 1, h, w) 0 or 1
    target_valid: Tensor  # (b, 1, h, w)
    start: Tensor  # (b, 2, h, w) px
    trusted: Tensor  # (b, 1, h, w)
    truth: "BatchTruth | None"
    sample_ids: Tensor | None  # (b,) int64, indices of the samples in their data set


@dataclass(frozen=True, eq=False)
class BatchTruth:
    """The ground truth of b examples."""

    residual: Tensor  # (b, 2, h, w) px
    visible: Tensor  # (b, 1, h, w) 0 or 1: the reference sees the pixel (OV)
    occluded: Tensor  # (b, 1, h, w)
    outside: Tensor  # (b, 1, h, w) NOV with a known residual
    stitched: Tensor  # (b, 3, h, w) BGR, 0 .. 1
    stitched_known: Tensor  # (b, 1, h, w) inside the canvas of `stitched`
    fundamental: Tensor  # (b, 3, 3)
    segments: Tensor  # (k, 2, 2)
    owner: Tensor  # (k,) int64: the example that a segment belongs to


def join_examples(batches: Sequence[ExampleBatch]) -> ExampleBatch:
    """One batch of the examples with truth of several batches, which have windows of one size."""
    first, *others = batches
    if not others:
        return first
    truths = [batch.truth for batch in batches if batch.truth is not None]
    starts = np.cumsum([0, *(len(batch.reference) for batch in batches)]).tolist()
    owners = [truth.owner + start for truth, start in zip(truths, starts, strict=False)]
    truth = replace(_joined(truths), owner=torch.cat(owners))
    joined: ExampleBatch = replace(_joined(batches), truth=truth)
    return joined


def _joined(parts: Sequence[Any]) -> Any:
    """The first of the parts with all its tensors followed by those of the others."""
    tensors = [field.name for field in fields(parts[0]) if isinstance(getattr(parts[0], field.name), Tensor)]
    return replace(parts[0], **{name: torch.cat([getattr(part, name) for part in parts]) for name in tensors})


def map_tensors(batch: Any, change: Callable[[Any], Any]) -> Any:
    """A batch with its tensors, or what took their place, changed: to arrays, which are sent to other processes."""
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{f.name: map_tensors(getattr(batch, f.name), change) for f in fields(batch)})
    return None if batch is None else change(batch)


def collate_examples(
    examples: Sequence[Example], device: str | torch.device = "cpu", sample_ids: Sequence[int] | None = None
) -> ExampleBatch:
    """Stack examples of one size to a batch on `device`. Raises ValueError where only some have a truth."""

    def planes(arrays: Sequence[NDArray[Any]]) -> Tensor:
        """(b, c, h, w) float32 of arrays (h, w, c) or (h, w); uint8 0 .. 255 becomes 0 .. 1, on the device."""
        stacked = torch.from_numpy(np.stack(arrays)).to(device)
        stacked = stacked.permute(0, 3, 1, 2) if stacked.ndim == 4 else stacked[:, None]  # to (b, c, h, w)
        return stacked.float().contiguous() / (255 if stacked.dtype == torch.uint8 else 1)

    pictures = {
        part.name: planes([getattr(example, part.name) for example in examples])
        for part in fields(ExampleBatch) if part.name not in ("truth", "sample_ids")
    }  # fmt: skip
    truths = [example.truth for example in examples if example.truth is not None]
    if len(truths) not in (0, len(examples)):
        raise ValueError(f"{len(truths)} of {len(examples)} examples have a truth; expected all or none")
    truth = _collate_truths(truths, planes, device) if truths else None
    ids = None if sample_ids is None else torch.tensor(sample_ids, dtype=torch.int64, device=device)
    return ExampleBatch(**pictures, truth=truth, sample_ids=ids)


def _collate_truths(truths: Sequence[WindowTruth], planes: Any, device: str | torch.device) -> BatchTruth:
    def mask(code: Visibility) -> Tensor:
        masks: Tensor = planes([truth.codes == code for truth in truths])
        return masks

    counts = torch.tensor([len(truth.segments) for truth in truths])
    return BatchTruth(
        residual=planes([truth.residual for truth in truths]),
        visible=mask(Visibility.VISIBLE), occluded=mask(Visibility.OCCLUDED), outside=mask(Visibility.OUTSIDE),
        stitched=planes([truth.stitched for truth in truths]),
        stitched_known=planes([(truth.stitched_valid & 4) > 0 for truth in truths]),
        fundamental=torch.from_numpy(np.stack([truth.fundamental for truth in truths])).to(device, torch.float32),
        segments=torch.from_numpy(np.concatenate([truth.segments for truth in truths])).to(device),
        owner=torch.repeat_interleave(counts).to(device),
    )  # fmt: skip
