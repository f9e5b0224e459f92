"""Pairs with truth: two pictures of one plane, and those of samples."""

import numpy as np
import torch

from datasets.pair_batch import PairArrays, PairBatch
from datasets.sample import Visibility
from stitching.network.tensor_maps import pixel_xy


def plane_pairs(count, size, seed=0):
    """`count` pairs of (width, height) px: noise of soft blobs; the target sees it shifted and a little enlarged."""
    generator = torch.Generator().manual_seed(seed)
    w, h = size
    canvas = torch.nn.functional.interpolate(
        torch.rand(count, 3, 2 * h // 8, 2 * w // 8, generator=generator), (2 * h, 2 * w), mode="bicubic"
    ).clamp(0, 1)
    origin = torch.tensor([w // 2, h // 2])
    shift = (torch.rand(count, 2, 1, 1, generator=generator) - 0.5) * torch.tensor([w, h]).view(2, 1, 1) * 0.6
    scale = 1 + 0.1 * torch.rand(count, 1, 1, 1, generator=generator)
    pixels = pixel_xy(torch.zeros(1, 1, h, w)).expand(count, 2, h, w)
    warp = pixels * scale + shift
    limits = torch.tensor([w, h]).view(2, 1, 1) - 0.5

    def codes(places):
        inside = ((places >= -0.5) & (places < limits)).all(1)
        return torch.where(inside, int(Visibility.VISIBLE), int(Visibility.OUTSIDE)).to(torch.uint8)

    at = (2 * (warp + origin.view(2, 1, 1)) + 1) / (2 * torch.tensor([w, h]).view(2, 1, 1)) - 1
    target = torch.nn.functional.grid_sample(canvas, at.permute(0, 2, 3, 1), align_corners=False)
    reference = canvas[:, :, h // 2 : h // 2 + h, w // 2 : w // 2 + w].contiguous()
    return PairBatch(
        indices=tuple(range(count)),
        reference=reference,
        target=target,
        warp=warp,
        mask=codes(warp),
        stitched=canvas,
        stitched_known=torch.ones(count, 2 * h, 2 * w, dtype=torch.bool),
        origins=-origin.expand(count, 2),
        fundamental=torch.zeros(count, 3, 3),
        segments=torch.zeros(0, 2, 2, 2),
        owner=torch.zeros(0, dtype=torch.int64),
    )


def arrays_of(sample):
    """The pair of a sample, as rendered."""
    return PairArrays(
        index=sample.index,
        pictures=(sample.reference.clean, sample.target.clean),
        warp=sample.target.warp,
        mask=sample.target.mask,
        stitched=sample.clean_stitched,
        origin=sample.origin,
        fundamental=np.asarray(sample.facts["fundamental"], np.float64),
        segments=sample.segments,
    )
