"""The classical warp, without learning: flow by several searches, of which the best is taken at each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.at_once import at_once
from stitching.geometry.pixel_maps import Grey, Mask, Points, forward_backward_error, push_pull
from stitching.io.picture import GAIN_LIMITS, to_grey
from stitching.warping.flow.beyond_overlap import led_into_reference
from stitching.warping.flow.candidates import Chosen, propagate, select_best
from stitching.warping.flow.dense_inverse_search import dense_inverse_search, nearest_match_flow, refine
from stitching.warping.flow.extrapolate import Extrapolation, extrapolate_fading
from stitching.warping.flow.flow_warp import MAX_ROUND_TRIP_ERROR, BidirectionalFlow, FlowMethod, warp_from_flow
from stitching.warping.flow.semi_global import epipolar_flow
from stitching.warping.warp import CanvasPair, Warp

UNSURE_SHARE = 0.2  # of the overlap; with less of it, further candidates find no more (48 generated pairs, seed 4711)
MIN_BLOCK, MAX_POINTS = 12, 3000  # px; one point of each block of the flow tells of the epipolar geometry,
MAX_POINT_ERROR = 0.75  # px, if its forward-backward error is less
MAX_INITIAL_ERROR = 12.0  # px that an initial flow is off at most, where it is corrected alone


def classical(pair: CanvasPair, extrapolation: Extrapolation = extrapolate_fading) -> Warp:
    """Estimate the warp by `classical_flow`.

    Args:
        pair: what to warp.
        extrapolation: fills pixels without a consistent flow. `extrapolate_on_plane` is truer on a canvas that is the
            reference's plane everywhere; panoramas leave that plane beside the reference, and it would bend straight
            lines there.
    """
    return warp_from_flow(pair, classical_flow, extrapolation, led_into_reference(pair))


def classical_flow(pair: CanvasPair, matched: FlowMethod | None = None) -> BidirectionalFlow:
    """Flow target -> reference and back: the best of these candidates at each pixel.

    - dense inverse search from no displacement: what the coarse alignment has brought near its place;
    - the same from the nearest sparse match: large displacements, where features are found;
    - semi-global matching along epipolar lines: large displacements of thin things, in a still scene.

    Where these leave more than `UNSURE_SHARE` of the overlap without consistent flow:

    - dense inverse search from the flow that `matched` gives, and what corrects it by a few px;
    - semi-global matching once more, along the epipolar lines of the consistent flow, which are more exact than those
      of a few sparse matches.

    What is not consistent then takes the flow of a consistent neighbour, if it fits better.
    """
    reference, target = fill_outside(pair)
    candidates = [_search(to_grey(target), to_grey(reference))]
    # A picture that is filled with the other one would hold copies of what is looked for farther away.
    reference_grey = fill_smoothly(to_grey(reference), pair.reference_valid)
    target_grey = fill_smoothly(to_grey(target), pair.target_valid)
    matches = pair.target_points, pair.reference_points
    if (sparse := _nearest_matches(*matches, target_grey)) is not None:
        candidates.append(_search(target_grey, reference_grey, sparse))
    epipolar = epipolar_flow(target_grey, reference_grey, pair.overlap, *matches)
    if epipolar is not None:
        candidates.append(epipolar)
    chosen = _best_of(candidates, pair, target, reference)
    if _consistent_share(chosen.flow, pair.overlap) < 1 - UNSURE_SHARE:
        if matched is not None:
            initial = matched(pair)
            near = _refine(target_grey, reference_grey, initial, MAX_INITIAL_ERROR, finest_level=1)
            candidates = [_search(target_grey, reference_grey, initial), near]
            chosen = _best_of(candidates, pair, target, reference, chosen)
        points = _consistent_points(chosen.flow, pair.overlap)
        more = [np.concatenate(both) for both in zip(matches, points, strict=True)]
        epipolar = epipolar_flow(target_grey, reference_grey, pair.overlap, *more)
        if epipolar is not None:
            chosen = _best_of([epipolar], pair, target, reference, chosen)
    best = chosen.flow
    repaired = _propagate(best, pair, target, reference)
    guessed = (repaired.forward != best.forward).any(axis=2)
    return replace(_refine(target_grey, reference_grey, repaired), guessed=guessed)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The best of several candidates: of the target's flow, and of the reference's."""

    forward: Chosen
    backward: Chosen

    @property
    def flow(self) -> BidirectionalFlow:
        return BidirectionalFlow(self.forward.flow, self.backward.flow)


