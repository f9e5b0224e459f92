"""Where SIGMo passes from one picture to the other: the cost of it, with and without a true stitch."""

import torch
from torch import Tensor

from stitching.network.losses.photometric import seam_loss
from stitching.network.losses.reduction import weighted_mean
from stitching.network.splatting import MIN_COVERAGE
from stitching.network.stitching_network import StitchedPair


def seam_terms(stitched: StitchedPair, where: Tensor) -> dict[str, Tensor]:
    """What passing from picture to picture costs, in terms of their range 0 .. 1; `where` (b, 1, h, w) counts.

    seam: the seam's cost; a seam along the border of the overlap costs what one inside does, so that the reference's
        share must pass from 1 to 0 where the pictures agree.
    ghost: mean of 4 w (1 - w) * difference: mixing shows double what does not lie in one place.
    """
    made, inputs = stitched.generated, stitched.inputs
    covered = (inputs.target_valid >= MIN_COVERAGE).float()
    overlap, either = inputs.reference_valid * covered, torch.maximum(inputs.reference_valid, covered)
    # One picture alone agrees with itself. The seam moves, not the pictures.
    shown = torch.where(overlap > 0, inputs.target * made.gain, inputs.reference).detach()
    apart = (shown - inputs.reference).abs().mean(1, keepdim=True) * overlap
    agreeing = torch.where(overlap > 0, inputs.reference, shown)
    mixed = 4 * made.weight * (1 - made.weight)
    return {
        "seam": seam_loss(made.weight, agreeing, shown, either * where),
        "ghost": weighted_mean(mixed * apart, overlap * where),
    }
