"""How good is a panorama? Measured against its two source pictures.

Every measure is explained, with what it does not see, in docs/evaluate.md.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.measures.feature_view import FeatureView, make_view
from apps.evaluation.measures.registration import Registration, register
from apps.evaluation.measures.rim import measure_rims
from apps.evaluation.measures.similarity import fit_grey
from stitching.geometry.local_correlation import local_correlation, local_moments
from stitching.geometry.rectangles import bounding_rectangle
from stitching.io.picture import to_grey

SIDE = 480  # px: pictures are measured with the reference's longer side at this

_MAX_SIDE = 1400, 1500  # px: longer side of the panorama when measured, first and second try
_MIN_PANORAMA = 1000  # px of content
_MAX_BLACK = 4  # grey level
_MIN_AREA, _MAX_AREA, _MAX_CANVAS = 0.8, 6.0, 4.0  # a panorama outside is too small or blown up
_BLOCK = 16  # px, the grid on which content is looked for; compared in a window of one px more
_MIN_TEXTURE = 5.0  # grey levels, standard deviation: blocks above are compared by correlation, others by mean
_MIN_CORRELATION, _MAX_MEAN_DIFFERENCE, _MIN_COVERAGE = 0.75, 25.0, 0.85  # of a block that is kept; grey levels
_MIN_REGISTERED, _MIN_OVERLAP, _MIN_TEXTURED_OVERLAP = 400, 800, 200  # px; less is not measured
_MIN_NEW_BLOCKS = 9
_GHOST_WINDOW = 15  # px, over which the panorama is compared with its sources
_GHOST_TEXTURE, _GHOST_CORRELATION = 6.0, 0.8  # grey levels; a ghost's correlation is below
_RIM = np.ones((9, 9), np.uint8)  # 4 px of the overlap's border are not compared

GreyFloat = NDArray[np.float32]  # (h, w), 0..255


@dataclass(frozen=True)
class SourcePair:
    """Two pictures at measuring size, prepared once for every panorama made of them.

    Attributes:
        reference, target: the views.
        scale: measuring px per full-size px.
        diagonal: px, of the reference's view.
        inside: (h, w) bool on the target's view, is inside the reference's frame; None = not found in it.
    """

    reference: FeatureView
    target: FeatureView
    scale: float
    diagonal: float
    inside: NDArray[np.bool_] | None


@dataclass(frozen=True)
class PanoramaMeasures:
    """What a panorama is like; None = could not be measured. See docs/evaluate.md for the formulas.

    Attributes:
        reason: why the panorama counts as failed; empty = it does not.
        width, height: px, as written.
        area: its pixels by those of the reference, both at the reference's scale.
        canvas: bounding box by area of the content, 1 = full.
        blown_up: area > 6 or canvas > 4.
        kept_reference, kept_target: share of the picture's content found in the panorama, 0..1.
        kept_new: the same over the part of the target that the reference does not show.
        stretch_reference, stretch_target: 95th percentile of the ratio of singular values, 1 = none.
        size_spread: 95th by 5th percentile of the target's local scale, 1 = the same everywhere.
        ghost: share of the textured overlap that looks like neither source, 0..1.
        fidelity: grey levels from the closer source, mean over the overlap.
        seam, seam_p99: gradient that neither source has, grey levels per px, mean and 99th percentile.
        rim, rim_share: step where a picture ends, grey levels, and share of these places that are over 4.
    """

    reason: str = ""
    width: int | None = None
    height: int | None = None
    area: float | None = None
    canvas: float | None = None
    blown_up: bool | None = None
    kept_reference: float | None = None
    kept_target: float | None = None
    kept_new: float | None = None
    stretch_reference: float | None = None
    stretch_target: float | None = None
    size_spread: float | None = None
    ghost: float | None = None
    fidelity: float | None = None
    seam: float | None = None
    seam_p99: float | None = None
    rim: float | None = None
    rim_share: float | None = None

    @property
    def good(self) -> bool:
        """Both contents kept, hardly any ghost, no strong stretch: a rule of thumb for counting."""
        return (
            not self.reason
            and not self.blown_up
            and min(self.kept_reference or 0, self.kept_target or 0) > 0.85
            and self.ghost is not None
            and self.ghost < 0.08
            and self.stretch_target is not None
            and self.stretch_target < 2
        )


def prepare(reference: NDArray[np.uint8], target: NDArray[np.uint8]) -> SourcePair:
    """Shrink two pictures, (h, w, 3) uint8 BGR, to measuring size and find their features and overlap."""
    scale = SIDE / max(reference.shape[:2])
    views = [make_view(_resized(picture, scale)) for picture in (reference, target)]
    height, width = views[0].pixels.shape[:2]
    diagonal = float(np.hypot(height, width))
    found = register(views[1], views[0], diagonal)
    inside = None
    if found is not None:
        x, y = found.smooth[..., 0], found.smooth[..., 1]
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return SourcePair(views[0], views[1], scale, diagonal, inside)


def measure_panorama(
    pair: SourcePair, panorama: NDArray[np.uint8], valid: NDArray[np.uint8] | None = None
) -> PanoramaMeasures:
    """Measure one panorama of a pair.

    Args:
        pair: from `prepare`.
        panorama: (h, w, 3) uint8 BGR, of any scale and projection.
        valid: (h, w), nonzero = content. None: all but the black that reaches the border.
    """
    height, width = panorama.shape[:2]
    valid = _not_black_border(panorama) if valid is None else (valid > 0).astype(np.uint8)
    if np.count_nonzero(valid) < _MIN_PANORAMA:
        return PanoramaMeasures("empty panorama", width, height)
    box = bounding_rectangle(valid > 0).slices
    panorama, valid = panorama[box], valid[box]
    canvas = valid.size / int(valid.sum())
    view, reference = _find_reference(pair, panorama, valid)
    if reference is None:
        return PanoramaMeasures("reference not found in the panorama", width, height, canvas=canvas)
    target = register(pair.target, view, pair.diagonal)
    area = float(view.valid.sum()) / float(np.median(reference.scales())) ** 2 / pair.reference.valid.size
    kept_target = _kept(pair.target, target)
    return PanoramaMeasures(
        reason="panorama smaller than the reference" if area < _MIN_AREA else "",
        width=width,
        height=height,
        area=area,
        canvas=canvas,
        blown_up=area > _MAX_AREA or canvas > _MAX_CANVAS,
        kept_reference=float(_kept(pair.reference, reference).mean()),
        kept_target=float(kept_target.mean()),
        kept_new=_kept_new(pair, kept_target),
        stretch_reference=_stretch(reference),
        stretch_target=None if target is None else _stretch(target),
        size_spread=None if target is None else _size_spread(target),
        **_against_sources(pair, view),
    )


def _resized(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=interpolation), np.uint8)


def _not_black_border(panorama: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) uint8, 0 where black is connected with the outside, else 1."""
    black = np.pad((panorama.max(axis=2) <= _MAX_BLACK).astype(np.uint8), 1, constant_values=1)
    _, labels = cv2.connectedComponents(black)
    return np.asarray(labels != labels[0, 0], np.uint8)[1:-1, 1:-1]


