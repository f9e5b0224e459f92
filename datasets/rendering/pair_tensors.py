"""From rendered pairs to tensors with their exact ground truth, on the device that rendered them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from datasets.pair_batch import PairBatch, PairView, canvas_size
from datasets.rendering.cameras import fundamental_matrix
from datasets.rendering.ground_truth import Correspondences
from datasets.rendering.line_segments import segments_in_view
from datasets.rendering.pair_renderer import RenderedPairs
from datasets.sample import Visibility
from datasets.scene_sampler import SampledScene


def assemble_batch(
    pairs: RenderedPairs, correspondences: Correspondences, sampled: Sequence[SampledScene]
) -> PairBatch:
    """The pairs that were rendered from `sampled`, as a batch; pictures as rendered."""
    (width, height), count = pairs.size, len(sampled)
    wc, hc = canvas_size(pairs.canvas.sizes)
    device = pairs.batch.device
    stitched = torch.zeros(count, 3, hc, wc, device=device)
    stitched_mask = torch.zeros(count, hc, wc, dtype=torch.uint8, device=device)
    reference = PairView(
        torch.empty(count, 3, height, width, device=device),
        torch.empty(count, 2, height, width, device=device),
        torch.empty(count, height, width, dtype=torch.uint8, device=device),
    )
    to_target, to_reference = correspondences.to_target, correspondences.to_reference
    for k, ((w, h), (left, top)) in enumerate(zip(pairs.canvas.sizes, pairs.origins, strict=True)):
        inner = slice(-top, height - top), slice(-left, width - left)  # the reference picture on the canvas
        part = pairs.canvas.hits.slices[k]
        visibility = to_target.visibility[part].view(h, w)
        stitched[k, :, :h, :w] = _picture(pairs.canvas.pictures[k])
        stitched_mask[k, :h, :w] = 4 + 2 * (visibility == Visibility.VISIBLE).to(torch.uint8)
        stitched_mask[k, *inner] += 1
        reference.picture[k] = stitched[k, :, *inner]
        reference.warp[k] = to_target.pixels[:, part].view(2, h, w)[:, *inner]
        reference.mask[k] = visibility[inner]
    target = PairView(
        torch.stack([_picture(picture) for picture in pairs.target.pictures]),
        to_reference.pixels.float().view(2, count, height, width).transpose(0, 1).contiguous(),  # of (2, b h w)
        to_reference.visibility.view(count, height, width),
    )
    segments = [segments_in_view(pairs, k, torch.from_numpy(one.scene.segments))[0] for k, one in enumerate(sampled)]
    counts = torch.tensor([len(some) for some in segments], device=device)
    return PairBatch(
        indices=tuple(one.index for one in sampled),
        reference=reference,
        target=target,
        stitched=stitched,
        stitched_mask=stitched_mask,
        origins=torch.tensor(pairs.origins, device=device),
        fundamental=fundamental_matrix(pairs.target.cameras, pairs.reference).float(),
        segments=torch.cat(segments).float(),
        owner=torch.arange(count, device=device).repeat_interleave(counts),
    )


def _picture(film: Tensor) -> Tensor:
    """(3, h, w) float32 0 .. 1 of (h, w, 3) bytes."""
    return film.permute(2, 0, 1).float() / 255
