"""Outputs of the networks for a batch of examples: the warp of PWM, the stitched pictures of SIGMo."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from apps.training.losses.targets import known_pixels
from datasets.examples.batch import ExampleBatch
from stitching.network.pair_tensors import PairTensors, Start
from stitching.network.pixelwise_warping import PixelwiseWarp
from stitching.network.stitching_network import StitchedPair, StitchingNetwork

# Pixels that land on one position are weighted by exp(importance): visible ones by e^8 more.
VISIBLE_IMPORTANCE = 8.0
OUTSIDE_VISIBILITY = 0.9  # of pixels outside the reference: nothing can hide them there

STARTS = {"matches": False, "classical": True}  # what PWM starts from -> start_from_classical


@dataclass(frozen=True, eq=False)
class Prediction:
    """Outputs of the networks for a batch.

    Attributes:
        warp: PWM's; None where no task needs it.
        stitched: SIGMo's, by branch: "true", of targets moved by the true warp; "estimated", moved by PWM's. Empty
            where no task needs it.
    """

    warp: PixelwiseWarp | None
    stitched: Mapping[str, StitchedPair]


def pair_of(batch: ExampleBatch) -> PairTensors:
    """The pictures of a batch, as the networks take them."""
    return PairTensors(batch.reference, batch.target, batch.reference_valid, batch.target_valid)


def start_of(batch: ExampleBatch) -> Start:
    """The classical warp of a batch, as PWM takes it."""
    return Start(batch.start, batch.trusted)


def predict(
    network: StitchingNetwork,
    batch: ExampleBatch,
    tasks: tuple[str, ...],
    start_from_classical: bool,
    stitch_own_warp: bool = False,
) -> Prediction:
    """Run the networks that the tasks need.

    Args:
        network: in training or evaluation mode.
        batch: photographs have no ground truth and thus no "true" branch.
        tasks: of warp, geometry, visibility, stitch.
        start_from_classical: start PWM from the classical warp, else from its own matches.
        stitch_own_warp: the stitch alone takes PWM's warp, too, instead of the classical one.
    """
    asked = bool(set(tasks) - {"stitch"})
    warp = None
    if asked or stitch_own_warp:
        with torch.set_grad_enabled(asked and torch.is_grad_enabled()):
            warp = network.warp(pair_of(batch), start_of(batch) if start_from_classical else None)
    return Prediction(warp if asked else None, _stitch_branches(network, batch, warp) if "stitch" in tasks else {})


def _stitch_branches(
    network: StitchingNetwork, batch: ExampleBatch, warp: PixelwiseWarp | None
) -> dict[str, StitchedPair]:
    """SIGMo on targets moved by the true and by the estimated warp (multi-branch training, Kweon et al. 2023).

    No gradient reaches PWM. Where PWM did not run, the classical warp is the estimate.
    """
    pair, truth = pair_of(batch), batch.truth
    stitched = {}
    if truth is not None:
        known = known_pixels(truth)
        known_pair = PairTensors(pair.reference, pair.target * known, pair.reference_valid, pair.target_valid * known)
        stitched["true"] = network.stitch(known_pair, truth.residual, VISIBLE_IMPORTANCE * (1 - truth.occluded))
    if warp is None:
        hidden = (1 - batch.trusted) * batch.reference_valid
        stitched["estimated"] = network.stitch(pair, batch.start, VISIBLE_IMPORTANCE * (1 - hidden))
    else:
        assert warp.visibility is not None  # of PWM: no other flow network is trained with SIGMo
        importance = VISIBLE_IMPORTANCE * torch.sigmoid(warp.visibility.float())
        importance = torch.where(pair.reference_valid > 0, importance, OUTSIDE_VISIBILITY * VISIBLE_IMPORTANCE)
        stitched["estimated"] = network.stitch(pair, warp.residual.detach(), importance.detach())
    return stitched
