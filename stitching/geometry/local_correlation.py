"""Correlation of two aligned pictures in a window around every pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray


def local_moments(picture: NDArray[np.float32], window: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and variance of a picture (h, w) in a square window of `window` px around every pixel, both (h, w)."""
    mean = np.asarray(cv2.blur(picture, (window, window)), np.float32)
    return mean, np.asarray(cv2.blur(picture * picture, (window, window)) - mean * mean, np.float32)


def local_correlation(a: NDArray[np.float32], b: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Normalised cross-correlation of two pictures (h, w) in a square window around every pixel, (h, w), -1..1.

    Variances below 1 count as 1, so that flat regions do not correlate. Pictures in grey levels, 0..255.
    """
    (mean_a, variance_a), (mean_b, variance_b) = local_moments(a, window), local_moments(b, window)
    covariance = cv2.blur(a * b, (window, window)) - mean_a * mean_b
    return np.asarray(covariance / np.sqrt(np.maximum(variance_a, 1) * np.maximum(variance_b, 1)), np.float32)
