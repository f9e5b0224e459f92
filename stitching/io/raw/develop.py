"""Develops RAW files by LibRaw, all in the same way: one brightness and one white balance for what is joined.

The sensor's values are scaled by its white level, multiplied by the white balance, clipped, and converted to sRGB, with
16 bits and sRGB's curve. Nothing depends on what the picture shows: neither brightness nor the treatment of highlights.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2

from stitching.errors import InputError, one_line
from stitching.io.codecs.quiet import heard_stderr, silent_stderr
from stitching.io.files import AnyPath
from stitching.io.metadata.contents import Contents, Header, damaged
from stitching.io.picture import PixelArray
from stitching.io.raw.metadata import metadata_of

_GAMMA = 2.4, 12.92  # power and slope of sRGB's curve (IEC 61966-2-1)
_ORIENTATIONS = {0: 1, 1: 2, 3: 3, 2: 4, 4: 5, 6: 6, 7: 7, 5: 8}  # LibRaw's "flip" -> that of EXIF
_COMPLAINTS = b"Unexpected end of file", b"data corrupted"  # of LibRaw, which goes on all the same
_BYTES_A_PIXEL = 14  # of LibRaw beside the picture: the sensor's values 2, or 6 of a demosaiced DNG, and a copy of 8


@dataclass(frozen=True)
class WhiteBalance:
    """What a camera took for white.

    Attributes:
        red, blue: factors of these channels, with that of green 1, relative to the camera's own factors for daylight:
            so they stand for the same light in another camera, at least nearly; in the same one exactly.
    """

    red: float = 1.0
    blue: float = 1.0


def parse(data: bytes, name: str) -> Contents:
    """Read the header of a RAW file.

    Raises:
        InputError: LibRaw does not know its kind, it is damaged, or rawpy is not installed.
    """
    with opened(BytesIO(data), name) as raw:
        sizes = raw.sizes
    size = sizes.width, sizes.height
    if not all(size):
        raise damaged(name, "RAW")
    buffers = _BYTES_A_PIXEL * max(math.prod(size), sizes.raw_width * sizes.raw_height) + len(data)
    orientation = _ORIENTATIONS.get(sizes.flip, 1)
    return Contents(Header(size, 3, 16, buffers), data, orientation, False, metadata_of(data), is_raw=True)


def develop(data: bytes, name: str, white_balance: WhiteBalance | None = None) -> PixelArray:
    """The picture of a RAW file as the sensor lies, (h, w, 3) BGR uint16, sRGB.

    Args:
        data: the file.
        name: of the file, for messages.
        white_balance: None = the camera's own.

    Raises:
        InputError: it is damaged or cut short, or LibRaw cannot decode it.
        MemoryError: there is not enough.
    """
    with opened(BytesIO(data), name) as raw:
        balance = white_balance or white_balance_of(raw)
        red, green, blue = _daylight(raw)
        with heard_stderr() as words:
            pixels: PixelArray = raw.postprocess(
                user_wb=[balance.red * red, green, balance.blue * blue, green],
                no_auto_bright=True, adjust_maximum_thr=0.0, gamma=_GAMMA, output_bps=16, user_flip=0,
            )  # fmt: skip
            words.seek(0)
            complaints = words.read()
    if any(complaint in complaints for complaint in _COMPLAINTS):
        raise damaged(name, "RAW")
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.shape[2:] == (3,) else pixels


def white_balance_of(raw: Any) -> WhiteBalance:
    """The white balance that the camera has set, in an open file; that of daylight where it has set none."""
    red, green, blue = (float(factor) for factor in raw.camera_whitebalance[:3])
    if not min(red, green, blue) > 0:
        return WhiteBalance()
    daylight = _daylight(raw)
    return WhiteBalance(red / green / daylight[0], blue / green / daylight[2])


def _daylight(raw: Any) -> tuple[float, float, float]:
    """The camera's factors of red, green and blue for daylight, that of green 1."""
    red, green, blue = (float(factor) for factor in raw.daylight_whitebalance[:3])
    return (red / green, 1.0, blue / green) if min(red, green, blue) > 0 else (1.0, 1.0, 1.0)


@contextmanager
def opened(file: AnyPath | BytesIO, name: str) -> Iterator[Any]:
    """A RAW file (rawpy.RawPy) whose header is read. LibRaw's errors inside become ours."""
    try:
        import rawpy  # here, since most pictures are no RAW: 0.2 s
    except ImportError as error:
        raise InputError(
            f"{name}: a camera's RAW file; to read it: pip install 'parastitch[formats]', or export it as TIFF"
        ) from error
    try:
        with silent_stderr(), rawpy.imread(file if isinstance(file, BytesIO) else str(file)) as raw:
            yield raw
    except (rawpy.LibRawUnsufficientMemoryError, rawpy.LibRawMemPoolOverflowError) as error:
        raise MemoryError(f"{name}: not enough memory to develop it") from error
    except OSError as error:
        if "allocate memory" not in str(error):  # rawpy's own has no number
            raise
        raise MemoryError(f"{name}: not enough memory to develop it") from error
    except rawpy.LibRawError as error:
        if isinstance(error, rawpy.LibRawIOError | rawpy.LibRawDataError):
            raise damaged(name, "RAW") from error
        words = one_line(error).removeprefix("b'").removesuffix("'")
        raise InputError(
            f"{name}: a RAW file that LibRaw {'.'.join(map(str, rawpy.libraw_version))} cannot develop ({words}); "
            "convert it to DNG or export it as TIFF"
        ) from error
