"""A shift between two pictures without features: masked normalised cross-correlation of their details."""

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST = 112  # px of the copies that are compared: small enough to be without noise
BROAD = 0.03  # of the diagonal, sigma: what is broader - sky gradients, vignetting - is alike in any two pictures
FLAT = 0.3  # grey levels; where details are weaker, there is nothing to compare
LEAST_OVERLAP = 0.2  # of the smaller picture

Grid = NDArray[np.float64]  # (h, w)


def find_translation(
    target: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    target_mask: NDArray[np.uint8] | None = None,
    reference_mask: NDArray[np.uint8] | None = None,
) -> tuple[tuple[float, float], float]:
    """The shift (x, y), target px -> reference px, after which the pictures look most alike, and how much.

    Args:
        target, reference: (h, w) uint8 of one scale, each of its own size.
        target_mask, reference_mask: (h, w) uint8, 255 = look here; None = everywhere.

    Returns:
        The shift, px, and the correlation of the details that overlap then, -1..1.
    """
    scale = min(1.0, LONGEST / max(*target.shape, *reference.shape))
    surface = _correlation(*_details(target, target_mask, scale), *_details(reference, reference_mask, scale))
    rows, columns = surface.shape
    row, column = divmod(int(surface.argmax()), columns)
    across, down = (np.roll(surface, -shift, axis=axis) for axis, shift in ((1, column), (0, row)))
    x = column + _vertex(across[row, -1], across[row, 0], across[row, 1])
    y = row + _vertex(down[-1, column], down[0, column], down[1, column])
    # The surface is periodic: its second half are the negative shifts.
    height, width = (round(side * scale) for side in reference.shape)
    shift = (x if column < width else x - columns) / scale, (y if row < height else y - rows) / scale
    return shift, float(surface[row, column])


def _details(picture: NDArray[np.uint8], mask: NDArray[np.uint8] | None, scale: float) -> tuple[Grid, Grid]:
    """A small copy (h, w) without all that is broad, 0 where masked, and where it is seen, 1 or 0."""
    h, w = (max(1, round(side * scale)) for side in picture.shape)
    small = np.asarray(cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA), np.float64)
    valid = np.ones((h, w))
    if mask is not None:
        valid = (np.asarray(cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)) > 254).astype(np.float64)
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    terms = np.stack([np.ones((h, w)), x, y, x * x, x * y, y * y], axis=-1)  # (h, w, 6)
    known = valid > 0
    factors = np.linalg.lstsq(terms[known], small[known], rcond=None)[0]
    rest = (small - terms @ factors) * valid
    sigma = BROAD * float(np.hypot(h, w))
    blurred, share = (cv2.GaussianBlur(p, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT) for p in (rest, valid))
    return (rest - blurred / np.maximum(share, 1e-6)) * valid, valid


def _correlation(target: Grid, target_valid: Grid, reference: Grid, reference_valid: Grid) -> Grid:
    """(H, W): correlation of the overlapping pixels at every shift, by FFT (Padfield 2012, eq. 8-16); periodic."""
    size = target.shape[0] + reference.shape[0], target.shape[1] + reference.shape[1]
    t, t2, m = (np.conj(np.fft.rfft2(p, size)) for p in (target, target**2, target_valid))
    r, r2, n = (np.fft.rfft2(p, size) for p in (reference, reference**2, reference_valid))
    count, mean_t, mean_r, square_t, square_r, product = (
        np.fft.irfft2(p, size) for p in (m * n, t * n, m * r, t2 * n, m * r2, t * r)
    )  # sums over the overlap
    enough = count > max(LEAST_OVERLAP * min(target_valid.sum(), reference_valid.sum()), 1)
    count = np.maximum(count, 1)
    variances = (
        np.maximum(square - mean**2 / count, FLAT**2 * count)
        for square, mean in ((square_t, mean_t), (square_r, mean_r))
    )
    covariance = product - mean_t * mean_r / count
    return np.where(enough, covariance / np.sqrt(np.prod(list(variances), axis=0)), -1.0)


def _vertex(before: float, at: float, after: float) -> float:
    """Where the parabola through three neighbours has its top, px from the middle one."""
    bend = before - 2 * at + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
