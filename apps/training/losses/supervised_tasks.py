"""The losses of the tasks on generated examples, against their ground truth."""

from collections.abc import Mapping

import torch

from apps.training.losses.photometric_losses import stitch_loss
from apps.training.losses.reduction import Terms
from apps.training.losses.seam import seam_terms
from apps.training.losses.targets import known_pixels, true_cells
from apps.training.losses.warp_losses import (
    epipolar_loss,
    line_loss,
    matching_loss,
    sequence_warp_loss,
    visibility_loss,
)
from apps.training.prediction import Prediction
from datasets.examples.batch import BatchTruth, ExampleBatch
from stitching.network.pixelwise_warping import PixelwiseWarp
from stitching.network.stitching_network import StitchedPair

# Weights that make the losses of all tasks about equally large.
SEQUENCE_WEIGHT = EPIPOLAR_WEIGHT = 1 / 16  # of an error of 1 px
LINE_WEIGHT = 1 / 8
MATCHING_WEIGHT = 1 / 4
SEAM_WEIGHT = 100.0  # against the picture: a seam is one pixel wide


def supervised_losses(
    prediction: Prediction, batch: ExampleBatch, truth: BatchTruth, tasks: tuple[str, ...]
) -> tuple[Terms, Terms]:
    """The loss () of each task, and the unweighted terms () that they are made of."""
    terms: Terms = {}
    losses: Terms = {}
    if prediction.warp is not None:
        terms |= _warp_terms(prediction.warp, batch, truth)
        losses["warp"] = SEQUENCE_WEIGHT * terms["sequence"] + terms.get("matching", 0) * MATCHING_WEIGHT
        losses["geometry"] = EPIPOLAR_WEIGHT * terms["epipolar"] + LINE_WEIGHT * terms["line"]
        losses |= {"visibility": terms["visibility"]} if "visibility" in terms else {}
    if prediction.stitched:
        terms |= _stitch_terms(prediction.stitched, truth)
        losses["stitch"] = terms["stitch"]
    return {task: losses[task] for task in tasks}, terms


def _warp_terms(warp: PixelwiseWarp, batch: ExampleBatch, truth: BatchTruth) -> Terms:
    # A flow network is not asked about what lies outside the reference's view: its warp is extrapolated by others.
    known = truth.visible + truth.occluded if warp.visibility is None else known_pixels(truth)
    terms = {
        "sequence": sequence_warp_loss(warp.sequence, truth.residual, known),
        "epipolar": epipolar_loss(warp.residual, truth.fundamental, known),
        "line": line_loss(warp.residual, truth.segments, truth.owner, known),
    }
    if warp.visibility is not None:
        terms["visibility"] = visibility_loss(warp.visibility, truth.visible, known)
    if warp.matching is not None:
        terms["matching"] = matching_loss(warp.matching, true_cells(batch, truth))
    return terms


def _stitch_terms(stitched: Mapping[str, StitchedPair], truth: BatchTruth) -> Terms:
    terms: Terms = {}
    for branch, pair in stitched.items():
        generated = pair.generated
        parts = stitch_loss(generated.stitched, truth.stitched, truth.stitched_known)
        seam = seam_terms(pair, torch.ones_like(generated.weight))
        parts |= {"seam": SEAM_WEIGHT * seam["seam"], "ghost": seam["ghost"]}
        terms |= {f"{branch} {name}": part for name, part in parts.items()}
    return terms | {"stitch": torch.stack(list(terms.values())).sum()}
