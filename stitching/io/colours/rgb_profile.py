"""RGB colour profiles of a matrix and three tone curves, as of cameras, screens and the well-known colour spaces."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.io.colours.curves import from_linear, is_curve, to_linear
from stitching.io.colours.made_profiles import made_profile

_MAX_CHANGE = 0.25 / 255  # mean over a grid of colours, by a conversion between profiles that are taken for the same
_READ = {letter + kind for letter in (b"r", b"g", b"b") for kind in (b"XYZ", b"TRC")} | {b"A2B0", b"A2B1", b"D2B0"}
_GRID = 9  # values of each channel

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MatrixProfile:
    """How stored values become colours.

    Attributes:
        matrix: (3, 3), linear R, G, B -> X, Y, Z under D50.
        curves: the bytes of the tone curves of R, G, B; see curves.py.
    """

    matrix: Floats
    curves: tuple[bytes, bytes, bytes]


def matrix_profile(icc: bytes | None) -> MatrixProfile | None:
    """The matrix and curves of a profile, of sRGB where there is none; None: the profile holds tables instead.

    Also sRGB where nothing of a profile can be read: programs that show the picture do the same.
    """
    tags = _tags_of(icc or made_profile("sRGB"))
    if any(tag in tags for tag in (b"A2B0", b"A2B1", b"D2B0")):
        return None
    columns = [tags.get(letter + b"XYZ", b"")[8:20] for letter in (b"r", b"g", b"b")]
    red, green, blue = (tags.get(letter + b"TRC", b"") for letter in (b"r", b"g", b"b"))
    if any(len(column) < 12 for column in columns) or not (is_curve(red) and is_curve(green) and is_curve(blue)):
        return matrix_profile(None)
    matrix = np.column_stack([np.frombuffer(column, ">i4") / 65536 for column in columns])
    if np.linalg.cond(matrix) > 1e4:  # no colours
        return matrix_profile(None)
    return MatrixProfile(matrix, (red, green, blue))


def same_colours(first: bytes | None, second: bytes | None) -> bool:
    """Whether two profiles mean the same: a conversion would change colours by less than a quarter of 1 of 255.

    There are many profiles of sRGB, whose numbers are rounded in different ways. None = sRGB.
    """
    if first == second or (first and second and first[128:] == second[128:]):  # the header holds a date
        return True
    source, target = matrix_profile(first), matrix_profile(second)
    if source is None or target is None:
        return False
    axis = np.linspace(0, 1, _GRID)
    grid = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)  # (9, 9, 9, 3) -> (729, 3)
    linear = np.column_stack([to_linear(source.curves[i], grid[:, i]) for i in range(3)])
    linear = np.clip(linear @ (np.linalg.inv(target.matrix) @ source.matrix).T, 0, 1)
    stored = np.column_stack([from_linear(target.curves[i], linear[:, i]) for i in range(3)])
    return bool(np.abs(stored - grid).mean() <= _MAX_CHANGE)


def _tags_of(icc: bytes) -> dict[bytes, bytes]:
    """The values of the tags that are read here: all could fill the memory. Damaged ones are left out."""
    count = min(int.from_bytes(icc[128:132]), (len(icc) - 132) // 12)
    found = {}
    for at in range(132, 132 + 12 * count, 12):
        start, length = int.from_bytes(icc[at + 4 : at + 8]), int.from_bytes(icc[at + 8 : at + 12])
        if icc[at : at + 4] in _READ and start + length <= len(icc):
            found[icc[at : at + 4]] = icc[start : start + length]
    return found
