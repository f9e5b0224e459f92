"""The classical warp, without learning: flow by several searches, of which the best is taken at each pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Grey, Mask, push_pull
from stitching.io.picture import GAIN_LIMITS, to_grey
from stitching.warping.flow.beyond_overlap import led_into_reference
from stitching.warping.flow.dense_inverse_search import dense_inverse_search, nearest_match_flow, refine, select_best
from stitching.warping.flow.extrapolate import Extrapolation, extrapolate_fading
from stitching.warping.flow.flow_warp import BidirectionalFlow, warp_from_flow
from stitching.warping.flow.semi_global import epipolar_flow
from stitching.warping.warp import CanvasPair, Warp

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


def classical_flow(pair: CanvasPair, initial: BidirectionalFlow | None = None) -> BidirectionalFlow:
    """Flow target -> reference and back: the best of these candidates at each pixel.

    - dense inverse search from no displacement: what the coarse alignment has brought near its place;
    - the same from the nearest sparse match: large displacements, where features are found;
    - semi-global matching along epipolar lines: large displacements of thin things, in a still scene;
    - with an `initial` flow of another method, dense inverse search from it, and what corrects it by a few px.
    """
    reference, target = fill_outside(pair)
    candidates = [_search(to_grey(target), to_grey(reference))]
    # A picture that is filled with the other one would hold copies of what is looked for farther away.
    reference_grey = fill_smoothly(to_grey(reference), pair.reference_valid)
    target_grey = fill_smoothly(to_grey(target), pair.target_valid)
    matches = pair.target_points, pair.reference_points
    if (sparse := _nearest_matches(*matches, target_grey)) is not None:
        candidates.append(_search(target_grey, reference_grey, sparse))
    if initial is not None:
        candidates.append(_search(target_grey, reference_grey, initial))
        candidates.append(_refine(target_grey, reference_grey, initial, MAX_INITIAL_ERROR, finest_level=1))
    epipolar = epipolar_flow(target_grey, reference_grey, pair.overlap, *matches)
    if epipolar is not None:
        candidates.append(epipolar)
    forward, backward = [c.forward for c in candidates], [c.backward for c in candidates]
    best = BidirectionalFlow(
        select_best(target, reference, pair.reference_valid, forward, backward),
        select_best(reference, target, pair.target_valid, backward, forward),
    )
    return _refine(target_grey, reference_grey, best)


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
    if initial is None:
        return BidirectionalFlow(dense_inverse_search(first, second), dense_inverse_search(second, first))
    return BidirectionalFlow(
        dense_inverse_search(first, second, initial.forward), dense_inverse_search(second, first, initial.backward)
    )


def _refine(
    first: Grey, second: Grey, flow: BidirectionalFlow, max_correction: float = 3.0, finest_level: int = 0
) -> BidirectionalFlow:
    return BidirectionalFlow(
        refine(first, second, flow.forward, max_correction, finest_level),
        refine(second, first, flow.backward, max_correction, finest_level),
    )


def _nearest_matches(
    first: NDArray[np.float64], second: NDArray[np.float64], picture: Grey
) -> BidirectionalFlow | None:
    """Flow of the nearest matches (n, 2) between pictures as large as `picture`; None where they are too few."""
    shape = picture.shape[0], picture.shape[1]
    forward, backward = nearest_match_flow(first, second, shape), nearest_match_flow(second, first, shape)
    return None if forward is None or backward is None else BidirectionalFlow(forward, backward)