def _find_reference(
    pair: SourcePair, panorama: NDArray[np.uint8], valid: NDArray[np.uint8]
) -> tuple[FeatureView, Registration | None]:
    """The panorama at the scale at which the reference in it has its measuring size, and the reference."""

    def attempt(factor: float) -> tuple[FeatureView, Registration | None]:
        pixels = _resized(panorama, factor)
        mask = cv2.resize(valid, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        view = make_view(pixels, np.asarray(mask, np.uint8))
        return view, register(pair.reference, view, pair.diagonal)

    longer = max(panorama.shape[:2])
    factor = min(pair.scale, _MAX_SIDE[0] / longer)
    view, found = attempt(factor)
    if found is None:
        return view, None
    scale = float(np.median(found.scales()))
    better = float(np.clip(factor / scale, 1e-3, _MAX_SIDE[1] / longer))
    if 0.85 < scale < 1.2 or abs(better / factor - 1) < 0.1:
        return view, found
    return attempt(better)


def _block_centres(view: FeatureView) -> tuple[NDArray[np.intp], ...]:
    height, width = view.pixels.shape[:2]
    half = _BLOCK // 2
    return np.ix_(np.arange(half, height - half + 1, _BLOCK), np.arange(half, width - half + 1, _BLOCK))


def _kept(source: FeatureView, found: Registration | None) -> NDArray[np.bool_]:
    """(rows, columns) per block of the source: does the panorama show its content where the registration expects it?"""
    centres = _block_centres(source)
    if found is None or found.valid.sum() < _MIN_REGISTERED:
        return np.zeros_like(source.valid[centres], bool)
    fitted = fit_grey(to_grey(found.warped).astype(np.float32), source.grey, found.valid)
    window = _BLOCK + 1
    mean, variance = local_moments(source.grey, window)
    textured = variance > _MIN_TEXTURE**2
    textures_agree = local_correlation(source.grey, fitted, window) >= _MIN_CORRELATION
    means_agree = np.abs(mean - local_moments(fitted, window)[0]) <= _MAX_MEAN_DIFFERENCE
    covered = cv2.blur(found.valid.astype(np.float32), (window, window)) > _MIN_COVERAGE
    return np.asarray(np.where(textured, textures_agree, means_agree) & covered)[centres]


def _kept_new(pair: SourcePair, kept_target: NDArray[np.bool_]) -> float | None:
    if pair.inside is None:
        return None
    new = ~pair.inside[_block_centres(pair.target)]
    return float(kept_target[new].mean()) if new.sum() >= _MIN_NEW_BLOCKS else None


def _stretch(found: Registration) -> float:
    larger, smaller = found.singular_values()
    return float(np.percentile(larger / smaller, 95))


def _size_spread(found: Registration) -> float:
    low, high = np.percentile(found.scales(), (5, 95))
    return float(high / max(low, 1e-6))


def _against_sources(pair: SourcePair, view: FeatureView) -> dict[str, float | None]:
    """Ghost, fidelity, seam and rim of the panorama, where both sources are found in it; empty where they are not."""
    panorama, both = view.grey, view.valid > 0
    sources, found = (pair.reference, pair.target), []
    for source in sources:
        registration = register(view, source, pair.diagonal)
        if registration is None:
            return {}
        found.append(registration)
        both = both & registration.valid
    both = cv2.erode(both.astype(np.uint8), _RIM) > 0
    if both.sum() <= _MIN_OVERLAP:
        return {}
    fitted = [fit_grey(to_grey(one.warped).astype(np.float32), panorama, one.valid & (view.valid > 0)) for one in found]
    fidelity = np.minimum(*(np.abs(panorama - source) for source in fitted))[both].mean()
    in_sources = cv2.dilate(np.maximum(*map(_gradient, fitted)), np.ones((3, 3), np.uint8))
    excess = np.maximum(0, _gradient(panorama) - in_sources)[both]
    return {
        "ghost": _ghost(panorama, fitted, both),
        "fidelity": float(fidelity),
        "seam": float(excess.mean()),
        "seam_p99": float(np.percentile(excess, 99)),
    } | measure_rims(view, sources, found)


def _ghost(panorama: GreyFloat, sources: list[GreyFloat], both: NDArray[np.bool_]) -> float | None:
    correlation = np.maximum(*(local_correlation(panorama, source, _GHOST_WINDOW) for source in sources))
    variance = np.maximum(*(local_moments(picture, _GHOST_WINDOW)[1] for picture in (panorama, sources[0])))
    textured = both & (variance > _GHOST_TEXTURE**2)
    return (
        float((correlation < _GHOST_CORRELATION)[textured].mean()) if textured.sum() > _MIN_TEXTURED_OVERLAP else None
    )


def _gradient(picture: GreyFloat) -> GreyFloat:
    """Length of the gradient, grey levels per px."""
    x, y = (cv2.Sobel(picture, cv2.CV_32F, *order, scale=0.125) for order in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(x, y), np.float32)
