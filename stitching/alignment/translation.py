"""Translation between two pictures without features: masked normalised cross-correlation of their details."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Grey

MAX_SIDE = 112  # px of the copies that are correlated: small enough to average the noise
DETAIL_SIGMA = 0.03  # of the diagonal; broader structures (sky, vignetting) correlate in any two pictures
MIN_DEVIATION = 0.3  # grey levels; weaker details are not correlated
MIN_OVERLAP = 0.2  # of the smaller picture

Grid = NDArray[np.float64]  # (h, w)


@dataclass(frozen=True)
class Translation:
    """A translation of a whole picture, and how much speaks for it.

    Attributes:
        shift: (x, y), target px -> reference px.
        correlation: of the overlapping details, -1..1.
        independent_details: how many independent details would correlate by chance as these do. Neighbouring pixels
            are alike, so there are fewer than pixels (Clifford, Richardson & Hemon 1989).
    """

    shift: tuple[float, float]
    correlation: float
    independent_details: float

    @property
    def significance(self) -> float:
        """The correlation in standard deviations of that of unrelated details, by Fisher's z."""
        return float(np.arctanh(np.clip(self.correlation, 0, 0.999)) * np.sqrt(self.independent_details))


def find_translation(
    target: Grey, reference: Grey, target_mask: Grey | None = None, reference_mask: Grey | None = None
) -> Translation:
    """The translation after which two pictures correlate most.

    Args:
        target, reference: (h, w) uint8 of the same scale; their sizes may differ.
        target_mask, reference_mask: (h, w) uint8, 255 = use; None = all of the picture.
    """
    scale = min(1.0, MAX_SIDE / max(*target.shape, *reference.shape))
    small = details(target, target_mask, scale), details(reference, reference_mask, scale)
    surface = correlation(*small[0], *small[1])
    rows, columns = surface.shape
    row, column = divmod(int(surface.argmax()), columns)
    peak = float(surface[row, column])
    x = parabola_vertex(surface[row, column - 1], peak, surface[row, (column + 1) % columns])
    y = parabola_vertex(surface[row - 1, column], peak, surface[(row + 1) % rows, column])
    # The surface is periodic: its second half holds the negative translations.
    height, width = small[1][0].shape
    across, down = column if column < width else column - columns, row if row < height else row - rows
    return Translation(((across + x) / scale, (down + y) / scale), peak, independent_details(*small, across, down))


def details(picture: Grey, mask: Grey | None, scale: float) -> tuple[Grid, Grid]:
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


def correlation(
    target: Grid, target_valid: Grid, reference: Grid, reference_valid: Grid, min_overlap: float = MIN_OVERLAP
) -> Grid:
    """(H, W): correlation of the overlap at every translation, periodic, by FFT (Padfield 2012, eq. 8-16).

    It is -1 where less than `min_overlap` of the smaller picture overlaps.
    """
    size = target.shape[0] + reference.shape[0], target.shape[1] + reference.shape[1]
    t, t2, m = (np.conj(np.fft.rfft2(p, size)) for p in (target, target**2, target_valid))
    r, r2, n = (np.fft.rfft2(p, size) for p in (reference, reference**2, reference_valid))
    count, mean_t, mean_r, square_t, square_r, product = (
        np.fft.irfft2(p, size) for p in (m * n, t * n, m * r, t2 * n, m * r2, t * r)
    )  # sums over the overlap
    overlaps = count > max(min_overlap * min(target_valid.sum(), reference_valid.sum()), 1)
    count = np.maximum(count, 1)
    variances = (
        np.maximum(square - mean**2 / count, MIN_DEVIATION**2 * count)
        for square, mean in ((square_t, mean_t), (square_r, mean_r))
    )
    covariance = product - mean_t * mean_r / count
    return np.where(overlaps, covariance / np.sqrt(np.prod(list(variances), axis=0)), -1.0)


def independent_details(target: tuple[Grid, Grid], reference: tuple[Grid, Grid], across: int, down: int) -> float:
    """The effective sample size of the correlation after a translation of whole px; 0 where nothing overlaps.

    Args:
        target, reference: details (h, w) and their validity (h, w), 1 or 0.
        across, down: target px -> reference px.
    """
    (h, w), (height, width) = target[0].shape, reference[0].shape
    top, bottom, left, right = max(0, -down), min(h, height - down), max(0, -across), min(w, width - across)
    if top >= bottom or left >= right:
        return 0.0
    there = slice(top, bottom), slice(left, right)
    here = slice(top + down, bottom + down), slice(left + across, right + across)
    valid = target[1][there] * reference[1][here]
    alike = _autocorrelation(target[0][there], valid) * _autocorrelation(reference[0][here], valid)
    return float(valid.sum() / max(alike.sum(), 1e-9))


def _autocorrelation(details: Grid, valid: Grid) -> Grid:
    """(2 h, 2 w): by the distance of two pixels, periodic; 1 at the distance 0."""
    centred = (details - (details * valid).sum() / max(valid.sum(), 1)) * valid
    size = 2 * details.shape[0], 2 * details.shape[1]
    products = np.fft.irfft2(np.abs(np.fft.rfft2(centred, size)) ** 2, size)
    return np.asarray(products / max(products[0, 0], 1e-9))


def parabola_vertex(before: float, at: float, after: float) -> float:
    """Position of the maximum of the parabola through three neighbours, px from the middle one."""
    curvature = before - 2 * at + after
    return float(np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)) if curvature < 0 else 0.0
