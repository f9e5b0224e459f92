"""The texture bank: photographs and patterns with their mip-maps, in one flat array."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Pixels
from datasets.textures.pattern_store import load_patterns
from datasets.textures.photographs import map_photographs
from stitching.geometry.pixel_maps import smoothstep

_BAND = 0.08  # of the side: width of the band in which one edge of a photograph fades into the opposite one
_SATURATION = 0.75  # that remains of a picture's: rendered scenes are then about as colourful as photographs
_ASPECT_FOR_TWO = 1.6  # aspect ratio from which a photograph gives two squares


@dataclass(frozen=True, eq=False)
class TextureBank:
    """Square textures whose sides are powers of two, each with all its halvings down to 1 x 1.

    Texture i has `sides[i]` = 2^k px a side at level 0; level l begins at texel `starts[i, l]` and holds
    (sides[i] >> l)^2 texels row by row. Levels past the last one repeat the start of the 1 x 1 level.
    """

    texels: NDArray[np.uint8]  # (t, 4) B, G, R, 255
    starts: NDArray[np.int64]  # (n, levels)
    sides: NDArray[np.int32]  # (n,)
    kinds: tuple[str, ...]  # of each texture: "photo", or the pattern's name ("brick", "wood", ...)
    left_out: tuple[str, ...] = ()  # photographs that cannot be used, a line each


def load_bank(folder: Path | None, side: int = 512) -> TextureBank:
    """Photographs from a folder and its subfolders, else scikit-image's; then patterns, the same in every bank.

    side: of all textures, px; a power of two.
    Raises InputError as `datasets.textures.photographs.map_photographs` does.
    """
    parts, left_out = map_photographs(lambda picture: _squares(picture, side), folder, round(side * (1 + _BAND)))
    photographs = [square for part in parts for square in part]
    patterns, kinds = load_patterns(side)
    muted = [_muted(texture) for texture in photographs + patterns]
    return replace(make_bank(muted, ("photo",) * len(photographs) + kinds), left_out=left_out)


def checksum(bank: TextureBank, *others: NDArray[np.float32]) -> str:
    """Hexadecimal SHA-256 of a bank's textures and kinds, and of other arrays."""
    digest = hashlib.sha256()
    for part in (bank.texels, bank.starts.astype("<i8"), bank.sides.astype("<i4"), *others):
        digest.update(np.ascontiguousarray(part).data)
    digest.update("\n".join(bank.kinds).encode())
    return digest.hexdigest()


def _muted(texture: Pixels) -> Pixels:
    """The texture with less saturated colours, as surfaces have them: light from the surroundings greys them."""
    grey = cv2.cvtColor(cv2.cvtColor(texture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(texture, _SATURATION, grey, 1 - _SATURATION, 0), np.uint8)


def _squares(picture: Pixels, side: int) -> list[Pixels]:
    """One tileable square from the middle of a photograph, or one from either end of a long one."""
    shorter, longer = sorted(picture.shape[:2])
    rest = longer - shorter
    starts = (0, rest) if longer >= _ASPECT_FOR_TWO * shorter else (rest // 2,)
    wide = picture.shape[1] == longer
    crops = [picture[:, i : i + shorter] if wide else picture[i : i + shorter] for i in starts]
    band = max(round(_BAND * side), 1)
    method = cv2.INTER_AREA if shorter > side + band else cv2.INTER_CUBIC
    size = (side + band, side + band)
    return [_seamless(np.asarray(cv2.resize(crop, size, interpolation=method), np.uint8), band) for crop in crops]


def _seamless(picture: Pixels, band: int) -> Pixels:
    """Cut `band` px off the right and bottom sides and fade them into the opposite ones: the rest is tileable."""
    share = smoothstep((np.arange(band, dtype=np.float32) + 0.5) / band)[:, None, None]
    for _ in range(2):
        kept = picture[:-band].copy()
        kept[:band] = np.rint(share * picture[:band] + (1 - share) * picture[-band:])
        picture = kept.transpose(1, 0, 2)
    return picture


# --- the bank ---


def make_bank(textures: list[Pixels], kinds: tuple[str, ...]) -> TextureBank:
    """The bank of textures (side, side, 3) BGR, whose sides are powers of two, with their mip-maps."""
    sides = [len(texture) for texture in textures]
    levels = max(sides).bit_length()
    starts = np.zeros((len(textures), levels), np.int64)
    texels = np.full((sum((4 * side * side - 1) // 3 for side in sides), 4), 255, np.uint8)
    start = 0
    for i, texture in enumerate(textures):
        level = texture
        for number in range(sides[i].bit_length()):
            starts[i, number] = start
            texels[start : start + len(level) ** 2, :3] = level.reshape(-1, 3)
            start += len(level) ** 2
            level = _halve(level)
        starts[i, sides[i].bit_length() :] = start - 1
    return TextureBank(texels, starts, np.array(sides, np.int32), kinds)


def _halve(level: Pixels) -> Pixels:
    """Means of 2 x 2 texels, rounded half up; (0, 0, 3) after 1 x 1."""
    half = len(level) // 2
    if not half:
        return np.zeros((0, 0, 3), np.uint8)
    return np.asarray(cv2.resize(level, (half, half), interpolation=cv2.INTER_AREA), np.uint8)
