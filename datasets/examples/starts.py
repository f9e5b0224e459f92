"""Warps to start from, drawn from the truth: right in most places, as a classical warp is, and wrong in some."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from datasets.examples.batch import ExampleBatch
from stitching.network.tensor_maps import push_pull

_CELLS = 12, 3  # blobs: cells along the shorter side of the window, of the untrusted and of the wrong ones
_MAX_UNTRUSTED = 0.8  # share of the visible pixels
_WRONG_SHARE = 0.3  # of the examples have a blob that is trusted and wrong
_WRONG = 0.08  # of the window's width: how far wrong ones are off
_NOISE = 0.4  # px, of trusted places
_NOISE_CELL = 8  # px, within which the noise is alike


def draw_starts(batch: ExampleBatch, generator: torch.Generator) -> ExampleBatch:
    """The batch with `start` and `trusted` drawn: the true residual of most visible pixels, the others filled by it.

    generator: on the CPU, so that the same starts are drawn for every device.
    """
    assert batch.truth is not None
    residual, visible = batch.truth.residual, batch.truth.visible * batch.reference_valid
    b, _, h, w = residual.shape

    def uniform(count: int) -> Tensor:
        return torch.rand(count, generator=generator).to(residual)[:, None, None, None]

    untrusted = _blobs(b, (h, w), _CELLS[0], generator).to(residual) < _MAX_UNTRUSTED * uniform(b)
    wrong = _blobs(b, (h, w), _CELLS[1], generator).to(residual) < 0.2
    wrong = wrong & (uniform(b) < _WRONG_SHARE)
    rows, columns = -(-h // _NOISE_CELL), -(-w // _NOISE_CELL)
    noise = torch.randn(b, 2, rows, columns, generator=generator).to(residual)
    noise = _NOISE * functional.interpolate(noise, (h, w), mode="bilinear")
    off = _WRONG * w * torch.randn(b, 2, 1, 1, generator=generator).to(residual)
    trusted = visible * (~untrusted).to(residual)
    start = push_pull((residual + noise + off * wrong) * trusted, trusted)
    return replace(batch, start=start, trusted=trusted)


def _blobs(count: int, size: tuple[int, int], cells: int, generator: torch.Generator) -> Tensor:
    """(count, 1, h, w) smooth random values, about uniform in 0 .. 1."""
    h, w = size
    side = min(h, w) / cells
    values = torch.rand(count, 1, max(2, round(h / side)), max(2, round(w / side)), generator=generator)
    return functional.interpolate(values, size, mode="bilinear")
