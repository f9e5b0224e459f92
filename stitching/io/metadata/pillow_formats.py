"""Pictures that Pillow takes apart and decodes: AVIF, GIF, BMP."""

import re
import struct
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from stitching.errors import InputError
from stitching.io.colours.made_profiles import coded_profile
from stitching.io.metadata.contents import Contents, Header, contents_of, decoder_error

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PillowFormat = Literal["AVIF", "GIF", "BMP"]

_CODED_COLOURS = re.compile(rb"colrnclx(.{4})", re.DOTALL)  # primaries and transfer (ISO/IEC 14496-12, 12.1.5)
# Bytes of a pixel beside ours while Pillow decodes: its own pixels, copies of the file, and the decoder's of AVIF.
_BUFFERS = {"AVIF": 16, "GIF": 9, "BMP": 12}


def parse(data: bytes, name: str, format_: PillowFormat) -> Contents:
    """Read what comes before the pixels; of an animation, of its first frame.

    An AVIF's orientation is that of its own properties, not that of its EXIF block (ISO/IEC 23008-12): Pillow sets it.

    Raises:
        InputError: it is damaged, or of a kind that Pillow does not know.
    """
    image = open_image(data, name, format_)
    info, width, height = image.info, *image.size
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[shown_mode(image)]
    header = Header((width, height), channels, 8, buffers=_BUFFERS[format_] * width * height)
    exif, icc, xmp = (info.get(kind) or b"" for kind in ("exif", "icc_profile", "xmp"))
    coded = _CODED_COLOURS.search(data) if format_ == "AVIF" and not icc else None
    if coded:  # which Pillow does not hand out
        icc = coded_profile(*struct.unpack(">HH", coded[1])) or b""
    return contents_of(header, data, exif, icc, xmp)


def open_image(data: bytes, name: str, format_: PillowFormat) -> "ImageFile":
    """The picture, not yet decoded; its limit of size is ours, not Pillow's. InputError as in `parse`."""
    from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin  # here, since most pictures are others

    if format_ == "AVIF" and not AvifImagePlugin.SUPPORTED:
        raise InputError(f"{name}: this Pillow cannot read AVIF; install its wheel: pip install --upgrade pillow")
    opened: dict[PillowFormat, type[ImageFile]] = {
        "AVIF": AvifImagePlugin.AvifImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
    }
    with warnings.catch_warnings(action="ignore"):
        try:
            return opened[format_](BytesIO(data))
        except Exception as error:
            raise decoder_error(error, name, format_) from error


def shown_mode(image: "ImageFile") -> str:
    """Pillow's mode for the pixels: L, RGB or RGBA."""
    if image.mode in ("1", "L"):
        return "L"
    return "RGBA" if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info else "RGB"
