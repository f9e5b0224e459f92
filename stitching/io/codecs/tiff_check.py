"""Finds damage in the compressed data of a TIFF.

OpenCV reads TIFFs of 8 bits by functions of libtiff that ignore its errors, and libtiff itself ignores the checksums of
Deflate. Uncompressed data have nothing to check.
"""

import lzma
import warnings
import zlib
from contextlib import suppress
from io import BytesIO

import cv2
import numpy as np

from stitching.errors import InputError
from stitching.io.codecs.jpeg_decoder import decode_jpeg
from stitching.io.codecs.quiet import heard_stderr, silent_stderr
from stitching.io.metadata.contents import damaged
from stitching.io.metadata.tiff_pixels import (
    DEFLATE,
    JPEG,
    LZMA,
    LZW,
    OLD_DEFLATE,
    PACK_BITS,
    UNCOMPRESSED,
    YCBCR,
    ZSTD,
    TiffPixels,
    pixels_of,
)
from stitching.io.metadata.tiff_tags import read_block, value_of

_JPEG_TABLES = 347
_UNKNOWN = 0  # size of a strip or tile
_PIECE = 1 << 20  # bytes that are unpacked at once
_LZMA_MEMORY = 1 << 28  # bytes
_CCITT = (2, 3, 4)  # values of the tag Compression: runs of lines, group 3, group 4
_UNREADABLE = {  # by OpenCV's libtiff; it makes noise of 32771
    6: "old JPEG", 32766: "NeXT", 32771: "CCITT in words", 32809: "ThunderScan", 32909: "PixarLog", 34661: "JBIG",
    34676: "LogLuv", 34677: "LogLuv", 34713: "Nikon NEF", 34887: "LERC", 34892: "JPEG of DNG",
    34933: "PNG", 34712: "JPEG 2000", 33003: "JPEG 2000", 33004: "JPEG 2000", 33005: "JPEG 2000", 22610: "JPEG XR",
    34934: "JPEG XR", 34926: "ZSTD", 34927: "WebP", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
_BROKEN_DATA = "decoder error -2"  # of Pillow, when libtiff reports an error


def check_tiff(encoded: bytes, name: str) -> TiffPixels:
    """How a TIFF stores its pixels; InputError where they are damaged, or compressed so that nothing decodes them."""
    tags = read_block(encoded)
    pixels = pixels_of(tags, len(encoded), name)
    blocks = (encoded[start : start + count] for start, count in zip(pixels.offsets, pixels.counts, strict=False))
    if pixels.compression in (DEFLATE, OLD_DEFLATE, PACK_BITS):
        whole = _unpacks if pixels.compression != PACK_BITS else _ends_with_its_runs
        if not pixels.reversed_bits and not all(map(whole, blocks, _block_sizes(pixels))):
            raise damaged(name, "TIFF")
    elif pixels.compression == JPEG:
        tables = value_of(tags, _JPEG_TABLES)
        for block in blocks:  # in the place of its start marker come the tables that all blocks share
            decode_jpeg(tables[:-2] + block[2:] if tables else block, name)
    elif pixels.compression == LZW:
        if _is_broken(encoded):
            raise damaged(name, "TIFF")
    elif pixels.compression in _CCITT:
        if _is_broken_fax(encoded):
            raise damaged(name, "TIFF")
    elif pixels.compression == LZMA:
        if not all(map(_unpacks_lzma, blocks, _block_sizes(pixels))):
            raise damaged(name, "TIFF")
    elif pixels.compression not in (UNCOMPRESSED, ZSTD):  # of ZSTD the decoder reports damage
        raise InputError(
            f"{name}: a TIFF with compression {pixels.compression} ({_UNREADABLE.get(pixels.compression, 'unknown')}); "
            "expected none, LZW, Deflate, PackBits, JPEG, CCITT, LZMA or ZSTD: save it again with one of these"
        )
    return pixels


def _block_sizes(pixels: TiffPixels) -> list[int]:
    """Bytes of each strip or tile, unpacked; the last strip has the rows that are left."""
    rows, height = pixels.block[1], pixels.size[1]
    if pixels.photometric == YCBCR:
        return [_UNKNOWN] * len(pixels.offsets)  # it depends on how the colours are stored
    if pixels.tiled:
        return [pixels.block_bytes] * len(pixels.offsets)
    strips = -(-height // rows)
    whole_rows = [min(rows, height - rows * (strip % strips)) for strip in range(len(pixels.offsets))]
    return [pixels.block_bytes // rows * left for left in whole_rows]


def _unpacks(block: bytes, size: int) -> bool:
    """Whether a Deflate stream fits its checksum and holds `size` bytes or, where it ends, more."""
    stream, unpacked, rest = zlib.decompressobj(), 0, block
    try:
        while rest and not stream.eof:
            unpacked += len(stream.decompress(rest, _PIECE))
            rest = stream.unconsumed_tail
    except zlib.error:
        return False
    return unpacked == size or (stream.eof and unpacked > size)


def _unpacks_lzma(block: bytes, size: int) -> bool:
    """Whether an LZMA stream fits its checksum and holds `size` bytes."""
    stream = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
    try:
        return len(stream.decompress(block, size + 1)) == size and stream.eof
    except lzma.LZMAError:
        return False


def _ends_with_its_runs(block: bytes, size: int) -> bool:
    """Whether the runs of a PackBits strip fill exactly `size` bytes and only zeros follow (TIFF 6.0, section 9)."""
    at = unpacked = 0
    while at < len(block) and (unpacked < size or size == _UNKNOWN):
        count = block[at]
        if count < 128:  # so many bytes and one follow
            at, unpacked = at + count + 2, unpacked + count + 1
        elif count > 128:  # a byte to repeat follows
            at, unpacked = at + 2, unpacked + 257 - count
        else:
            at += 1
    return at <= len(block) and size in (unpacked, _UNKNOWN) and not any(block[at:])


def _is_broken(encoded: bytes) -> bool:
    """Whether libtiff reports an error when it decodes the picture."""
    from PIL.TiffImagePlugin import TiffImageFile  # here, since most pictures are no TIFF: 20 ms

    with silent_stderr(), warnings.catch_warnings(action="ignore"):  # Pillow's remarks on tags
        try:
            with TiffImageFile(BytesIO(encoded)) as image:
                image.load()
        except MemoryError:
            raise
        except Exception as error:  # of many kinds, for what Pillow does not support
            return _BROKEN_DATA in str(error)
    return False


def _is_broken_fax(encoded: bytes) -> bool:
    """Whether libtiff complains of a row when it decodes a CCITT picture: it goes on, and rows below are wrong."""
    with heard_stderr() as words:
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_WARNING)  # the user may have silenced it
        with suppress(cv2.error):  # it is decoded once more for its pixels
            cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
        cv2.utils.logging.setLogLevel(level)
        words.seek(0)
        return any(b" Fax" in line for line in words)
