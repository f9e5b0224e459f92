"""How alike are two aligned pictures: SSIM, PSNR, and the brightness fits that take exposure out.

SSIM is scikit-image's, which is not in the base install.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 7  # px


def ssim_map(first: NDArray[np.generic], second: NDArray[np.generic]) -> NDArray[np.float64]:
    """Structural similarity at every pixel (Wang et al. 2004): 7 x 7 window, all weights equal.

    Args:
        first, second: (h, w) or (h, w, c), values 0..255.

    Returns:
        The shape of `first`, -1..1; 1 = the same. Within 3 px of the border the window sees mirrored pixels.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)

    def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.blur(x, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT), np.float64)

    unbiased = _WINDOW**2 / (_WINDOW**2 - 1)
    mean_a, mean_b = mean(a), mean(b)
    variance_a = unbiased * (mean(a * a) - mean_a * mean_a)
    variance_b = unbiased * (mean(b * b) - mean_b * mean_b)
    covariance = unbiased * (mean(a * b) - mean_a * mean_b)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return np.asarray(luminance * structure)


def ssim(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    """Mean of `ssim_map` without its outer 3 px, as scikit-image defines it."""
    edge = _WINDOW // 2
    return float(ssim_map(first, second)[edge:-edge, edge:-edge].mean())


def psnr(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    """Peak signal-to-noise ratio of two arrays of one shape, values 0..255, in dB; 138.1 when equal."""
    error = float(np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def fit_channels(picture: NDArray[np.uint8], like: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`picture` with the gain and offset per channel that bring it closest to `like` on `mask`.

    (h, w, 3) each, mask (h, w); returns float32 clipped to 0..255. Least squares; a flat channel stays.
    """
    fitted = picture.astype(np.float32)
    for channel in range(3):
        x, y = fitted[..., channel][mask], like[..., channel][mask].astype(np.float32)
        if x.std() > 1:
            gain, offset = np.polyfit(x, y, 1)
            fitted[..., channel] = (fitted[..., channel] * gain + offset).clip(0, 255)
    return fitted


def fit_grey(picture: NDArray[np.float32], like: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`picture` with one gain (0.4..2.5) and offset fitted to `like` on `mask`, (h, w) grey each.

    Fitted twice without the worst fifth of the pixels: a ghost must not pull the fit.
    """
    x, y = picture[mask].astype(np.float64), like[mask].astype(np.float64)
    gain, offset = 1.0, 0.0
    for _ in range(2):
        gain, offset = np.polyfit(x, y, 1) if x.std() > 1 else (1.0, float(y.mean() - x.mean()))
        error = np.abs(gain * x + offset - y)
        best = error <= np.percentile(error, 80)
        x, y = x[best], y[best]
    return picture * np.float32(np.clip(gain, 0.4, 2.5)) + np.float32(offset)
