"""Pairs made from photographs: both pictures, the true stitch, and their exact ground truth, on one device."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.moved_photographs.motion import PairPlan, draw_plan
from datasets.moved_photographs.outlines import draw_outlines
from datasets.moved_photographs.photographs import Photographs
from datasets.moved_photographs.surfaces import Seen, build_surfaces, look_from_reference, look_from_target
from datasets.pair_batch import PairBatch, canvas_size
from datasets.sample import Visibility
from stitching.geometry.pixel_maps import Size
from stitching.network.tensor_maps import pixel_xy

_TOGETHER = {"cpu": 1, "cuda": 64}  # pairs that are made at once; a CPU works fastest in its cache


@dataclass(frozen=True, eq=False)
class MovedPhotographs:
    """Makes pairs of pictures of `size` (width, height) px; pair i depends only on seed, i, size and photographs."""

    photographs: Photographs
    outlines: Tensor  # as draw_outlines gives them
    size: Size
    seed: int

    @staticmethod
    def load(folder: Path | None, size: Size, seed: int, device: str | torch.device = "cpu") -> "MovedPhotographs":
        """With the photographs of a folder and its subfolders, else scikit-image's.

        Warns of photographs that cannot be used. Raises InputError where the folder holds none that can.
        """
        return MovedPhotographs(Photographs.load(folder, torch.device(device)), draw_outlines().to(device), size, seed)

    def __call__(self, indices: Sequence[int]) -> PairBatch:
        """The pairs of these indices, without photometry; no fundamental matrix, no segments."""
        rngs = (np.random.default_rng([self.seed, index]) for index in indices)
        plans = [draw_plan(rng, self.size, self.photographs) for rng in rngs]
        batch = self._empty(indices, plans)
        together = _TOGETHER[self.outlines.device.type]
        for start in range(0, len(plans), together):
            self._fill(batch, slice(start, start + together), plans[start : start + together])
        return batch

    def _empty(self, indices: Sequence[int], plans: Sequence[PairPlan]) -> PairBatch:
        """A batch that is large enough for the plans."""
        device, count = self.outlines.device, len(plans)
        w, h = self.size
        wc, hc = canvas_size([plan.canvas_size for plan in plans])

        def empty(channels: int) -> Tensor:
            return torch.empty(count, channels, h, w, device=device)

        return PairBatch(
            indices=tuple(indices),
            reference=empty(3),
            target=empty(3),
            warp=empty(2),
            mask=torch.empty(count, h, w, dtype=torch.uint8, device=device),
            stitched=torch.zeros(count, 3, hc, wc, device=device),
            stitched_known=torch.zeros(count, hc, wc, dtype=torch.bool, device=device),
            origins=torch.tensor([plan.origin for plan in plans], device=device),
            fundamental=torch.zeros(count, 3, 3, device=device),
            segments=torch.zeros(0, 2, 2, 2, device=device),
            owner=torch.zeros(0, dtype=torch.int64, device=device),
        )

    def _fill(self, batch: PairBatch, part: slice, plans: Sequence[PairPlan]) -> None:
        """Make a part of a batch."""
        surfaces = build_surfaces(plans, self.size, self.photographs, self.outlines)
        pixels = pixel_xy(batch.warp).expand(len(plans), -1, -1, -1)
        target = look_from_target(surfaces, pixels)
        batch.target[part], batch.warp[part], batch.mask[part] = target.picture, target.warp, target.visibility
        wc, hc = canvas_size([plan.canvas_size for plan in plans])
        canvas = pixel_xy(batch.stitched[..., :hc, :wc]) + batch.origins[part, :, None, None]
        seen = look_from_reference(surfaces, canvas)
        for k, plan in enumerate(plans, part.start):
            self._put_canvas(batch, k, plan, _one(seen, k - part.start))

    def _put_canvas(self, batch: PairBatch, number: int, plan: PairPlan, seen: Seen) -> None:
        """Put the canvas of one pair, and the reference, which is a part of it, into a batch."""
        (width, height), (left, top), (wc, hc) = self.size, plan.origin, plan.canvas_size
        rows, columns = slice(-top, height - top), slice(-left, width - left)
        batch.reference[number] = seen.picture[0][:, rows, columns]
        batch.stitched[number, :, :hc, :wc] = seen.picture[0, :, :hc, :wc]
        known = seen.visibility[0] == Visibility.VISIBLE
        known[rows, columns] = True
        batch.stitched_known[number, :hc, :wc] = known[:hc, :wc]


def _one(seen: Seen, number: int) -> Seen:
    return Seen(*(values[number : number + 1] for values in (seen.picture, seen.warp, seen.visibility)))
