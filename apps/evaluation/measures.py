"""How good is a panorama? Measured against its two source pictures, and ground truth where there is one.

Every measure is defined here and explained, with what it does not see, in docs/evaluate.md.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.registration import Registration, View, make_view, register
from apps.evaluation.similarity import fit_channels, fit_grey, psnr, ssim, ssim_map
from stitching.alignment.local_correlation import local_correlation, local_moments

SIDE = 480  # px: pictures are measured with the reference's longer side at this

_BLOCK = 16  # px, the grid on which content is looked for
_LARGEST = 1400, 1500  # px: longer side of the panorama when measured, first and second try
_WORST_ERROR = 50.0  # px, what an end-point error counts at most


@dataclass(frozen=True)
class Pair:
    """Two pictures at measuring size, prepared once for every panorama made of them.

    Attributes:
        reference, target: the views.
        scale: measuring px per full-size px.
        diagonal: px, of the reference's view.
        inside: (h, w) bool on the target's view, lies inside the reference's frame; None = not found in it.
    """

    reference: View
    target: View
    scale: float
    diagonal: float
    inside: NDArray[np.bool_] | None


@dataclass(frozen=True)
class PanoramaMeasures:
    """What a panorama is like; None = could not be measured. See docs/evaluate.md for the formulas.

    Attributes:
        reason: why the panorama counts as failed; empty = it does not.
        width, height: px, as written.
        area: seen pixels by the reference's pixels, both at the reference's scale.
        canvas: bounding box by seen area, 1 = full.
        blown_up: area > 6 or canvas > 4.
        kept_reference, kept_target: share of the picture's content found in the panorama, 0..1.
        kept_new: the same over the part of the target that the reference does not show.
        stretch_reference, stretch_target: 95th percentile of the ratio of singular values, 1 = none.
        size_spread: 95th by 5th percentile of the target's local scale, 1 = the same everywhere.
        ghost: share of the textured overlap that looks like neither source, 0..1.
        fidelity: grey levels from the closer source, mean over the overlap.
        seam, seam_p99: gradient that neither source has, grey levels per px, mean and 99th percentile.
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


@dataclass(frozen=True)
class OverlapMeasures:
    """How well the two warped pictures agree where both are seen.

    Attributes:
        overlap: jointly seen by seen of the reference, 0..1.
        psnr, ssim: over jointly seen pixels only; dB, -1..1.
        psnr_fitted, ssim_fitted: the same after a gain and offset per channel.
        udis_psnr, udis_ssim: the UDIS++ protocol (Nie et al. 2023): whole frame, zeros included.
    """

    overlap: float | None = None
    psnr: float | None = None
    psnr_fitted: float | None = None
    ssim: float | None = None
    ssim_fitted: float | None = None
    udis_psnr: float | None = None
    udis_ssim: float | None = None


@dataclass(frozen=True)
class WarpErrors:
    """End-point error of a warp, full-size target px, each at most 50.

    Attributes:
        epe, epe_median: mean and median.
        epe_over_3: share over 3 px, 0..1.
    """

    epe: float | None = None
    epe_median: float | None = None
    epe_over_3: float | None = None


def prepare(reference: NDArray[np.uint8], target: NDArray[np.uint8]) -> Pair:
    """Shrink two pictures, (h, w, 3) uint8 BGR, to measuring size and find their features and overlap."""
    scale = SIDE / max(reference.shape[:2])
    views = [make_view(_scaled(picture, scale)) for picture in (reference, target)]
    height, width = views[0].pixels.shape[:2]
    diagonal = float(np.hypot(height, width))
    found = register(views[1], views[0], diagonal)
    inside = None
    if found is not None:
        x, y = found.smooth[..., 0], found.smooth[..., 1]
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return Pair(views[0], views[1], scale, diagonal, inside)


