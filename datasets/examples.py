"""Training examples: a pair on its window, a classical warp to start from, the truth; alone, stored, and as batches."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.sample import Doubles, Floats, Pixels, Sample, Seen
from datasets.storage.folder import StoredSample
from datasets.windows import (
    PairTruth,
    Size,
    WindowTruth,
    choose_window,
    coarse_alignment,
    draw_pair,
    jittered,
    truth_on_window,
)
from stitching.errors import InputError
from stitching.io.files import replacing
from stitching.warping.classical import classical_on_plane
from stitching.warping.warp import forward_backward_consistent

SHAKEN, SHAKE = 0.15, 0.06  # share of the examples whose coarse alignment is made worse, and by how much at most


@dataclass(frozen=True, eq=False)
class Example:
    """A pair on its window, without a truth where it is a photograph."""

    reference: Pixels  # (h, w, 3) BGR, black where not seen
    target: Pixels  # (h, w, 3) the same, coarsely aligned
    reference_valid: NDArray[np.bool_]  # (h, w)
    target_valid: NDArray[np.bool_]  # (h, w)
    start: Floats  # (h, w, 2) the classical residual, px
    trusted: NDArray[np.bool_]  # (h, w) where it found its way back
    plane: Doubles  # (3, 3) reference px -> window px
    homography: Doubles  # (3, 3) target px -> window px
    truth: WindowTruth | None


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
    """What is true about b examples."""

    residual: Tensor  # (b, 2, h, w) px
    visible: Tensor  # (b, 1, h, w) 0 or 1: the reference sees the pixel (OV)
    occluded: Tensor  # (b, 1, h, w)
    outside: Tensor  # (b, 1, h, w) NOV with a known place
    stitched: Tensor  # (b, 3, h, w) BGR, 0 .. 1
    stitched_known: Tensor  # (b, 1, h, w) where `stitched` says what is there
    in_reference: Tensor  # (b, 1, h, w) what of it the reference shows
    in_target: Tensor  # (b, 1, h, w) what of it the target saw
    fundamental: Tensor  # (b, 3, 3)
    segments: Tensor  # (k, 2, 2)
    owner: Tensor  # (k,) int64: the example that a segment belongs to


def make_example(
    reference: Pixels, target: Pixels, truth: PairTruth | None, size: Size, rng: np.random.Generator | None = None
) -> Example:
    """Align, draw, estimate.

    Args:
        reference, target: (h, w, 3) BGR.
        truth: what is true about them.
        size: (width, height) of the window, multiples of 8.
        rng: makes some coarse alignments worse, as they are in life; None: leaves them as they are found.
    """
    homography, *matches = coarse_alignment(reference, target)
    target_size = target.shape[1], target.shape[0]
    if rng is not None and rng.random() < SHAKEN:
        homography = jittered(homography, target_size, SHAKE, rng)
    window = choose_window(homography, target_size, size)
    pair = draw_pair(reference, target, window, (matches[0], matches[1]))
    start = classical_on_plane(pair)
    return Example(
        pair.reference, pair.target, pair.reference_valid, pair.target_valid, start.residual,
        forward_backward_consistent(start, pair), window.plane,
        window.homography, None if truth is None else truth_on_window(truth, window, pair.target_valid),
    )  # fmt: skip


def example_of(sample: Sample | StoredSample, size: Size, rng: np.random.Generator | None = None) -> Example:
    """The example that a generated sample makes; arguments as for `make_example`."""
    views = sample.arrays if isinstance(sample, StoredSample) else sample
    return make_example(views.reference.picture, views.target.picture, truth_of(sample), size, rng)


def truth_of(sample: Sample | StoredSample) -> PairTruth:
    """What is true about a generated sample."""
    views, known = (sample.arrays, sample.record) if isinstance(sample, StoredSample) else (sample, sample)
    return PairTruth(
        views.target.warp, views.target.mask, views.stitched, views.stitched_mask, known.origin,
        np.asarray(known.facts["fundamental"], np.float64), known.segments,
    )  # fmt: skip


def save_example(path: Path, example: Example) -> None:
    """Write an example; fields as half-precision floats, fine to a thousandth of their size."""
    from safetensors.numpy import save_file

    truth = example.truth
    parts = {part.name: getattr(example, part.name) for part in fields(Example) if part.name != "truth"}
    parts |= {} if truth is None else {f"truth.{part.name}": getattr(truth, part.name) for part in fields(WindowTruth)}
    half = ("start", "truth.residual")
    packed = {name: np.ascontiguousarray(a, np.float16 if name in half else a.dtype) for name, a in parts.items()}
    with replacing(path) as temporary:
        save_file(packed, temporary)


def load_example(path: Path) -> Example:
    """Read what `save_example` wrote. Raises InputError where the file is missing, damaged or something else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        parts: dict[str, Any] = {
            name: a.astype(np.float32) if a.dtype == np.float16 else a for name, a in load_file(path).items()
        }
        of_truth = {name.removeprefix("truth."): parts.pop(name) for name in list(parts) if name.startswith("truth.")}
        return Example(**parts, truth=WindowTruth(**of_truth) if of_truth else None)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; expected a prepared example") from error
    except (SafetensorError, TypeError) as error:  # a TypeError: parts are missing or unknown
        raise InputError(f"{path}: no prepared example, or a damaged one; delete it, it will be made again") from error


def collate_examples(
    examples: Sequence[Example], device: str | torch.device = "cpu", sample_ids: Sequence[int] | None = None
) -> ExampleBatch:
    """Stack examples of one size to a batch on `device`. Raises ValueError where only some have a truth."""

    def planes(arrays: Sequence[NDArray[Any]]) -> Tensor:
        """(b, c, h, w) float32; bytes travel as bytes and become 0 .. 1."""
        stacked = torch.from_numpy(np.stack(arrays)).to(device)
        stacked = stacked.permute(0, 3, 1, 2) if stacked.ndim == 4 else stacked[:, None]
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
    def where(code: Seen) -> Tensor:
        masks: Tensor = planes([truth.codes == code for truth in truths])
        return masks

    counts = torch.tensor([len(truth.segments) for truth in truths])
    return BatchTruth(
        residual=planes([truth.residual for truth in truths]),
        visible=where(Seen.VISIBLE), occluded=where(Seen.OCCLUDED), outside=where(Seen.OUTSIDE),
        stitched=planes([truth.stitched for truth in truths]),
        stitched_known=planes([(truth.stitched_valid & 4) > 0 for truth in truths]),
        in_reference=planes([(truth.stitched_valid & 1) > 0 for truth in truths]),
        in_target=planes([(truth.stitched_valid & 2) > 0 for truth in truths]),
        fundamental=torch.from_numpy(np.stack([truth.fundamental for truth in truths])).to(device, torch.float32),
        segments=torch.from_numpy(np.concatenate([truth.segments for truth in truths])).to(device),
        owner=torch.repeat_interleave(counts).to(device),
    )  # fmt: skip
