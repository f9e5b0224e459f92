"""Translation between two pictures without features: masked normalised cross-correlation of their details."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Grey

MAX_SIDE = 112  # px of the copies that are correlated: small enough to average the noise
DETAIL_SIGMA = 0.03  # of the diagonal; broader structures (sky, vignetting) correlate in any two pictures
MIN_DEVIATION = 0.3  # grey levels; weaker details are not correlated
MIN_OVERLAP = 0.2  # of the smaller picture

Grid = NDArray[np.float64]  # (h, w)


def find_translation(
    target: Grey, reference: Grey, target_mask: Grey | None = None, reference_mask: Grey | None = None
) -> tuple[tuple[float, float], float]:
    """The translation after which two pictures correlate most.

    Args:
        target, reference: (h, w) uint8 of the same scale; their sizes may differ.
        target_mask, reference_mask: (h, w) uint8, 255 = use; None = all of the picture.

    Returns:
        (x, y), target px -> reference px, and the correlation of the overlapping details, -1..1.
    """
    scale = min(1.0, MAX_SIDE / max(*target.shape, *reference.shape))
    surface = _correlation(*_details(target, target_mask, scale), *_details(reference, reference_mask, scale))
    rows, columns = surface.shape
    row, column = divmod(int(surface.argmax()), columns)
    peak = float(surface[row, column])
    x = column + _parabola_vertex(surface[row, column - 1], peak, surface[row, (column + 1) % columns])
    y = row + _parabola_vertex(surface[row - 1, column], peak, surface[(row + 1) % rows, column])
    # The surface is periodic: its second half holds the negative translations.
    height, width = (round(side * scale) for side in reference.shape)
    translation = (x if column < width else x - columns) / scale, (y if row < height else y - rows) / scale
    return translation, peak


def _details(picture: Grey, mask: Grey | None, scale: float) -> tuple[Grid, Grid]:
    """The details of a small copy (h, w), 0 where masked, and its validity (h, w), 1 or 0.

    Details are what a quadratic surface and then a Gaussian mean leave.
    """
    h, w = (max(1, round(side * scale)) for side in picture.shape)
    small = np.asarray(cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA), np.float64)
    valid = np.ones((h, w))
    if mask is not None:
        valid = (np.asarray(cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)) > 254).astype(np.float64)
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    terms = np.stack([np.ones((h, w)), x, y, x * x, x * y, y * y], axis=-1)  # (h, w, 6)
    known = valid > 0
    factors = np.linalg.lstsq(terms[known], small[known], rcond=None)[0]
    rest = (small - terms @ factors) * valid  # (h, w, 6) @ (6,) -> (h, w)
    sigma = DETAIL_SIGMA * float(np.hypot(h, w))
    blurred, share = (cv2.GaussianBlur(p, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT) for p in (rest, valid))
    return (rest - blurred / np.maximum(share, 1e-6)) * valid, valid


def _correlation(target: Grid, target_valid: Grid, reference: Grid, reference_valid: Grid) -> Grid:
    """(H, W): correlation of the overlap at every translation, periodic, by FFT (Padfield 2012, eq. 8-16)."""
    size = target.shape[0] + reference.shape[0], target.shape[1] + reference.shape[1]
    t, t2, m = (np.conj(np.fft.rfft2(p, size)) for p in (target, target**2, target_valid))
    r, r2, n = (np.fft.rfft2(p, size) for p in (reference, reference**2, reference_valid))
    count, mean_t, mean_r, square_t, square_r, product = (
        np.fft.irfft2(p, size) for p in (m * n, t * n, m * r, t2 * n, m * r2, t * r)
    )  # sums over the overlap
    overlaps = count > max(MIN_OVERLAP * min(target_valid.sum(), reference_valid.sum()), 1)
    count = np.maximum(count, 1)
    variances = (
        np.maximum(square - mean**2 / count, MIN_DEVIATION**2 * count)
        for square, mean in ((square_t, mean_t), (square_r, mean_r))
    )
    covariance = product - mean_t * mean_r / count
    return np.where(overlaps, covariance / np.sqrt(np.prod(list(variances), axis=0)), -1.0)


def _parabola_vertex(before: float, at: float, after: float) -> float:
    """Position of the maximum of the parabola through three neighbours, px from the middle one."""
    curvature = before - 2 * at + after
    return float(np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)) if curvature < 0 else 0.0