def measure_panorama(
    pair: Pair, panorama: NDArray[np.uint8], valid: NDArray[np.uint8] | None = None
) -> PanoramaMeasures:
    """Measure one panorama of a pair.

    Args:
        pair: from `prepare`.
        panorama: (h, w, 3) uint8 BGR, of any scale and projection.
        seen: (h, w), nonzero = content. None: all but the black that reaches the border.
    """
    height, width = panorama.shape[:2]
    if valid is None:
        valid = _not_black_border(panorama)
    rows, columns = np.flatnonzero(valid.any(axis=1)), np.flatnonzero(valid.any(axis=0))
    if np.count_nonzero(valid) < 1000:
        return PanoramaMeasures("empty panorama", width, height)
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    panorama, valid = panorama[box], (valid[box] > 0).astype(np.uint8)
    canvas = valid.size / int(valid.sum())

    view, reference = _find_reference(pair, panorama, valid)
    if reference is None:
        return PanoramaMeasures("reference not found in the panorama", width, height, canvas=canvas)
    target = register(pair.target, view, pair.diagonal)
    area = float(view.valid.sum()) / _scale(reference) ** 2 / pair.reference.valid.size
    kept_target = _kept(pair.target, target)
    wide, narrow = reference.singular_values()
    stretch, spread = _shape(target)
    ghost, fidelity, seam, seam_p99 = _against_sources(pair, view)
    return PanoramaMeasures(
        reason="panorama smaller than the reference" if area < 0.8 else "",
        width=width,
        height=height,
        area=area,
        canvas=canvas,
        blown_up=area > 6 or canvas > 4,
        kept_reference=float(_kept(pair.reference, reference).mean()),
        kept_target=float(kept_target.mean()),
        kept_new=_kept_new(pair, kept_target),
        stretch_reference=float(np.percentile(wide / narrow, 95)),
        stretch_target=stretch,
        size_spread=spread,
        ghost=ghost,
        fidelity=fidelity,
        seam=seam,
        seam_p99=seam_p99,
    )


def measure_overlap(
    reference: NDArray[np.uint8],
    reference_mask: NDArray[np.bool_],
    target: NDArray[np.uint8],
    target_mask: NDArray[np.bool_],
) -> OverlapMeasures:
    """Compare both pictures after the warp and before blending, in one frame.

    Args:
        reference, target: (h, w, 3) uint8 BGR.
        reference_mask, target_mask: (h, w) bool, where each is seen.
    """
    if not reference_mask.any():
        return OverlapMeasures()
    rows, columns = (np.flatnonzero(reference_mask.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    a, b, both = reference[box], target[box], (reference_mask & target_mask)[box]
    share = float(both.sum() / reference_mask.sum())
    if both.sum() < 500:
        return OverlapMeasures(share)
    fitted = fit_channels(b, a, both)
    inner = _eroded(both)
    inner = inner if inner.any() else both

    blank = cv2.resize(both.astype(np.float32), (512, 512))[..., None]
    whole = [cv2.resize(picture, (512, 512)) * blank for picture in (a, b)]
    return OverlapMeasures(
        overlap=share,
        psnr=psnr(a[both], b[both]),
        psnr_fitted=psnr(a[both], fitted[both]),
        ssim=float(ssim_map(a, b)[inner].mean()),
        ssim_fitted=float(ssim_map(a, fitted)[inner].mean()),
        udis_psnr=psnr(whole[0], whole[1]),
        udis_ssim=ssim(whole[0], whole[1]),
    )


def measure_warp(
    truth: NDArray[np.floating],
    visible: NDArray[np.bool_],
    backward: NDArray[np.floating],
    origin: NDArray[np.floating],
    scale: float,
) -> WarpErrors:
    """End-point error of a backward map against ground truth.

    Args:
        truth: (H, W, 2), target px -> reference px.
        visible: (H, W) bool, truth is known and the reference sees the pixel.
        backward: (h, w, 2), map px -> target px, NaN where not covered.
        origin: (2,), canvas (0, 0) in reference px.
        scale: map px per canvas px.
    """
    if not visible.any():
        return WarpErrors()
    rows, columns = np.nonzero(visible)
    at = np.full((*visible.shape, 2), -9, np.float32)  # -9: outside, where nothing is asked
    at[visible] = (truth[visible] - origin + 0.5) * scale - 0.5
    far = 1e6  # anything interpolated with a hole is as far off as an error can be
    filled = np.ascontiguousarray(np.nan_to_num(backward.astype(np.float32), nan=far))
    place = cv2.remap(filled, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=(far, far))[visible]
    error = np.linalg.norm(place - np.column_stack([columns, rows]), axis=1).clip(max=_WORST_ERROR)
    return WarpErrors(float(error.mean()), float(np.median(error)), float((error > 3).mean()))


def _scaled(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way), np.uint8)


def _not_black_border(panorama: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) uint8, 0 where black (at most 4) is connected with the outside."""
    black = np.pad((panorama.max(axis=2) <= 4).astype(np.uint8), 1, constant_values=1)
    _, labels = cv2.connectedComponents(black)
    return np.asarray(labels != labels[0, 0], np.uint8)[1:-1, 1:-1]


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without its outer 4 px."""
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0)


def _scale(found: Registration) -> float:
    wide, narrow = found.singular_values()
    return float(np.median(np.sqrt(wide * narrow)))


