"""Small profiles of well-known colours, for files that name them and embed none."""

import struct
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stitching.io.colours.curves import ADOBE_RGB_CURVE, SRGB_CURVE

ColourSpace = Literal["sRGB", "Adobe RGB", "Display P3", "Rec. 2020"]

# Chromaticities x, y of red, green and blue: IEC 61966-2-1, Adobe RGB (1998), SMPTE EG 432-1, ITU-R BT.2020.
_PRIMARIES: dict[ColourSpace, tuple[tuple[float, float], ...]] = {
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "Display P3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    "Rec. 2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}
_D65 = 0.3127, 0.3290
_D50 = 0.9642, 1.0, 0.8249  # XYZ, of the profile connection space
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_DATE = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)  # the same bytes each time
# Code points of ITU-T H.273: primaries, and transfer curves that are nearly that of sRGB.
_CODED_PRIMARIES: dict[int, ColourSpace] = {9: "Rec. 2020", 11: "Display P3", 12: "Display P3"}
_CODED_CURVES = {1, 2, 6, 13, 14, 15}


@cache
def made_profile(space: ColourSpace) -> bytes:
    """An ICC profile, version 4.3, of a matrix and a tone curve; white D65."""
    white = _xyz(_D65)
    primaries = np.column_stack([_xyz(one) for one in _PRIMARIES[space]])
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag(_BRADFORD @ _D50 / (_BRADFORD @ white)) @ _BRADFORD
    matrix = adaptation @ primaries @ np.diag(np.linalg.solve(primaries, white))
    curve = ADOBE_RGB_CURVE if space == "Adobe RGB" else SRGB_CURVE
    tags = {
        b"desc": _text(f"{space} (made by Parastitch)"),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _numbers(b"XYZ ", np.array(_D50)),
        b"chad": _numbers(b"sf32", adaptation),
        **{letter + b"XYZ": _numbers(b"XYZ ", matrix[:, column]) for column, letter in enumerate((b"r", b"g", b"b"))},
        **{letter + b"TRC": curve for letter in (b"r", b"g", b"b")},
    }
    return _profile(tags)


def coded_profile(primaries: int, transfer: int) -> bytes | None:
    """The profile of colours that are named by code points of ITU-T H.273; None: sRGB, unknown, or of high range."""
    space = _CODED_PRIMARIES.get(primaries)
    return made_profile(space) if space and transfer in _CODED_CURVES else None


def _xyz(chromaticity: tuple[float, float]) -> NDArray[np.float64]:
    x, y = chromaticity
    return np.array([x / y, 1, (1 - x - y) / y])


def _text(words: str) -> bytes:
    """A text in one language (10.15)."""
    return b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", 2 * len(words), 28) + words.encode("utf-16-be")


def _numbers(kind: bytes, values: NDArray[np.float64]) -> bytes:
    """Numbers of 16.16 bits (10.20, 10.31)."""
    fixed = np.round(values * 65536).astype(">i4")
    return kind + bytes(4) + fixed.tobytes()


def _profile(tags: dict[bytes, bytes]) -> bytes:
    """Header, table of tags and their values; equal values are stored once (7.2 to 7.4)."""
    start = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    values = b""
    for value in tags.values():
        if value not in places:
            places[value] = start + len(values)
            values += value + bytes(-len(value) % 4)
    table = b"".join(struct.pack(">4sII", tag, places[value], len(value)) for tag, value in tags.items())
    header = struct.pack(
        ">I4sI4s4s4s12s4s28x12s48x", start + len(values), bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ", _DATE,
        b"acsp", _numbers(b"", np.array(_D50))[4:],
    )  # fmt: skip
    return header + struct.pack(">I", len(tags)) + table + values
