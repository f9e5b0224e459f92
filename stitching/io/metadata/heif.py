"""HEIC and other HEIF pictures (ISO/IEC 23008-12), which the package pi-heif takes apart and decodes."""

import re
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stitching.errors import InputError, is_out_of_memory, one_line
from stitching.io.codecs.quiet import silent_stderr
from stitching.io.colours.made_profiles import coded_profile
from stitching.io.metadata.contents import Contents, Header, contents_of, damaged

if TYPE_CHECKING:
    from pi_heif import HeifImage

_SIZE_BOX = re.compile(rb"ispe\0\0\0\0(.{8})", re.DOTALL)
# The boxes of an item of the file, up to its kind and names (ISO/IEC 14496-12, 8.11.6), and of an auxiliary picture's.
_ITEM_BOX = re.compile(rb"(.{4})infe(?:\x02.{3}.{2}|\x03.{3}.{4}).{2}", re.DOTALL)
_AUXILIARY_BOX = re.compile(rb"auxC\0{4}([^\0]*)")
_NO_MEMORY = "memory allocation error"  # libheif's words for too little, and for what is above its limits ...
_LIMIT = "security limit"  # ... which come from the sizes that the file itself names


def parse(data: bytes, name: str) -> Contents:
    """Read what comes before the pixels of the primary picture.

    The decoder turns and mirrors the pixels as the file's own properties say. Its EXIF orientation says the same once
    more, and is not applied.

    Raises:
        InputError: pi-heif is not installed, or the file is damaged or cut short.
    """
    image = open_primary(data, name)
    info: dict[str, Any] = image.info
    bits = 8 if info["bit_depth"] <= 8 else 16
    channels = {"L": 1, "LA": 4}.get(image.mode.partition(";")[0].upper(), 4 if image.has_alpha else 3)
    # The decoder has luma and chroma, and colours, of the whole picture, of which a part may be shown.
    header = Header(image.size, channels, bits, buffers=3 * _largest_area(data) * channels * bits // 8)
    exif, icc, xmp = (info.get(kind) or b"" for kind in ("exif", "icc_profile", "xmp"))
    codes = info.get("nclx_profile")  # only where there is no ICC profile
    if codes:
        icc = coded_profile(codes["color_primaries"], codes["transfer_characteristics"]) or b""
    found = contents_of(header, data, exif, icc, xmp.rstrip(b"\0"))
    return replace(found, orientation=1, applied=found.orientation, premultiplied=image.premultiplied_alpha)


def _largest_area(data: bytes) -> int:
    """The px of the largest picture in the file, by the boxes that say the sizes (ISO/IEC 23008-12, 6.5.3)."""
    sizes = (struct.unpack(">II", found[1]) for found in _SIZE_BOX.finditer(data))
    return max((width * height for width, height in sizes), default=0)


def _has_readable_names(data: bytes) -> bool:
    """Whether kinds and names of all that is in the file are UTF-8."""
    items = (data[found.end() : found.start() + int.from_bytes(found[1])] for found in _ITEM_BOX.finditer(data))
    try:
        for text in (*items, *(found[1] for found in _AUXILIARY_BOX.finditer(data))):
            text.decode()
    except UnicodeDecodeError:
        return False
    return True


def open_primary(data: bytes, name: str) -> "HeifImage":
    """The primary picture of the file, not yet decoded; its pixels are BGR, of more than 8 bits as 16.

    Raises:
        InputError: pi-heif is not installed, or the file is damaged or cut short.
    """
    try:
        import pi_heif  # here, since most pictures are no HEIC
    except ImportError as error:
        raise InputError(f"{name}: HEIC pictures need one more package: pip install 'parastitch[formats]'") from error
    if not _has_readable_names(data):  # pi-heif would crash
        raise damaged(name, "HEIC")
    with silent_stderr():
        try:
            file = pi_heif.open_heif(data, convert_hdr_to_8bit=False, bgr_mode=True)
            return file[file.primary_index]
        except Exception as error:  # of many kinds
            raise heif_error(error, name) from error


def heif_error(error: Exception, name: str) -> Exception:
    """What to raise for an error of pi-heif."""
    words = str(error).lower()
    if _LIMIT not in words and (is_out_of_memory(error) or _NO_MEMORY in words):
        return MemoryError(f"{name}: not enough memory to decode it")
    return InputError(f"{name}: the HEIC file is damaged or cut short ({one_line(error)}); copy or download it again")
