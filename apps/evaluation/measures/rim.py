"""How visible are the rims of the two pictures inside a panorama: steps of brightness where one of them ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.measures.feature_view import FeatureView
from apps.evaluation.measures.registration import Registration
from apps.evaluation.measures.similarity import fit_channels
from stitching.geometry.pixel_maps import Mask, inside, remap

_NEAREST, _FARTHEST = 2, 9  # px from the rim, to both sides: between these lie the bands that are compared
_STRETCH = 25  # px: side of the square in which a band is averaged
_MIN_SHARE = 0.06  # of that square that a band must fill
_SEEN = np.ones((19, 19), np.uint8)  # the other picture must show 9 px around the rim
_MIN_RIM = 20  # px; a shorter rim is not measured
_VISIBLE_STEP = 4.0  # grey levels

Colours = NDArray[np.float32]  # (h, w, 3)


@dataclass(frozen=True, eq=False)
class _Source:
    """One of the two pictures in the panorama's frame, with its colours fitted to it."""

    inside: Mask
    pixels: Colours


def measure_rims(
    view: FeatureView, sources: Sequence[FeatureView], found: Sequence[Registration]
) -> dict[str, float | None]:
    """`rim` and `rim_share`, as docs/evaluate.md defines them; None where no rim can be measured.

    Args:
        view: the panorama.
        sources: reference and target.
        found: where the panorama's content is in each of them.
    """
    one, other = (_fitted(view, *both) for both in zip(sources, found, strict=True))
    panorama, content = view.pixels.astype(np.float32), view.valid > 0
    steps = np.concatenate([_steps(panorama, content, *pair) for pair in ((one, other), (other, one))])
    if not steps.size:
        return {"rim": None, "rim_share": None}
    return {"rim": float(steps.mean()), "rim_share": float((steps > _VISIBLE_STEP).mean())}


def _fitted(view: FeatureView, source: FeatureView, found: Registration) -> _Source:
    height, width = source.pixels.shape[:2]
    pixels = fit_channels(remap(source.pixels, found.smooth), view.pixels, found.valid)
    return _Source(inside(found.smooth, (width, height)) & (view.valid > 0), pixels)


def _steps(panorama: Colours, content: Mask, ending: _Source, other: _Source) -> NDArray[np.float64]:
    """(n,) grey levels: steps along the rim of `ending` where `other` goes on, beyond those that `other` itself has."""
    goes_on = cv2.erode((other.inside & content).astype(np.uint8), _SEEN, borderValue=0) > 0
    within, beyond = (
        cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5) for side in (ending.inside, ~ending.inside)
    )
    bands = [(goes_on & (far > _NEAREST) & (far < _FARTHEST)).astype(np.float32) for far in (within, beyond)]
    shares = [cv2.blur(band, (_STRETCH, _STRETCH)) for band in bands]
    rim = goes_on & (within > 0) & (within <= 1.5) & (shares[0] > _MIN_SHARE) & (shares[1] > _MIN_SHARE)
    if rim.sum() < _MIN_RIM:
        return np.zeros(0)
    # The step of a difference of pictures is the difference of their steps.
    excess = panorama - other.pixels
    inner, outer = (
        cv2.blur(excess * band[..., None], (_STRETCH, _STRETCH))[rim] / share[rim][:, None]
        for band, share in zip(bands, shares, strict=True)
    )
    return np.asarray(np.abs(inner - outer).mean(axis=1), np.float64)
