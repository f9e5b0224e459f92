"""What the losses compare with, derived from the ground truth of a batch."""

import torch
from torch import Tensor
from torch.nn import functional

from datasets.examples.batch import BatchTruth, ExampleBatch
from stitching.network.matching.correlation import CELL
from stitching.network.tensor_maps import pixel_xy

MIN_VISIBLE_SHARE = 0.5  # of what is known of a target cell that has a match
MIN_VALID_SHARE = 0.5  # of a cell that takes part: the rest may be cut off by the window's border


def known_pixels(truth: BatchTruth) -> Tensor:
    """(b, 1, h, w) 0 or 1: target pixels whose true warp is known."""
    return truth.visible + truth.occluded + truth.outside


def true_cells(batch: ExampleBatch, truth: BatchTruth) -> Tensor:
    """The reference cell that the middle of each target cell lies in, for the matching loss.

    Returns (b, n) int64, cells in row-major order: 0 .. n - 1; n, the dustbin, where the target cell has no match in
    the reference; -1 where either cell lies mostly beside its picture, or nothing is known of most of the target cell,
    and no loss may be computed.
    """
    visible, known = (  # (b, 1, h, w) -> (b, 1, rows, columns)
        functional.avg_pool2d(mask, CELL) for mask in (truth.visible, known_pixels(truth))
    )
    rows, columns = visible.shape[2:]
    mean_residual = functional.avg_pool2d(truth.residual * truth.visible, CELL) / visible.clamp_min(1e-3)
    x, y = (pixel_xy(mean_residual) + mean_residual / CELL).round().long().unbind(1)  # (b, rows, columns) each
    matched = (x >= 0) & (x < columns) & (y >= 0) & (y < rows) & (visible > MIN_VISIBLE_SHARE * known)[:, 0]
    cell = torch.where(matched, y * columns + x, rows * columns).flatten(1)  # (b, n)
    target_valid, reference_valid = (
        functional.avg_pool2d(mask, CELL).flatten(1) >= MIN_VALID_SHARE
        for mask in (batch.target_valid * known_pixels(truth), batch.reference_valid)
    )
    match_valid = torch.cat([reference_valid, torch.ones_like(reference_valid[:, :1])], dim=1)  # with the dustbin
    return cell.masked_fill(~(target_valid & match_valid.gather(1, cell)), -1)
