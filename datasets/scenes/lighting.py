"""Lighting: random suns, skies and ambient light for outdoor scenes and rooms."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.arrays import Floats
from datasets.scenes.scene import Light
from datasets.scenes.shapes.paint import Palette


def daylight(rng: np.random.Generator, palette: Palette) -> Light:
    """Outdoor light: overcast, low sun or clear."""
    clear = rng.random()
    if clear < 0.25:  # overcast
        elevation, sun, ambient = rng.uniform(40, 80), rng.uniform(0.05, 0.3), rng.uniform(0.9, 1.1)
        warmth, blue, clouds = rng.uniform(-0.02, 0.04), 0.03, rng.uniform(0.6, 1.0)
    elif clear < 0.45:  # a low sun
        elevation, sun, ambient = rng.uniform(14, 28), rng.uniform(1.1, 1.4), rng.uniform(0.42, 0.6)
        warmth, blue, clouds = rng.uniform(0.12, 0.3), rng.uniform(0.05, 0.15), rng.uniform(0.1, 0.6)
    else:
        elevation, sun, ambient = rng.uniform(30, 68), rng.uniform(0.95, 1.25), rng.uniform(0.38, 0.55)
        warmth, blue, clouds = rng.uniform(0.0, 0.08), rng.uniform(0.05, 0.12), rng.uniform(0.05, 0.7)
    exposure = _exposure(rng)
    haze = rng.uniform(0.0, 1.0) ** (0.3 if clear < 0.25 else 1.5)  # 1: a white sky
    deep_blue = np.array([rng.uniform(0.75, 0.95), rng.uniform(0.58, 0.7), rng.uniform(0.34, 0.5)], np.float32)
    return Light(
        to_sun=_direction(rng.uniform(0, 360), elevation),
        sun=_coloured(sun * exposure, warmth),
        ambient=_coloured(ambient * exposure, -blue),
        zenith=np.asarray(deep_blue + np.float32(haze) * (np.float32(0.86) - deep_blue), np.float32),
        horizon=_coloured(rng.uniform(0.85, 1.0), warmth * 0.5 - 0.04),
        cloud=int(palette.paint("clouds", n=1).texture[0]),
        cloudiness=float(clouds),
    )


def room_light(rng: np.random.Generator, palette: Palette) -> Light:
    """Light in a room: mostly ambient, the rest steeply from above; warm as of lamps or cool as of windows."""
    warmth = rng.uniform(-0.05, 0.16)
    exposure = _exposure(rng)
    sun = rng.uniform(0.25, 0.6) * exposure
    return Light(
        to_sun=_direction(rng.uniform(0, 360), rng.uniform(48, 85)),
        sun=_coloured(sun, warmth),
        ambient=_coloured(rng.uniform(1.1, 1.3) * exposure - 0.5 * sun, warmth * rng.uniform(0.2, 1.0)),
        zenith=np.array([0.85, 0.65, 0.5], np.float32),
        horizon=np.array([0.95, 0.92, 0.9], np.float32),
        cloud=int(palette.paint("clouds", n=1).texture[0]),
        cloudiness=float(rng.uniform(0.2, 0.9)),
    )


def through_windows(rng: np.random.Generator, light: Light, inward: ArrayLike) -> Light:
    """The same light with a strong sun that shines in through a wall whose inner side looks along `inward` (3,)."""
    x, _, z = np.asarray(inward, np.float64)
    azimuth = np.degrees(np.arctan2(-x, -z)) + rng.uniform(-50, 50)
    to_sun = _direction(azimuth, rng.uniform(22, 45))
    sun = _coloured(rng.uniform(0.8, 1.2) * float(light.ambient.mean()), 0.1)
    return replace(light, to_sun=to_sun, sun=sun, ambient=np.asarray(light.ambient * np.float32(0.95), np.float32))


def _exposure(rng: np.random.Generator) -> float:
    """Factor on all light: how a camera exposes the scene. At 1 a sunlit white surface comes out at about 1."""
    return float(np.exp(rng.normal(0.3, 0.3)))


def _direction(azimuth: float, elevation: float) -> Floats:
    """Unit vector to a light: azimuth in degrees from z towards x, elevation above the horizon."""
    a, e = np.radians(azimuth), np.radians(elevation)
    vector: NDArray[np.float64] = np.array([np.sin(a) * np.cos(e), -np.sin(e), np.cos(a) * np.cos(e)])
    return vector.astype(np.float32)


def _coloured(value: float, warmth: float) -> Floats:
    """BGR of brightness `value`; warmth > 0: less blue and more red."""
    return np.array([value * (1 - warmth), value, value * (1 + 0.6 * warmth)], np.float32)
