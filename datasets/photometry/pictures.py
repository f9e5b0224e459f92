"""Photometry of a camera: exposure, white balance, gamma, vignetting, blur, noise, JPEG. By albumentations."""

import os
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Floats, Pixels

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # before the import, which would ask the net for its newest version
import albumentations

_MAX_CLIPPED = 0.1  # share of a picture's values that the exposure may saturate
_MIN_MEDIAN = 0.02  # linear light; no exposure takes the median below it


@dataclass(frozen=True)
class Look:
    """Photometric parameters of one picture. The defaults change nothing."""

    stops: float = 0.0  # exposure: linear light times 2^stops
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)  # factors on linear B, G, R
    gamma: float = 1.0  # exponent on sRGB values in [0, 1]; above 1 is darker
    vignetting: float = 0.0  # share of the light lost in the corners
    blur: float = 0.0  # px, sigma of a Gaussian
    noise: float = 0.0  # grey levels, sigma of a Gaussian, independent in each channel
    jpeg_quality: int | None = None  # 1..100; None: not compressed
    noise_seed: int = 0


@dataclass(frozen=True, eq=False)
class PhotographedPair:
    """A pair as two cameras took it, and the true stitch in the reference's tone. All (h, w, 3) BGR."""

    reference: Pixels
    target: Pixels
    stitched: Pixels
    facts: dict[str, Any]  # JSON-ready: {"reference": the fields of its Look, "target": the same}


def photograph(reference: Pixels, target: Pixels, stitched: Pixels, rng: np.random.Generator) -> PhotographedPair:
    """Apply one random look to the reference and another to the target; `stitched` gets the reference's tone only.

    All three are clean pictures (h, w, 3) BGR, of any sizes; they are not changed. The tone is exposure, white
    balance and gamma, which depend on the value of a pixel only.
    """
    first, second = draw_look(reference, rng), draw_look(target, rng)
    return PhotographedPair(
        reference=apply_look(reference, first),
        target=apply_look(target, second),
        stitched=apply_tone(stitched, first),
        facts={"reference": asdict(first), "target": asdict(second)},
    )


def draw_look(picture: Pixels, rng: np.random.Generator) -> Look:
    """Draw a look at random for a picture (h, w, 3) BGR, whose brightness limits the exposure."""
    stops = float(np.clip(rng.normal(0.0, 0.5), -1.5, 1.5))
    blue, red = rng.uniform(0.9, 1.1, 2)
    return Look(
        stops=float(np.clip(stops, *_exposure_range(picture))),
        white_balance=(float(blue), 1.0, float(red)),
        gamma=float(np.clip(np.exp(rng.normal(0.0, 0.08)), 0.8, 1.25)),
        vignetting=float(rng.uniform(0.0, 0.35)),
        blur=float(min(abs(rng.normal(0.0, 0.5)), 1.5)),
        noise=float(min(rng.exponential(1.5), 6.0)),
        jpeg_quality=int(rng.integers(70, 99)) if rng.random() < 0.8 else None,
        noise_seed=int(rng.integers(2**31)),
    )


def apply_look(picture: Pixels, look: Look) -> Pixels:
    """The picture (h, w, 3) BGR with blur, vignetting, tone, noise and JPEG compression of a look; same size."""
    result = picture
    if look.blur > 0:
        result = albumentations.GaussianBlur(sigma_limit=(look.blur, look.blur), p=1)(image=result)["image"]
    if look.vignetting > 0:
        result = _apply_vignetting(result, look.vignetting)
    result = apply_tone(result, look)
    if look.noise > 0:
        sigma = look.noise / 255
        transform = albumentations.GaussNoise(std_range=(sigma, sigma), p=1)
        transform.set_random_seed(look.noise_seed)
        result = transform(image=result)["image"]
    if look.jpeg_quality is not None:
        quality = look.jpeg_quality
        result = albumentations.ImageCompression(quality_range=(quality, quality), p=1)(image=result)["image"]
    return result


def apply_tone(picture: Pixels, look: Look) -> Pixels:
    """The picture (h, w, 3) BGR with exposure, white balance and gamma of a look, and nothing else of it."""
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[:, None, None]  # a picture of all grey levels
    factors = np.float32(2.0**look.stops) * np.array(look.white_balance, np.float32)
    exposed = _to_srgb(np.minimum(_to_linear(ramp) * factors, 1))
    percent = 100 * look.gamma  # applied to the float ramp: on 8-bit pictures the transform truncates
    curve = albumentations.RandomGamma(gamma_limit=(percent, percent), p=1)(image=exposed)["image"]
    return np.asarray(cv2.LUT(picture, np.rint(255 * curve).astype(np.uint8)), np.uint8)


def _exposure_range(picture: Pixels) -> tuple[float, float]:
    """Lowest and highest exposure in stops that keep the picture neither too dark nor saturated; 0 is in the range."""
    sampled = picture[::4, ::4]
    middle, bright = _to_linear(np.quantile(sampled, (0.5, 1 - _MAX_CLIPPED)) / 255)
    lowest = min(0.0, float(np.log2(_MIN_MEDIAN / max(middle, 1e-3))))
    return lowest, max(0.0, float(-np.log2(max(bright, 1e-3))))


def _apply_vignetting(picture: Pixels, strength: float) -> Pixels:
    """Darken with the square of the distance from the centre; the corners lose `strength` of their light."""
    height, width = picture.shape[:2]
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    distance2 = (y[:, None] ** 2 * height**2 + x**2 * width**2) / (height**2 + width**2)  # 1 in the corners
    factor = np.sqrt(1 - strength * distance2.astype(np.float32))  # sRGB values are about the square root of the light
    darker = np.multiply(picture, factor[..., None], dtype=np.float32)
    return np.asarray(cv2.convertScaleAbs(darker), np.uint8)  # rounds


def _to_linear(values: NDArray[np.floating[Any]]) -> Floats:
    """SRGB values in [0, 1] to linear light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _to_srgb(light: Floats) -> Floats:
    """Linear light in [0, 1] to sRGB values."""
    curved = 1.055 * np.maximum(light, 1e-8) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, curved).astype(np.float32)