def _best_of(
    candidates: Sequence[BidirectionalFlow],
    pair: CanvasPair,
    target: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    before: _Chosen | None = None,
) -> _Chosen:
    """The best at each pixel of either picture, of these and of earlier ones; the pictures: see `fill_outside`."""
    forward, backward = [c.forward for c in candidates], [c.backward for c in candidates]
    earlier = (before.forward, before.backward) if before else (None, None)
    return _Chosen(
        *at_once(
            partial(select_best, target, reference, pair.reference_valid, forward, backward, earlier[0]),
            partial(select_best, reference, target, pair.target_valid, backward, forward, earlier[1]),
        )
    )


def _propagate(
    flow: BidirectionalFlow, pair: CanvasPair, target: NDArray[np.uint8], reference: NDArray[np.uint8]
) -> BidirectionalFlow:
    """Consistent flow, and where it is not, that of a neighbour that fits better."""
    there, back = flow.forward, flow.backward
    consistent = [forward_backward_error(*ways) < MAX_ROUND_TRIP_ERROR for ways in ((there, back), (back, there))]
    return BidirectionalFlow.of(
        partial(propagate, target, reference, pair.reference_valid, there, back, consistent[0]),
        partial(propagate, reference, target, pair.target_valid, back, there, consistent[1]),
    )


def _consistent_points(flow: BidirectionalFlow, overlap: Mask) -> tuple[Points, Points]:
    """Matched points (n, 2) of target and reference: the most consistent pixel of each block of the overlap."""
    side = max(MIN_BLOCK, int(np.ceil(np.sqrt(overlap.sum() / MAX_POINTS))))
    rows, columns = overlap.shape[0] // side, overlap.shape[1] // side
    error = np.where(overlap, forward_backward_error(flow.forward, flow.backward), np.inf)
    # (h, w) -> (rows, side, columns, side) -> (rows, columns, side * side)
    tiles = error[: rows * side, : columns * side].reshape(rows, side, columns, side)
    blocks = tiles.swapaxes(1, 2).reshape(rows, columns, side * side)
    row, column = np.nonzero(blocks.min(axis=2) < MAX_POINT_ERROR)
    y, x = np.divmod(blocks.argmin(axis=2)[row, column], side)
    y, x = y + row * side, x + column * side
    target = np.stack([x, y], axis=1).astype(np.float64)
    return target, target + flow.forward[y, x]


def _consistent_share(flow: BidirectionalFlow, overlap: Mask) -> float:
    return float((forward_backward_error(flow.forward, flow.backward)[overlap] < MAX_ROUND_TRIP_ERROR).mean())


def fill_outside(pair: CanvasPair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Reference and target, this as bright as the reference, each filled where it has no pixels.

    The filling is the other picture: a black border would pull the flow along it.
    """
    reference, target = pair.reference.copy(), pair.target
    means = [np.asarray(cv2.mean(p, pair.overlap.astype(np.uint8))[:3]) for p in (reference, target)]
    gain = np.clip(means[0] / np.maximum(means[1], 1), *GAIN_LIMITS)
    target = np.clip(target * gain.astype(np.float32), 0, 255).astype(np.uint8)
    only_target = ~pair.reference_valid & pair.target_valid
    only_reference = ~pair.target_valid & pair.reference_valid
    reference[only_target] = target[only_target]
    target[only_reference] = reference[only_reference]
    return reference, target


def fill_smoothly(picture: Grey, valid: Mask) -> Grey:
    """A grey picture (h, w), filled with what is around where it is not valid."""
    twice = np.repeat(picture[..., None], 2, axis=2).astype(np.float32)  # push_pull takes fields
    return push_pull(twice, valid.astype(np.float32))[..., 0].astype(np.uint8)


def _search(first: Grey, second: Grey, initial: BidirectionalFlow | None = None) -> BidirectionalFlow:
    forward, backward = (initial.forward, initial.backward) if initial else (None, None)
    return BidirectionalFlow.of(
        partial(dense_inverse_search, first, second, forward), partial(dense_inverse_search, second, first, backward)
    )


def _refine(
    first: Grey, second: Grey, flow: BidirectionalFlow, max_correction: float = 3.0, finest_level: int = 0
) -> BidirectionalFlow:
    return BidirectionalFlow.of(
        partial(refine, first, second, flow.forward, max_correction, finest_level),
        partial(refine, second, first, flow.backward, max_correction, finest_level),
    )


def _nearest_matches(
    first: NDArray[np.float64], second: NDArray[np.float64], picture: Grey
) -> BidirectionalFlow | None:
    """Flow of the nearest matches (n, 2) between pictures as large as `picture`; None where they are too few."""
    shape = picture.shape[0], picture.shape[1]
    forward, backward = nearest_match_flow(first, second, shape), nearest_match_flow(second, first, shape)
    return None if forward is None or backward is None else BidirectionalFlow(forward, backward)
