"""The losses of the tasks on photographs, whose ground truth is unknown: the pictures must agree with each other."""

import torch
from torch import Tensor

from apps.training.losses.photometric_losses import warp_photometric_loss
from apps.training.losses.reduction import Terms, charbonnier, weighted_mean
from apps.training.losses.sampling import sample
from apps.training.losses.seam import seam_terms
from apps.training.losses.warp_losses import cycle_loss, smoothness_loss
from apps.training.prediction import pair_of
from datasets.examples.batch import ExampleBatch
from stitching.network.pair_tensors import PairTensors
from stitching.network.pixelwise_warping import PixelwiseWarp
from stitching.network.splatting import MIN_COVERAGE
from stitching.network.stitching_network import StitchedPair
from stitching.network.tensor_maps import pixel_xy

# Weights that move a warp about as much as the supervised losses do.
PHOTOMETRIC_WEIGHT, CYCLE_WEIGHT = 1 / 8, 1 / 16
SMOOTHNESS_WEIGHT = 1 / 16  # with a fifth of it, a free field drifted away from a known true warp
SEQUENCE_DECAY = 0.8  # of the weight from a residual of the sequence to the one before it, as in sequence_warp_loss
MAX_CYCLE_ERROR = 3.0  # px: pixels beyond it have no cycle loss; else two warps of 0 would cost least
MIN_CONSISTENT_SHARE = 0.1  # of the overlap, in the classical warp; below it the pair is taken for a failed alignment
GREY_LEVEL = 1 / 256


def swapped(pair: PairTensors) -> PairTensors:
    """The pair with reference and target exchanged: its warp is the backward one."""
    return PairTensors(pair.target, pair.reference, pair.target_valid, pair.reference_valid)


def self_supervised_losses(
    batch: ExampleBatch,
    forward: PixelwiseWarp | None,
    backward: PixelwiseWarp | None,
    stitched: StitchedPair | None,
    tasks: tuple[str, ...],
) -> tuple[Terms, Terms]:
    """The loss () of each task (warp, geometry, visibility, stitch) on photographs, and the unweighted terms.

    Photographs teach the warp and the stitch. Neither their cameras nor what is hidden is known: the losses of geometry
    and visibility are 0 with gradient 0, so that every strategy gets a loss for each task.

    Args:
        batch: without ground truth. Pairs whose alignment failed do not count.
        forward: warp of `batch`; None where no task needs it.
        backward: warp of the swapped batch; None where `forward` is.
        stitched: None where no task needs it.
        tasks: what to compute.
    """
    plausible = _plausible(batch)
    terms: Terms = {}
    losses: Terms = {}
    if forward is not None and backward is not None:
        terms |= _warp_terms(batch, forward, backward, plausible)
        losses["warp"] = (
            PHOTOMETRIC_WEIGHT * terms["pairs/photometric"]
            + SMOOTHNESS_WEIGHT * terms["pairs/smooth"]
            + CYCLE_WEIGHT * terms["pairs/cycle"]
        )
        losses["geometry"] = 0 * forward.residual.mean()
        losses["visibility"] = 0 * _logit(forward).float().mean()
    if stitched is not None:
        terms |= stitch_terms(stitched, plausible)
        losses["stitch"] = terms["pairs/gain"] + terms["pairs/seam"] + terms["pairs/ghost"]
    return {task: losses[task] for task in tasks}, terms


def photometric_difference(pair: PairTensors, residual: Tensor, mask: Tensor) -> Tensor:
    """Mean difference () of the locally normalised pictures under a warp: see `warp_photometric_loss`."""
    return warp_photometric_loss(pair.reference, pair.reference_valid, pair.target, pair.target_valid, residual, mask)


def stitch_terms(stitched: StitchedPair, mask: Tensor) -> Terms:
    """Costs () of stitched photographs, in units of the pictures' range 0 .. 1; `mask` (b, 1, h, w) counts.

    gain: mean difference of the reference and the target times its gain, over the overlap.
    seam, ghost: see `seam_terms`.
    """
    inputs = stitched.inputs
    overlap = inputs.reference_valid * (inputs.target_valid >= MIN_COVERAGE)
    difference = charbonnier(inputs.reference - inputs.target * stitched.generated.gain, GREY_LEVEL)
    terms = {"gain": weighted_mean(difference, overlap * mask)} | seam_terms(stitched, mask)
    return {f"pairs/{name}": term for name, term in terms.items()}


def _warp_terms(batch: ExampleBatch, forward: PixelwiseWarp, backward: PixelwiseWarp, plausible: Tensor) -> Terms:
    pair = pair_of(batch)
    forward_terms = _sequence_terms(pair, forward, plausible)
    backward_terms = _sequence_terms(swapped(pair), backward, plausible)
    consistent = _consistent(forward.residual, backward.residual)
    weights = _visibility(forward) * pair.target_valid * plausible * consistent
    return {
        "pairs/photometric": (forward_terms[0] + backward_terms[0]) / 2,
        "pairs/smooth": (forward_terms[1] + backward_terms[1]) / 2,
        "pairs/cycle": cycle_loss(forward.residual, backward.residual, weights),
    }


def _sequence_terms(pair: PairTensors, warp: PixelwiseWarp, plausible: Tensor) -> tuple[Tensor, Tensor]:
    """Photometric difference and roughness of all residuals of the sequence; the last ones have most weight."""
    visible, valid = _visibility(warp) * plausible, pair.target_valid * plausible
    weights = [SEQUENCE_DECAY**age for age in reversed(range(len(warp.sequence)))]
    weighted = list(zip(weights, warp.sequence, strict=True))
    differences = [weight * photometric_difference(pair, residual, visible) for weight, residual in weighted]
    roughness = [weight * smoothness_loss(residual, pair.target, valid) for weight, residual in weighted]
    return torch.stack(differences).sum(), torch.stack(roughness).sum()


def _visibility(warp: PixelwiseWarp) -> Tensor:
    """(b, 1, h, w) 0 .. 1, predicted. Without gradient: to call everything hidden would cost least."""
    return torch.sigmoid(_logit(warp).detach().float())


def _logit(warp: PixelwiseWarp) -> Tensor:
    assert warp.visibility is not None  # of PWM: no other flow network is trained on photographs
    return warp.visibility


@torch.no_grad()
def _consistent(forward: Tensor, backward: Tensor) -> Tensor:
    """(b, 1, h, w) 0 or 1: the backward residual (b, 2, h, w) leads to within MAX_CYCLE_ERROR of the pixel."""
    returned, _ = sample(backward, pixel_xy(forward) + forward)
    return ((forward + returned).square().sum(1, keepdim=True) < MAX_CYCLE_ERROR**2).float()


def _plausible(batch: ExampleBatch) -> Tensor:
    """(b, 1, h, w) 0 or 1, the same for all pixels of a pair: its coarse alignment succeeded."""
    overlap = batch.reference_valid * batch.target_valid
    share = (batch.trusted * overlap).mean((1, 2, 3), keepdim=True) / overlap.mean((1, 2, 3), keepdim=True)
    return (share > MIN_CONSISTENT_SHARE).float().expand_as(overlap)  # without overlap: NaN > ... is false