def _find_reference(
    pair: Pair, panorama: NDArray[np.uint8], valid: NDArray[np.uint8]
) -> tuple[View, Registration | None]:
    """The panorama at the scale at which the reference in it has its measuring size, and the reference."""

    def attempt(factor: float) -> tuple[View, Registration | None]:
        pixels = _scaled(panorama, factor)
        size = pixels.shape[1], pixels.shape[0]
        mask = cv2.resize(valid, size, interpolation=cv2.INTER_NEAREST)
        view = make_view(pixels, np.asarray(mask, np.uint8))
        return view, register(pair.reference, view, pair.diagonal)

    longer = max(panorama.shape[:2])
    factor = min(pair.scale, _LARGEST[0] / longer)
    view, found = attempt(factor)
    if found is None:
        return view, None
    scale = _scale(found)
    better = float(np.clip(factor / scale, 1e-3, _LARGEST[1] / longer))
    if 0.85 < scale < 1.2 or abs(better / factor - 1) < 0.1:
        return view, found
    return attempt(better)


def _block_centres(view: View) -> tuple[NDArray[np.intp], ...]:
    height, width = view.pixels.shape[:2]
    half = _BLOCK // 2
    return np.ix_(np.arange(half, height - half + 1, _BLOCK), np.arange(half, width - half + 1, _BLOCK))


def _kept(source: View, found: Registration | None) -> NDArray[np.bool_]:
    """Per block of the source: is its content in the panorama, where the registration says it should be?"""
    centres = _block_centres(source)
    if found is None or found.valid.sum() < 400:
        return np.zeros_like(source.valid[centres], bool)
    warped = np.asarray(cv2.cvtColor(found.warped, cv2.COLOR_BGR2GRAY), np.float32)
    fitted = fit_grey(warped, source.grey, found.valid)
    window = _BLOCK + 1
    mean, variance = local_moments(source.grey, window)
    textured = variance > 5**2
    alike = local_correlation(source.grey, fitted, window) >= 0.75
    flat_alike = np.abs(mean - local_moments(fitted, window)[0]) <= 25
    there = cv2.blur(found.valid.astype(np.float32), (window, window)) > 0.85
    return np.asarray(np.where(textured, alike, flat_alike) & there)[centres]


def _kept_new(pair: Pair, kept_target: NDArray[np.bool_]) -> float | None:
    if pair.inside is None:
        return None
    new = ~pair.inside[_block_centres(pair.target)]
    return float(kept_target[new].mean()) if new.sum() > 8 else None


def _shape(target: Registration | None) -> tuple[float | None, float | None]:
    """Stretch and size spread of the target in the panorama."""
    if target is None:
        return None, None
    wide, narrow = target.singular_values()
    low, high = np.percentile(np.sqrt(wide * narrow), (5, 95))
    return float(np.percentile(wide / narrow, 95)), float(high / max(low, 1e-6))


def _against_sources(pair: Pair, view: View) -> tuple[float | None, float | None, float | None, float | None]:
    """Ghost, fidelity, seam and its 99th percentile: the panorama against both sources in its own frame."""
    sources = [register(view, source, pair.diagonal) for source in (pair.reference, pair.target)]
    panorama, valid = view.grey, view.valid > 0
    fitted: list[NDArray[np.float32]] = []
    both = valid
    for found in sources:
        if found is None:
            return None, None, None, None
        warped = np.asarray(cv2.cvtColor(found.warped, cv2.COLOR_BGR2GRAY), np.float32)
        fitted.append(fit_grey(warped, panorama, found.valid & valid))
        both = both & found.valid
    both = _eroded(both)
    if both.sum() <= 800:
        return None, None, None, None
    alike = np.maximum(*(local_correlation(panorama, source, 15) for source in fitted))
    variance = np.maximum(*(local_moments(picture, 15)[1] for picture in (panorama, fitted[0])))
    textured = both & (variance > 6**2)
    ghost = float((alike < 0.8)[textured].mean()) if textured.sum() > 200 else None
    fidelity = np.minimum(*(np.abs(panorama - source) for source in fitted))[both].mean()
    known = cv2.dilate(np.maximum(*map(_gradient, fitted)), np.ones((3, 3), np.uint8))
    unknown = np.maximum(0, _gradient(panorama) - known)[both]
    return ghost, float(fidelity), float(unknown.mean()), float(np.percentile(unknown, 99))


def _gradient(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Length of the gradient, grey levels per px."""
    x, y = (cv2.Sobel(picture, cv2.CV_32F, *order, scale=0.125) for order in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(x, y), np.float32)
