"""The quality of a network on examples that it was not trained on."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from apps.evaluation.known_pairs import MAX_PLACES, KnownPair, known_pairs
from apps.evaluation.measures.matching import WINDOW, WINDOWS, MatchingWindow, matching_errors
from apps.evaluation.true_places import TrueMap, TruePlaces
from apps.training.losses.self_supervised_tasks import photometric_difference, stitch_terms
from apps.training.losses.targets import known_pixels
from apps.training.prediction import STARTS, pair_of, predict
from datasets.examples.batch import BatchTruth, ExampleBatch
from datasets.pair_batch import PairArrays
from datasets.sample import Visibility
from stitching.io.picture import as_picture
from stitching.network.interface import MATCHING
from stitching.network.pixelwise_warping import PixelwiseWarp
from stitching.network.runtime.torch_graphs import torch_graph
from stitching.network.runtime.torch_runtime import TorchRuntime
from stitching.network.stitching_network import StitchingNetwork

MIN_BASELINE = 0.01  # of the classical warp's error, px or photometric: a smaller one would make the ratio explode
PSNR_WEIGHT = 0.1  # of a dB in the score: 10 dB count like all of the classical warp's error

Metrics = dict[str, float]
KnownWindows = Mapping[str, Sequence[MatchingWindow]]  # name of a metric -> a window for each pair


@torch.no_grad()
def validate(network: StitchingNetwork, batches: Iterable[ExampleBatch], tasks: tuple[str, ...]) -> Metrics:
    """Means over the examples: end-point errors (px of the window) for each start, PSNR (dB) of the stitch.

    "matches/ov", "classical/nov", ...: PWM from its own matches or from the classical warp; "flow/ov", ...: another
    flow network in its place, of which only visible pixels ("ov") count; "ov", "occluded", "nov":
    pixels that the reference sees, that are hidden from it, that lie outside its view; "over 3": share of ov with an
    error above 3 px; "baseline/...": the classical warp itself.

    Of photographs, the differences of the pictures: "pairs/matches", "pairs/classical", "pairs/baseline" under those
    warps, see `photometric_difference`; "pairs/gain", "pairs/seam", "pairs/ghost" in the stitch, see `stitch_terms`.
    """
    values: defaultdict[str, list[float]] = defaultdict(list)
    with _evaluating(network):
        for batch in batches:
            measured = (
                _photograph_metrics(network, batch, tasks)
                if batch.truth is None
                else _generated_metrics(network, batch, batch.truth, tasks)
            )
            for name, found in measured:
                values[name] += found[found.isfinite()].tolist()
    return {name: sum(found) / len(found) for name, found in values.items() if found}


def known_windows(folder: Path) -> KnownWindows:
    """The windows of "matched/raw" and "matched/aligned": pairs with known places.

    Raises InputError as `apps.evaluation.known_pairs.known_pairs`.
    """
    return _windows("matched", known_pairs(folder))


def labelled_windows(pairs: Iterable[PairArrays]) -> KnownWindows:
    """The windows of "labelled/raw" and "labelled/aligned": photographed pairs, whose labels stand for known places."""
    return _windows("labelled", (_with_known_places(pair) for pair in pairs))


def validate_matches(network: StitchingNetwork, windows: KnownWindows) -> Metrics:
    """The share of the known places of windows that the network finds, means over the pairs."""
    with _evaluating(network):
        runtime = TorchRuntime(torch_graph(MATCHING, network), next(network.parameters()).device.type)
        shares = {
            name: [matching_errors(runtime, window).share_right for window in kind] for name, kind in windows.items()
        }
    return {name: float(np.nanmean(found)) for name, found in shares.items() if found}


def _with_known_places(pair: PairArrays) -> KnownPair:
    reference, target = (as_picture(picture, str(pair.index)) for picture in pair.pictures)
    places = TruePlaces.of_map(TrueMap(pair.warp, pair.mask == Visibility.VISIBLE))
    return KnownPair(str(pair.index), reference, target, places.spread(MAX_PLACES))


def _windows(name: str, pairs: Iterable[KnownPair]) -> KnownWindows:
    windows: dict[str, list[MatchingWindow]] = {f"{name}/{kind}": [] for kind in WINDOWS}
    for pair in pairs:
        for kind, window_of in WINDOWS.items():
            window = window_of(pair.reference, pair.target, pair.places, WINDOW) if len(pair.places.target) else None
            if window is not None:
                windows[f"{name}/{kind}"].append(window)
    return windows


def score_of(metrics: Metrics) -> float:
    """What the best checkpoint has least of: the warp's error relative to the classical one's, minus PSNR / 10.

    With photographs, their relative photometric difference counts as much as an error of the warp.
    """
    found = [name for name in ("classical/ov", "classical/nov", "flow/ov") if name in metrics]
    baselines = [metrics[f"baseline/{name.partition('/')[2]}"] for name in found]
    warp = [metrics[name] / max(baseline, MIN_BASELINE) for name, baseline in zip(found, baselines, strict=True)]
    if "pairs/classical" in metrics:
        warp.append(metrics["pairs/classical"] / max(metrics["pairs/baseline"], MIN_BASELINE))
    stitch = [-PSNR_WEIGHT * value for name, value in metrics.items() if "PSNR" in name]
    return sum(warp) + sum(stitch)


def _generated_metrics(
    network: StitchingNetwork, batch: ExampleBatch, truth: BatchTruth, tasks: tuple[str, ...]
) -> Iterator[tuple[str, Tensor]]:
    """Names and (b,) values, NaN where there is nothing to measure."""
    if "warp" in tasks:
        yield from _warp_metrics("baseline", batch.start, truth)
    for name, start_from_classical in STARTS.items():
        prediction = predict(network, batch, tasks, start_from_classical)
        if prediction.warp is not None and prediction.warp.visibility is None:
            yield from _warp_metrics("flow", prediction.warp.residual, truth)
            return  # a flow network takes no start
        if prediction.warp is not None:
            yield from _warp_metrics(name, prediction.warp.residual, truth)
            yield f"{name}/visibility right", _visibility_accuracy(prediction.warp, truth)
        for branch, stitched in prediction.stitched.items():
            error = (stitched.generated.stitched.float().clamp(0, 1) - truth.stitched).square().mean(1, keepdim=True)
            yield f"{name}/PSNR {branch}", -10 * _mean(error, truth.stitched_known).clamp_min(1e-10).log10()
        if prediction.warp is None:
            return  # without PWM both starts are the same


def _photograph_metrics(
    network: StitchingNetwork, batch: ExampleBatch, tasks: tuple[str, ...]
) -> Iterator[tuple[str, Tensor]]:
    """Names and (b,) values, each the mean over the batch."""
    pair, b = pair_of(batch), len(batch.reference)
    overlap = batch.reference_valid * batch.target_valid
    if "warp" in tasks:
        yield "pairs/baseline", photometric_difference(pair, batch.start, overlap).expand(b)
    for name, start_from_classical in STARTS.items():
        prediction = predict(network, batch, tasks, start_from_classical)
        if prediction.warp is not None:
            yield f"pairs/{name}", photometric_difference(pair, prediction.warp.residual, overlap).expand(b)
    for stitched in prediction.stitched.values():  # of the last start, the classical one
        for name, term in stitch_terms(stitched, torch.ones_like(overlap)).items():
            yield name, term.expand(b)


def _warp_metrics(name: str, residual: Tensor, truth: BatchTruth) -> Iterator[tuple[str, Tensor]]:
    error = (residual - truth.residual).norm(dim=1, keepdim=True)
    for kind, mask in (("ov", truth.visible), ("occluded", truth.occluded), ("nov", truth.outside)):
        yield f"{name}/{kind}", _mean(error, mask)
    yield f"{name}/over 3", _mean((error > 3).float(), truth.visible)


def _visibility_accuracy(warp: PixelwiseWarp, truth: BatchTruth) -> Tensor:
    """(b,) share of the pixels with a known warp whose predicted visibility is right."""
    assert warp.visibility is not None
    return _mean(((warp.visibility > 0) == (truth.visible > 0)).float(), known_pixels(truth))


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """(b,) means over the pixels of a mask (b, 1, h, w); NaN where it is empty."""
    return (values * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))


@contextmanager
def _evaluating(network: StitchingNetwork) -> Iterator[None]:
    before = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(before)
