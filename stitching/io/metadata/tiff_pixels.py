"""How a TIFF stores its pixels: sizes, and the strips or tiles that hold them (TIFF 6.0, sections 8 and 15)."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stitching.io.metadata.contents import Header, damaged
from stitching.io.metadata.tiff_tags import Directory, number_of, numbers_of

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_SAMPLES, _PLANAR, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 277, 284, 338, 339
_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
WHITE_IS_ZERO, _PALETTE, YCBCR = 0, 3, 6  # values of _PHOTOMETRIC
_FLOAT = 3  # value of _SAMPLE_FORMAT
PREMULTIPLIED, UNASSOCIATED = 1, 2  # values of _EXTRA_SAMPLES: alpha multiplied into the colours, or not
UNCOMPRESSED, LZW, JPEG, DEFLATE, PACK_BITS, OLD_DEFLATE = 1, 5, 7, 8, 32773, 32946  # values of _COMPRESSION
LZMA, ZSTD = 34925, 50000
# The most that a byte unpacks to. LZW: 12 bits for the longest string of a full table. JPEG: a bit for 8 x 8 px.
_MAX_RATIO = {UNCOMPRESSED: 1, LZW: 2560, JPEG: 1536, DEFLATE: 1032, OLD_DEFLATE: 1032, PACK_BITS: 64}


Decoder = Literal["OpenCV", "Pillow", "tifffile"]


@dataclass(frozen=True, eq=False)
class TiffPixels:
    """How the first picture of a TIFF is stored.

    Attributes:
        size: (w, h) px as stored.
        bits, samples: bits of a sample, samples of a pixel.
        is_float: whether samples are floating-point numbers.
        extra: what the first sample after the colours means: `PREMULTIPLIED` or `UNASSOCIATED` alpha; else not known.
        compression, photometric: values of these tags.
        planar: whether every sample has strips of its own.
        reversed_bits: whether the first bit of a byte is its lowest.
        tiled: whether it is stored in tiles, not in strips.
        block: (w, h) px of a strip or tile.
        offsets, counts: (blocks,) position in the file and bytes of each strip or tile.
    """

    size: tuple[int, int]
    bits: int
    samples: int
    is_float: bool
    extra: int
    compression: int
    photometric: int
    planar: bool
    reversed_bits: bool
    tiled: bool
    block: tuple[int, int]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def has_alpha(self) -> bool:
        """Whether the sample after the colours is alpha."""
        return self.samples in (2, *range(4, 100)) and self.extra in (PREMULTIPLIED, UNASSOCIATED)

    @property
    def decoder(self) -> Decoder:
        """What decodes it right."""
        if self.compression == ZSTD:
            return "Pillow"
        by_channel = self.planar and self.samples > 1 and self.bits > 8
        half_floats = self.is_float and self.bits == 16
        many = self.samples == 2 or self.samples > 4
        return "tifffile" if self.compression == LZMA or by_channel or half_floats or many else "OpenCV"

    @property
    def block_bytes(self) -> int:
        """Bytes of a whole strip or tile, unpacked."""
        row = self.block[0] * self.bits * (1 if self.planar else self.samples)
        return -(-row // 8) * self.block[1]

    def header(self, applied: int) -> Header:
        """What the decoder makes of it, with the EXIF orientation that it applies.

        OpenCV decodes whole strips or tiles, 8 bits also as RGBA.
        """
        size = self.size[::-1] if applied in (5, 6, 7, 8) else self.size
        if self.decoder != "OpenCV":
            channels = 4 if self.has_alpha else 3 if self.samples >= 3 else 1
            return Header(size, channels, self.bits, 2 * math.prod(size) * self.samples * self.bits // 8)
        channels = 3 if self.photometric == _PALETTE else min(self.samples, 4)
        bits = next((bits for bits in (8, 16, 32) if self.bits <= bits), 64)
        area = self.block[0] * self.block[1]
        buffers = self.block_bytes + area * (4 if bits == 8 else channels * bits // 8) + int(self.counts.max(initial=0))
        return Header(size, channels, bits, buffers).decoded_by_opencv()


def pixels_of(tags: Directory, file_bytes: int, name: str) -> TiffPixels:
    """How the picture of a directory is stored.

    Raises:
        InputError: it has no size, its data end outside the file, or are too few for the size.
    """
    width, height = size = number_of(tags, _WIDTH, 0), number_of(tags, _HEIGHT, 0)
    tiled = _TILE_WIDTH in tags
    block = width, min(number_of(tags, _ROWS_PER_STRIP, height), height)
    if tiled:
        block = number_of(tags, _TILE_WIDTH, 0), number_of(tags, _TILE_HEIGHT, 0)
    offsets = numbers_of(tags, _TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    counts = numbers_of(tags, _TILE_BYTES if tiled else _STRIP_BYTES)  # very old files have none
    if not all((*size, *block, offsets.size)) or counts.size not in (0, offsets.size):
        raise damaged(name, "TIFF")
    found = TiffPixels(
        size, number_of(tags, _BITS, 1), number_of(tags, _SAMPLES, 1), number_of(tags, _SAMPLE_FORMAT, 1) == _FLOAT,
        number_of(tags, _EXTRA_SAMPLES, 0), number_of(tags, _COMPRESSION, 1), number_of(tags, _PHOTOMETRIC, 1),
        number_of(tags, _PLANAR, 1) == 2, number_of(tags, _FILL_ORDER, 1) == 2, tiled, block, offsets, counts,
    )  # fmt: skip
    if counts.size and (_ends_outside(found, file_bytes) or _is_too_short(found)):
        raise damaged(name, "TIFF")
    return found


def _ends_outside(pixels: TiffPixels, file_bytes: int) -> bool:
    """Whether a strip or tile lies outside the file, at least in part."""
    starts, counts = pixels.offsets, pixels.counts
    return bool(starts.min() < 0 or counts.min() < 0 or (starts > file_bytes - counts).any())  # a sum may overflow


def _is_too_short(pixels: TiffPixels) -> bool:
    """Whether there are fewer bytes than any picture of that size needs; False for a compression not known here."""
    width, height = pixels.size
    samples = 1 if pixels.photometric == YCBCR else pixels.samples  # of a pixel; colours may be stored at lower size
    most = int(pixels.counts.sum()) * _MAX_RATIO.get(pixels.compression, math.inf)
    return most < width * height * samples * pixels.bits / 8
