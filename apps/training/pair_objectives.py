"""The tasks of the training on photographs, whose truth nobody knows: the pictures must agree with each other."""

from collections.abc import Callable

import torch
from torch import Tensor

from apps.training.seams import seam_terms
from datasets.examples.batch import ExampleBatch
from stitching.network.inputs import PairTensors
from stitching.network.losses.photometric import warp_photometric_loss
from stitching.network.losses.reduction import charbonnier, weighted_mean
from stitching.network.losses.sampling import sample
from stitching.network.losses.warp import cycle_loss, smoothness_loss
from stitching.network.pixelwise_warping import PixelwiseWarp
from stitching.network.splatting import MIN_COVERAGE
from stitching.network.stitching_network import StitchedPair
from stitching.network.tensor_maps import pixel_xy

PHOTOMETRIC, CYCLE = 1 / 8, 1 / 16  # weights that move a warp about as much as the losses of generated pairs do
SMOOTH = 1 / 16  # with a fifth of it, a free field that followed the pictures went away from the known truth
NEAR = 3.0  # px: ways there and back that end farther off do not count, or two warps of 0 would be cheapest
DECAY = 0.8  # of the weight from a residual of the sequence to the one before it, as in sequence_warp_loss
LEAST_TRUST = 0.1  # share of the overlap where the classical warp finds its way back; with less, a pair may be none
GREY_LEVEL = 1 / 256

Terms = dict[str, Tensor]  # name -> unweighted loss


def exchanged(pair: PairTensors) -> PairTensors:
    """The pair with reference and target in each other's place: its warp is the way back."""
    return PairTensors(pair.target, pair.reference, pair.target_valid, pair.reference_valid)


def photographed_costs(
    batch: ExampleBatch,
    there: PixelwiseWarp | None,
    back: PixelwiseWarp | None,
    stitched: StitchedPair | None,
    tasks: tuple[str, ...],
) -> tuple[Terms, Terms]:
    """What `tasks` (of warp, geometry, visibility, stitch) cost on photographs, and what that is made of.

    Photographs teach the warp and the stitch. Geometry and visibility cost nothing there: neither the cameras nor
    what is hidden is known. Their losses are 0, with gradient 0, so that every strategy gets a loss for each task.

    Args:
        batch: without a truth. Pairs that the classical warp could not make sense of do not count.
        there: of `batch`, None where no task needs it.
        back: of the batch exchanged, None as `there`.
        stitched: None where no task needs it.
        tasks: what to compute.
    """
    believed = _believed(batch)
    terms: Terms = {}
    if there is not None and back is not None:
        terms |= _warp_terms(batch, there, back, believed)
    if stitched is not None:
        terms |= stitch_terms(stitched, believed)
    costs: dict[str, Callable[[], Tensor]] = {
        "warp": lambda: (
            PHOTOMETRIC * terms["pairs/photometric"] + SMOOTH * terms["pairs/smooth"] + CYCLE * terms["pairs/cycle"]
        ),
        "geometry": lambda: 0 * _of(there).residual.mean(),
        "visibility": lambda: 0 * _of(there).visibility.float().mean(),
        "stitch": lambda: terms["pairs/gain"] + terms["pairs/seam"] + terms["pairs/ghost"],
    }
    return {task: costs[task]() for task in tasks}, terms


def disagreement(pair: PairTensors, residual: Tensor, where: Tensor) -> Tensor:
    """Mean () difference of the locally normalised pictures under a warp: see `warp_photometric_loss`."""
    return warp_photometric_loss(pair.reference, pair.reference_valid, pair.target, pair.target_valid, residual, where)


def stitch_terms(stitched: StitchedPair, where: Tensor) -> Terms:
    """What is wrong with stitched photographs, in terms of the pictures' range 0 .. 1; `where` (b, 1, h, w) counts.

    gain: mean difference of the reference and the target times its gain where both are seen.
    seam, ghost: see `seams.seam_terms`.
    """
    inputs = stitched.inputs
    overlap = inputs.reference_valid * (inputs.target_valid >= MIN_COVERAGE)
    apart = charbonnier(inputs.reference - inputs.target * stitched.generated.gain, GREY_LEVEL)
    terms = {"gain": weighted_mean(apart, overlap * where)} | seam_terms(stitched, where)
    return {f"pairs/{name}": term for name, term in terms.items()}


def _warp_terms(batch: ExampleBatch, there: PixelwiseWarp, back: PixelwiseWarp, believed: Tensor) -> Terms:
    pair = PairTensors(batch.reference, batch.target, batch.reference_valid, batch.target_valid)
    ways = [_way_terms(pair, there, believed), _way_terms(exchanged(pair), back, believed)]
    both = _visible(there) * pair.target_valid * believed * _near(there.residual, back.residual)
    return {
        "pairs/photometric": (ways[0][0] + ways[1][0]) / 2,
        "pairs/smooth": (ways[0][1] + ways[1][1]) / 2,
        "pairs/cycle": cycle_loss(there.residual, back.residual, both),
    }


def _way_terms(pair: PairTensors, warp: PixelwiseWarp, believed: Tensor) -> tuple[Tensor, Tensor]:
    """Disagreement and roughness of all residuals of the sequence, the last ones counting most."""
    where, valid = _visible(warp) * believed, pair.target_valid * believed
    weights = [DECAY**age for age in reversed(range(len(warp.sequence)))]
    weighted = list(zip(weights, warp.sequence, strict=True))
    apart = [weight * disagreement(pair, residual, where) for weight, residual in weighted]
    rough = [weight * smoothness_loss(residual, pair.target, valid) for weight, residual in weighted]
    return torch.stack(apart).sum(), torch.stack(rough).sum()


def _visible(warp: PixelwiseWarp) -> Tensor:
    """(b, 1, h, w) 0 .. 1: what the network takes for visible. No gradient: hiding all would be cheapest."""
    return torch.sigmoid(warp.visibility.detach().float())


@torch.no_grad()
def _near(there: Tensor, back: Tensor) -> Tensor:
    """(b, 1, h, w) 0 or 1: the way back (b, 2, h, w) ends near where the way there began."""
    returned, _ = sample(back, pixel_xy(there) + there)
    near = (there + returned).square().sum(1, keepdim=True) < NEAR**2
    return near.float()


def _believed(batch: ExampleBatch) -> Tensor:
    """(b, 1, h, w) 0 or 1: pairs whose coarse alignment is right."""
    overlap = batch.reference_valid * batch.target_valid
    share = (batch.trusted * overlap).mean((1, 2, 3), keepdim=True) / overlap.mean((1, 2, 3), keepdim=True)
    return (share > LEAST_TRUST).float().expand_as(overlap)  # no overlap: NaN, not believed


def _of(warp: PixelwiseWarp | None) -> PixelwiseWarp:
    assert warp is not None, "the task needs the warp"
    return warp
