"""Tone curves of colour profiles: a stored value, 0..1, to linear light, 0..1 (ICC.1:2022, 10.6 and 10.18)."""

import struct

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_STEPS = 65536  # of a curve that is inverted
_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}  # of each function of a parametric curve
_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1
_ADOBE_RGB = (563 / 256,)  # Adobe RGB (1998) Color Image Encoding, 4.3.1.2


def _parametric(function: int, parameters: tuple[float, ...]) -> bytes:
    numbers = (round(value * 65536) for value in parameters)
    return b"para" + bytes(4) + struct.pack(f">HH{len(parameters)}i", function, 0, *numbers)


SRGB_CURVE, ADOBE_RGB_CURVE = _parametric(3, _SRGB), _parametric(0, _ADOBE_RGB)


def is_curve(tag: bytes) -> bool:
    """Whether the bytes of a tag are a whole curve that `to_linear` knows."""
    if tag[:4] == b"curv" and len(tag) >= 12:
        return len(tag) >= 12 + 2 * int.from_bytes(tag[8:12])
    if tag[:4] != b"para" or len(tag) < 12:
        return False
    count = _PARAMETERS.get(int.from_bytes(tag[8:10]))
    return count is not None and len(tag) >= 12 + 4 * count


def to_linear(tag: bytes, stored: Values) -> Values:
    """Linear light 0..1 of stored values 0..1, by a curve for which `is_curve` holds."""
    with np.errstate(all="ignore"):  # of numbers that no curve has
        linear = _sampled(tag, stored) if tag[:4] == b"curv" else _by_function(tag, stored)
    return np.asarray(np.clip(np.nan_to_num(linear), 0, 1))


def from_linear(tag: bytes, linear: Values) -> Values:
    """Stored values 0..1 of linear light 0..1: the inverse of `to_linear`."""
    stored = np.linspace(0, 1, _STEPS)
    return np.interp(linear, np.maximum.accumulate(to_linear(tag, stored)), stored)


def _sampled(tag: bytes, stored: Values) -> Values:
    count = int.from_bytes(tag[8:12])
    if count == 0:
        return stored
    samples = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
    if count == 1:
        return np.asarray(stored ** (samples[0] / 256))
    return np.interp(stored * (count - 1), np.arange(count), samples / 65535)


def _by_function(tag: bytes, stored: Values) -> Values:
    """The five functions of ICC.1:2022, table 68: from d on (a x + b)^g + e, below it c x + f."""
    function = int.from_bytes(tag[8:10])
    g, a, b, c, d, e, f = 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    given = [value / 65536 for value in struct.unpack_from(f">{_PARAMETERS[function]}i", tag, 12)]
    if function == 0:
        (g,) = given
    elif function in (1, 2):
        g, a, b = given[:3]
        d = -b / a if a else 0.0
        e = f = given[3] if function == 2 else 0.0
    else:
        g, a, b, c, d = given[:5]
        e, f = given[5:] or (0.0, 0.0)
    return np.asarray(np.where(stored >= d, np.maximum(a * stored + b, 0) ** g + e, c * stored + f))
