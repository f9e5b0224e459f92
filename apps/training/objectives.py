"""The tasks of the training: what the network answers to a batch, and what each answer costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from apps.training.pair_objectives import exchanged, photographed_costs
from apps.training.per_example import part_of
from apps.training.seams import seam_terms
from datasets.examples.batch import BatchTruth, ExampleBatch
from stitching.network.correlation import CELL
from stitching.network.inputs import PairTensors, Start
from stitching.network.losses.photometric import stitch_loss
from stitching.network.losses.warp import epipolar_loss, line_loss, matching_loss, sequence_warp_loss, visibility_loss
from stitching.network.pixelwise_warping import PixelwiseWarp
from stitching.network.stitching_network import StitchedPair, StitchingNetwork
from stitching.network.tensor_maps import pixel_xy

PIXELS = 1 / 16  # weight of a pixel of error in the warp: losses of about the same size for all tasks
NOV, OCCLUDED = 1.0, 1.0  # weight of pixels that cannot be matched, against one of OV
EPIPOLAR, LINE = 1 / 16, 1 / 8
ON_TOP = 8.0  # importance in the splat of what the reference sees over what is hidden from it
SEAM = 100.0  # weight of the seam's cost against the picture's: a seam is one pixel wide

MATCHING = ("matching",)  # the first lesson: where cells match, nothing else

Terms = dict[str, Tensor]  # name -> unweighted loss, for the log


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network answered to a batch."""

    warp: PixelwiseWarp | None
    stitched: Mapping[str, StitchedPair]  # branch -> what SIGMo made


def pair_of(batch: ExampleBatch) -> PairTensors:
    """What the networks see of a batch."""
    return PairTensors(batch.reference, batch.target, batch.reference_valid, batch.target_valid)


def start_of(batch: ExampleBatch) -> Start:
    """The classical warp of a batch."""
    return Start(batch.start, batch.trusted)


STARTS = {"matches": False, "classical": True}  # what PWM may start from


class Objectives(nn.Module):
    """The network with its tasks: a batch in, losses out, in one call, as distributed training wants it."""

    def __init__(self, network: StitchingNetwork, half: bool, each: bool = False) -> None:
        """What is trained, and how.

        half: the network runs in bfloat16 where that is safe; losses are always computed in full precision.
        each: losses (b,) of each example instead of the batch's (), which weighs all its pixels alike.
        """
        super().__init__()
        self.network, self._half, self._each = network, half, each

    def forward(self, batch: ExampleBatch, tasks: tuple[str, ...], classical: bool) -> tuple[Terms, Terms]:
        """What `tasks` (of warp, geometry, visibility, stitch, or only matching) cost, and what that is made of."""
        if batch.truth is None:
            return self._of_photographs(batch, tasks, classical)
        truth = batch.truth
        with torch.autocast(batch.reference.device.type, torch.bfloat16, enabled=self._half):
            if tasks == MATCHING:
                cost = {"matching": matching_loss(self.network.match(pair_of(batch)), true_cells(batch, truth))}
                return cost, cost
            made = answer_of(self.network, batch, tasks, classical)
        if not self._each:
            return _costs(made, batch, tasks)
        found = [_costs(part_of(made, k), part_of(batch, k), tasks) for k in range(len(batch.reference))]
        costs = {task: torch.stack([cost[task] for cost, _ in found]) for task in tasks}
        return costs, {name: torch.stack([terms[name] for _, terms in found]).mean() for name in found[0][1]}

    def _of_photographs(self, batch: ExampleBatch, tasks: tuple[str, ...], classical: bool) -> tuple[Terms, Terms]:
        with torch.autocast(batch.reference.device.type, torch.bfloat16, enabled=self._half):
            made = answer_of(self.network, batch, tasks, classical)
            back = None if made.warp is None else self.network.warp(exchanged(pair_of(batch)))
        return photographed_costs(batch, made.warp, back, made.stitched.get("estimated"), tasks)


def answer_of(network: StitchingNetwork, batch: ExampleBatch, tasks: tuple[str, ...], classical: bool) -> Answer:
    """What the network answers.

    Args:
        network: in training or evaluation mode.
        batch: without a truth where they are photographs.
        tasks: as for Objectives.
        classical: start the warp from the classical one, else from the network's matches.
    """
    warp = network.warp(pair_of(batch), start_of(batch) if classical else None) if set(tasks) - {"stitch"} else None
    return Answer(warp, _branches(network, batch, warp) if "stitch" in tasks else {})


