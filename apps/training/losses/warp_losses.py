"""Losses on a warp: ground truth where there is some, epipolar geometry, straight lines and smoothness elsewhere.

Every loss is a mean over the whole batch under its weights, computed in float32, and 0 with gradient 0 where
nothing has a weight. Fields are (b, 2, h, w) px of the window, weights and masks (b, 1, h, w). A `residual` says
where pixels of the coarsely aligned target belong: q at q + residual(q). Kweon et al. 2023 name an epipolar and
a line-preservation loss; that paper's formulas were not at hand, so those here are our choice.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from apps.training.losses.reduction import charbonnier, precise, rounded_root, weighted_mean
from apps.training.losses.sampling import sample, sample_points
from stitching.network.tensor_maps import pixel_xy

_CHARBONNIER_WIDTH = 0.01  # px; smaller errors are invisible
_UNLIKELY = -1e4  # logit of what must not count; infinity has no gradient where nothing counts
_MIN_POINTS = 4  # of a segment: fewer say little about its straightness
_EDGE_SHARPNESS = 10.0  # where a picture changes by a tenth of its range in a px, bending costs 1 / e of the usual


def sequence_warp_loss(sequence: Sequence[Tensor], truth: Tensor, weights: Tensor, decay: float = 0.8) -> Tensor:
    """Supervision of successively refined residuals: sum over i of decay^(N - 1 - i) * mean (|dx| + |dy|).

    The sequence loss of RAFT (Teed & Deng 2020). Unlike there, pixels have weights, for example fewer outside the
    overlap, where no match exists to learn from: our choice.

    Args:
        sequence: N residuals (b, 2, h, w), the last one the result.
        truth: (b, 2, h, w); may be anything, NaN too, where the weight is 0.
        weights: (b, 1, h, w) >= 0; only their ratios matter.
    """
    weights = precise(weights)
    truth = torch.where(weights > 0, precise(truth), 0)
    total = truth.new_zeros(())
    for residual in sequence:
        errors = (precise(residual) - truth).abs().sum(1, keepdim=True)
        total = total * decay + weighted_mean(errors, weights)
    return total


def matching_loss(logits: Tensor, cell: Tensor) -> Tensor:
    """Cross-entropy of the matches, in both directions; cells with and without a match are averaged separately.

    The sum of three means: over target cells with a match, the cost of their match among all reference cells; over
    the same cells, the cost of the same match among all target cells; over target cells without one, the cost of the
    dustbin. Averaged together, the many cells without a match would drown the others. Both directions: LoFTR (Sun et
    al. 2021, dual softmax; form ours). The dustbin as one more class: SuperGlue (Sarlin et al. 2020).

    Args:
        logits: (b, n, m + 1) over the reference's m cells and the dustbin, last.
        cell: (b, n) int64, the true reference cell; m = has no match, -1 = unknown, not counted.
    """
    logits = precise(logits)
    dustbin = logits.shape[-1] - 1
    matched, unmatched = (cell >= 0) & (cell < dustbin), cell == dustbin
    of_truth = logits.gather(2, cell.clamp_min(0)[..., None])[..., 0]  # (b, n)
    costs = logits.logsumexp(2) - of_truth
    column_sums = logits.masked_fill((cell < 0)[..., None], _UNLIKELY).logsumexp(1)  # (b, m + 1)
    back_costs = column_sums.gather(1, cell.clamp_min(0)) - of_truth
    there = weighted_mean(costs, matched.to(costs)) + weighted_mean(back_costs, matched.to(costs))
    return there + weighted_mean(costs, unmatched.to(costs))


def visibility_loss(logit: Tensor, visible: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy of visibility; visible and hidden pixels are averaged separately and added: our choice.

    Hidden pixels are few; averaged together, "everything is visible" would be nearly right.

    Args:
        logit: (b, 1, h, w), above 0 = the reference shows this pixel.
        visible: (b, 1, h, w) 0..1, the truth.
        weight: (b, 1, h, w) >= 0, 0 = unknown.
    """
    logit, visible, weight = precise(logit), precise(visible), precise(weight)
    missed = weighted_mean(functional.softplus(-logit), weight * visible)
    return missed + weighted_mean(functional.softplus(logit), weight * (1 - visible))


def epipolar_loss(residual: Tensor, fundamental: Tensor, weight: Tensor) -> Tensor:
    """Distance of q + residual from the epipolar line of q: Huber, quadratic below 1 px, linear beyond.

    With (l1, l2, l3) = F (q, 1), the distance is |l . (q + residual, 1)| / |(l1, l2)| px. Moving along the line costs
    nothing, so another loss must fix the position on it. Left out are pixels within about 1 px of the target's
    epipole and those whose line lies at infinity: their line says nothing.

    Args:
        residual: (b, 2, h, w).
        fundamental: (b, 3, 3) F of any scale, in px of the window: (reference, 1)^T F (coarsely aligned target, 1) = 0.
            All zeros = unknown, as for cameras at one position: F is rounding noise then.
        weight: (b, 1, h, w) >= 0.
    """
    residual, weight = precise(residual), precise(weight)
    matrix = fundamental.to(residual)
    matrix = matrix / matrix.abs().amax((1, 2), keepdim=True).clamp_min(1e-30)
    x, y = pixel_xy(residual).unbind(1)  # (1, h, w) each
    # Neither a matrix product nor kornia's epipolar distances, which use one: in TF32 lines would move by a pixel.
    lines = [row[:, 0] * x + row[:, 1] * y + row[:, 2] for row in matrix[..., None, None].unbind(1)]
    length = torch.hypot(lines[0], lines[1])
    step = torch.linalg.matrix_norm(matrix[:, :2, :2])[:, None, None]  # how much `length` grows in 1 px, at most
    usable = length > step.clamp_min(1e-12)
    normal_x, normal_y, offset = (line / torch.where(usable, length, 1) for line in lines)
    distance = normal_x * (x + residual[:, 0]) + normal_y * (y + residual[:, 1]) + offset
    costs = functional.huber_loss(distance, torch.zeros_like(distance), reduction="none", delta=1.0)
    return weighted_mean(costs[:, None], weight * usable[:, None])


