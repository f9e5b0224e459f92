"""The cost of SIGMo's transition from one picture to the other; needs no ground truth."""

import torch
from torch import Tensor

from apps.training.losses.photometric_losses import seam_loss
from apps.training.losses.reduction import Terms, weighted_mean
from stitching.network.splatting import MIN_COVERAGE
from stitching.network.stitching_network import StitchedPair


def seam_terms(stitched: StitchedPair, mask: Tensor) -> Terms:
    """Two costs () of the blend weight, in units of the pictures' range 0 .. 1.

    seam: see `seam_loss`. A seam along the border of the overlap costs what one inside does, so the weight has to pass
        from 1 to 0 where the pictures agree.
    ghost: mean over the overlap of 4 w (1 - w) |difference|: mixing shows misaligned things twice.

    Only the blend weight gets a gradient, not the gain.

    Args:
        stitched: inputs and outputs of SIGMo.
        mask: (b, 1, h, w) 0 or 1, pixels that count.
    """
    generated, inputs = stitched.generated, stitched.inputs
    covered = (inputs.target_valid >= MIN_COVERAGE).float()
    overlap, union = inputs.reference_valid * covered, torch.maximum(inputs.reference_valid, covered)
    # Outside the overlap both are the picture that covers the pixel, so they agree.
    target = torch.where(overlap > 0, inputs.target * generated.gain, inputs.reference).detach()
    difference = (target - inputs.reference).abs().mean(1, keepdim=True) * overlap
    reference = torch.where(overlap > 0, inputs.reference, target)
    mixed = 4 * generated.weight * (1 - generated.weight)
    return {
        "seam": seam_loss(generated.weight, reference, target, union * mask),
        "ghost": weighted_mean(mixed * difference, overlap * mask),
    }