_COSTS: dict[str, Callable[[Terms], Tensor]] = {
    "warp": lambda terms: PIXELS * terms["sequence"] + terms.get("matching", 0) / 4,
    "geometry": lambda terms: EPIPOLAR * terms["epipolar"] + LINE * terms["line"],
    "visibility": lambda terms: terms["visibility"],
    "stitch": lambda terms: terms["stitch"],
}


def _costs(made: Answer, batch: ExampleBatch, tasks: tuple[str, ...]) -> tuple[Terms, Terms]:
    truth = batch.truth
    assert truth is not None
    terms = _warp_terms(made.warp, batch, truth) if made.warp is not None else {}
    terms |= _stitch_terms(made.stitched, truth) if made.stitched else {}
    return {task: _COSTS[task](terms) for task in tasks}, terms


def _branches(network: StitchingNetwork, batch: ExampleBatch, warp: PixelwiseWarp | None) -> dict[str, StitchedPair]:
    """SIGMo on targets moved by the true warp and by PWM's (papers: multi-branch training), PWM's without gradient.

    Without PWM, the classical warp takes its place. Photographs have no true warp.
    """
    pair, truth = pair_of(batch), batch.truth
    stitched = {}
    if truth is not None:
        known = known_pixels(truth)
        only_known = PairTensors(pair.reference, pair.target * known, pair.reference_valid, pair.target_valid * known)
        stitched["true"] = network.stitch(only_known, truth.residual, ON_TOP * (1 - truth.occluded))
    if warp is None:
        hidden = (1 - batch.trusted) * batch.reference_valid
        stitched["estimated"] = network.stitch(pair, batch.start, ON_TOP * (1 - hidden))
    else:
        importance = ON_TOP * torch.sigmoid(warp.visibility.float())
        # In NOV nothing hides anything, whatever the visibility says there.
        importance = torch.where(pair.reference_valid > 0, importance, 0.9 * ON_TOP)
        stitched["estimated"] = network.stitch(pair, warp.residual.detach(), importance.detach())
    return stitched


def _warp_terms(warp: PixelwiseWarp, batch: ExampleBatch, truth: BatchTruth) -> Terms:
    known = known_pixels(truth)
    weights = truth.visible + NOV * truth.outside + OCCLUDED * truth.occluded
    matching = {} if warp.matching is None else {"matching": matching_loss(warp.matching, true_cells(batch, truth))}
    return matching | {
        "sequence": sequence_warp_loss(warp.sequence, truth.residual, weights),
        "epipolar": epipolar_loss(warp.residual, truth.fundamental, known),
        "line": line_loss(warp.residual, truth.segments, truth.owner, known),
        "visibility": visibility_loss(warp.visibility, truth.visible, known),
    }


def _stitch_terms(stitched: Mapping[str, StitchedPair], truth: BatchTruth) -> Terms:
    terms: Terms = {}
    for branch, pair in stitched.items():
        made = pair.generated
        parts = stitch_loss(made.stitched, truth.stitched, truth.stitched_known)
        passing = seam_terms(pair, torch.ones_like(made.weight))
        parts |= {"seam": SEAM * passing["seam"], "ghost": passing["ghost"]}
        terms |= {f"{branch} {name}": part for name, part in parts.items()}
    return terms | {"stitch": torch.stack(list(terms.values())).sum()}


def known_pixels(truth: BatchTruth) -> Tensor:
    """(b, 1, h, w) 0 or 1: target pixels whose place is known."""
    return truth.visible + truth.occluded + truth.outside


def true_cells(batch: ExampleBatch, truth: BatchTruth) -> Tensor:
    """(b, n) int64: the reference cell that holds the middle of each target cell, n where there is none, -1 unknown."""
    visible = functional.avg_pool2d(truth.visible, CELL)
    rows, columns = visible.shape[2:]
    mean = functional.avg_pool2d(truth.residual * truth.visible, CELL) / visible.clamp_min(1e-3)
    place = (pixel_xy(mean) + mean / CELL).round().long()  # (b, 2, rows, columns)
    x, y = place[:, 0], place[:, 1]
    matched = (x >= 0) & (x < columns) & (y >= 0) & (y < rows) & (visible[:, 0] > 0.5)
    cell = torch.where(matched, y * columns + x, rows * columns).flatten(1)
    masks = batch.target_valid, batch.reference_valid
    valid, there = (functional.avg_pool2d(mask, CELL).flatten(1) >= 0.5 for mask in masks)
    there = torch.cat([there, torch.ones_like(there[:, :1])], dim=1)  # the dustbin
    return cell.masked_fill(~(valid & there.gather(1, cell)), -1)  # cells that are cut by a border say nothing