def line_loss(residual: Tensor, segments: Tensor, owner: Tensor, valid: Tensor, samples: int = 16) -> Tensor:
    """How far straight segments of the target are bent: mean |n . (p_k - mean p)| px, the same for every segment.

    p_k = q_k + residual(q_k) are evenly spaced points of the segment, n the normal of the line that fits them best
    (total least squares). No gradient goes through n, which jumps where the points have no direction. Any affine
    motion of a segment costs nothing. Points that are outside the window or not valid are left out, and segments of
    which fewer than 4 points are left. Segments are as many as a picture has, so no fixed-size batch of lines fits.

    Args:
        residual: (b, 2, h, w).
        segments: (k, 2, 2) [segment, end, x | y] px of the coarsely aligned target. Segments across a jump of
            the true warp must not be among them.
        owner: (k,) int64, the segment's image in the batch.
        valid: (b, 1, h, w) 0 or 1, where the target has pixels.
        samples: points a segment.
    """
    residual, valid = precise(residual), precise(valid)
    shares = torch.linspace(0, 1, samples, dtype=residual.dtype, device=residual.device)[:, None]
    ends = segments.to(residual)
    points = torch.lerp(ends[:, None, 0], ends[:, None, 1], shares)  # (k, samples, 2)
    moves, within = sample_points(residual, owner, points)
    points_valid, _ = sample_points(valid, owner, points)
    usable = (within & (points_valid[..., 0] > 0.999)).to(residual)[..., None]  # (k, samples, 1)
    usable = usable * (usable.sum(1, keepdim=True) >= _MIN_POINTS)
    count = usable.sum(1, keepdim=True).clamp_min(1)
    warped = points + moves
    centred = (warped - (warped * usable).sum(1, keepdim=True) / count) * usable
    with torch.no_grad():
        x, y = centred.unbind(-1)  # (k, samples) each
        angle = torch.atan2(2 * (x * y).sum(1), (x * x - y * y).sum(1)) / 2  # of the longer axis
        normal = torch.stack([-angle.sin(), angle.cos()], dim=-1)[:, None]  # (k, 1, 2)
    off_line = charbonnier((centred * normal).sum(-1, keepdim=True), _CHARBONNIER_WIDTH)
    return weighted_mean(off_line, usable / count)


def smoothness_loss(field: Tensor, guide: Tensor, valid: Tensor) -> Tensor:
    """Second-order smoothness that lets a field bend where the picture has an edge, for pairs without truth.

    Along x and y, added: mean of |f(-1) - 2 f(0) + f(+1)| * exp(-10 * mean over BGR of |g(+1) - g(-1)| / 2), over the
    pixels that are valid with both neighbours. An affine field costs nothing. Edge-aware smoothness as in
    unsupervised flow (Jonschkowski et al. 2020); the constant is our choice.

    Args:
        field: (b, 2, h, w) px.
        guide: (b, 3, h, w) BGR 0..1, the picture whose pixels the field moves.
        valid: (b, 1, h, w) 0 or 1.
    """
    field, guide, valid = precise(field), precise(guide), precise(valid)

    def along(axis: int) -> Tensor:
        size = field.shape[axis] - 2
        before, centre, after = (field.narrow(axis, start, size) for start in range(3))
        contrast = (guide.narrow(axis, 2, size) - guide.narrow(axis, 0, size)).abs().mean(1, keepdim=True) / 2
        known = valid.narrow(axis, 0, size) * valid.narrow(axis, 1, size) * valid.narrow(axis, 2, size)
        bend = charbonnier(before - 2 * centre + after, _CHARBONNIER_WIDTH).sum(1, keepdim=True)
        return weighted_mean(bend * torch.exp(-_EDGE_SHARPNESS * contrast), known)

    return along(-1) + along(-2)


def cycle_loss(forward: Tensor, backward: Tensor, where: Tensor) -> Tensor:
    """Forward-backward consistency: mean |forward(q) + backward(q + forward(q))| px, of pixels that land in the window.

    As in UnFlow (Meister et al. 2018), with |.| smooth below 0.01 px: our choice. Meant for pixels that both
    pictures show; leave the others out of `where`.

    Args:
        forward: (b, 2, h, w) residual from the target to the reference.
        backward: (b, 2, h, w) residual from the reference to the target.
        where: (b, 1, h, w) >= 0, weights of the target's pixels.
    """
    forward, backward, where = precise(forward), precise(backward), precise(where)
    returned, within = sample(backward, pixel_xy(forward) + forward)
    distance = rounded_root((forward + returned).square().sum(1, keepdim=True), _CHARBONNIER_WIDTH)
    return weighted_mean(distance, where * within)
