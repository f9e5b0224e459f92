"""How good a network is on examples that it was not trained on."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from apps.training.objectives import STARTS, answer_of, known_pixels, pair_of
from apps.training.pair_objectives import disagreement, stitch_terms
from datasets.examples.batch import ExampleBatch
from stitching.network.pixelwise_warping import PixelwiseWarp
from stitching.network.stitching_network import StitchingNetwork

Figures = dict[str, float]


@torch.no_grad()
def validate(network: StitchingNetwork, batches: Iterable[ExampleBatch], tasks: tuple[str, ...]) -> Figures:
    """Means over the examples: end-point errors (px of the window) for each start, PSNR (dB) of the stitch.

    "matches/ov", "classical/nov", ...: PWM from its own matches or from the classical warp; "ov", "occluded", "nov":
    pixels seen, hidden, outside of the reference; "over 3": share of ov farther off; "baseline/...": the classical
    warp itself.

    Of photographs, how much the pictures differ: "pairs/matches", "pairs/classical", "pairs/baseline": under those
    warps, see `pair_objectives.disagreement`; "pairs/gain", "pairs/seam", "pairs/ghost": in the stitch.
    """
    totals: defaultdict[str, list[float]] = defaultdict(list)
    with _evaluating(network):
        for batch in batches:
            for name, values in _figures(network, batch, tasks):
                totals[name] += values[values.isfinite()].tolist()
    return {name: sum(values) / len(values) for name, values in totals.items() if values}


def _figures(network: StitchingNetwork, batch: ExampleBatch, tasks: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
    """Names and (b,) values, NaN where there is nothing to measure."""
    truth = batch.truth
    if truth is None:
        yield from _photograph_figures(network, batch, tasks)
        return
    if "warp" in tasks:
        yield from _warp_figures("baseline", batch.start, batch)
    for name, classical in STARTS.items():
        made = answer_of(network, batch, tasks, classical)
        if made.warp is not None:
            yield from _warp_figures(name, made.warp.residual, batch)
            yield from _visibility_figures(name, made.warp, batch)
        for branch, stitched in made.stitched.items():
            error = (stitched.generated.stitched.float().clamp(0, 1) - truth.stitched).square().mean(1, keepdim=True)
            yield f"{name}/PSNR {branch}", -10 * _mean(error, truth.stitched_known).clamp_min(1e-10).log10()
        if made.warp is None:
            return  # without PWM both starts are the same


def _photograph_figures(
    network: StitchingNetwork, batch: ExampleBatch, tasks: tuple[str, ...]
) -> Iterator[tuple[str, Tensor]]:
    """Names and (b,) values, each the mean over the batch."""
    pair, b = pair_of(batch), len(batch.reference)
    overlap = batch.reference_valid * batch.target_valid
    if "warp" in tasks:
        yield "pairs/baseline", disagreement(pair, batch.start, overlap).expand(b)
    for name, classical in STARTS.items():
        made = answer_of(network, batch, tasks, classical)
        if made.warp is not None:
            yield f"pairs/{name}", disagreement(pair, made.warp.residual, overlap).expand(b)
    for stitched in made.stitched.values():  # from the classical start
        for name, term in stitch_terms(stitched, torch.ones_like(overlap)).items():
            yield name, term.expand(b)


def _warp_figures(name: str, residual: Tensor, batch: ExampleBatch) -> Iterator[tuple[str, Tensor]]:
    truth = batch.truth
    assert truth is not None
    error = (residual - truth.residual).norm(dim=1, keepdim=True)
    for kind, where in (("ov", truth.visible), ("occluded", truth.occluded), ("nov", truth.outside)):
        yield f"{name}/{kind}", _mean(error, where)
    yield f"{name}/over 3", _mean((error > 3).float(), truth.visible)


def _visibility_figures(name: str, warp: PixelwiseWarp, batch: ExampleBatch) -> Iterator[tuple[str, Tensor]]:
    truth = batch.truth
    assert truth is not None
    right = ((warp.visibility > 0) == (truth.visible > 0)).float()
    yield f"{name}/visibility right", _mean(right, known_pixels(truth))


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """(b,) means over the pixels of a mask (b, 1, h, w); NaN where it is empty."""
    return (values * where).sum((1, 2, 3)) / where.sum((1, 2, 3))


@contextmanager
def _evaluating(network: StitchingNetwork) -> Iterator[None]:
    before = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(before)
