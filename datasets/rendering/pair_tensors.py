"""From rendered pairs to tensors with their exact ground truth, on the device that rendered them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from datasets.pair_batch import PairBatch, canvas_size
from datasets.rendering.cameras import fundamental_matrix
from datasets.rendering.ground_truth import find_in_reference
from datasets.rendering.line_segments import segments_in_view
from datasets.rendering.pair_renderer import RenderedPairs
from datasets.scene_sampler import SampledScene


def assemble_batch(pairs: RenderedPairs, sampled: Sequence[SampledScene]) -> PairBatch:
    """The pairs that were rendered from `sampled`, as a batch; pictures as rendered."""
    (width, height), count = pairs.size, len(sampled)
    wc, hc = canvas_size(pairs.canvas.sizes)
    device = pairs.batch.device
    reference = torch.empty(count, 3, height, width, device=device)
    stitched = torch.zeros(count, 3, hc, wc, device=device)
    known = torch.zeros(count, hc, wc, dtype=torch.bool, device=device)
    for k, ((w, h), (left, top)) in enumerate(zip(pairs.canvas.sizes, pairs.origins, strict=True)):
        stitched[k, :, :h, :w] = _picture(pairs.canvas.pictures[k])
        known[k, :h, :w] = True
        reference[k] = stitched[k, :, -top : height - top, -left : width - left]
    to_reference = find_in_reference(pairs)
    segments = [segments_in_view(pairs, k, torch.from_numpy(one.scene.segments))[0] for k, one in enumerate(sampled)]
    counts = torch.tensor([len(some) for some in segments], device=device)
    return PairBatch(
        indices=tuple(one.index for one in sampled),
        reference=reference,
        target=torch.stack([_picture(picture) for picture in pairs.target.pictures]),
        warp=to_reference.pixels.float().view(2, count, height, width).transpose(0, 1).contiguous(),  # of (2, b h w)
        mask=to_reference.visibility.view(count, height, width),
        stitched=stitched,
        stitched_known=known,
        origins=torch.tensor(pairs.origins, device=device),
        fundamental=fundamental_matrix(pairs.target.cameras, pairs.reference).float(),
        segments=torch.cat(segments).float(),
        owner=torch.arange(count, device=device).repeat_interleave(counts),
    )


def _picture(film: Tensor) -> Tensor:
    """(3, h, w) float32 0 .. 1 of (h, w, 3) bytes."""
    return film.permute(2, 0, 1).float() / 255
