"""The camera, its lens and its settings out of EXIF tags (CIPA DC-008, sections 4.6.4 to 4.6.6)."""

import math
import struct

from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.tiff_tags import EXIF, SHORT, Directory, number_of, read_block, value_of
from stitching.lens.camera import Camera

_MAKE, _MODEL = 0x010F, 0x0110
_F_NUMBER, _APERTURE, _DISTANCE, _FOCAL = 0x829D, 0x9202, 0x9206, 0x920A
_DIGITAL_ZOOM, _FOCAL_35MM, _LENS_MODEL = 0xA404, 0xA405, 0xA434
_RATIONAL, _SIGNED_RATIONAL, _FLOAT, _DOUBLE = 5, 10, 11, 12
_MAX_NAME = 100  # characters
_MAX_FOCAL, _MAX_F_NUMBER, _MAX_DISTANCE = 3000.0, 128.0, 1e5  # mm, 1, m; larger ones stand for "unknown"


def camera_of(metadata: Metadata) -> Camera:
    """What the metadata of a photograph says of its camera; what is missing, zero or nonsense is "" or None.

    A photograph made with digital zoom shows a part of what its lens shows: `focal` is None, `focal_35mm` holds for
    what it shows. A camera with a built-in lens (phone, action camera, drone) mostly names none: `lens` is "".
    """
    tags = read_block(metadata.exif or b"")
    found = tags.get(EXIF)
    exif = found if isinstance(found, dict) else {}
    zoomed = (_number(exif, _DIGITAL_ZOOM, 1000.0) or 1.0) > 1.0
    return Camera(
        make=_text(tags, _MAKE),
        model=_text(tags, _MODEL),
        lens=_text(exif, _LENS_MODEL),
        focal=None if zoomed else _number(exif, _FOCAL, _MAX_FOCAL),
        focal_35mm=_number(exif, _FOCAL_35MM, _MAX_FOCAL),
        aperture=_number(exif, _F_NUMBER, _MAX_F_NUMBER) or _aperture(exif),
        distance=_number(exif, _DISTANCE, _MAX_DISTANCE),
    )


def _text(tags: Directory, tag: int) -> str:
    """A text up to its first NUL, without spaces around it and characters that cannot be printed."""
    text = value_of(tags, tag).partition(b"\0")[0].decode("utf-8", "replace")
    return "".join(character for character in text if character.isprintable()).strip()[:_MAX_NAME]


def _number(tags: Directory, tag: int, largest: float) -> float | None:
    """The first number of a tag; None unless above 0 and at most `largest`."""
    found = tags.get(tag)
    if not isinstance(found, tuple):
        return None
    kind, value = found
    number = 0.0
    if kind in (_RATIONAL, _SIGNED_RATIONAL) and len(value) >= 8:
        over, under = struct.unpack("<II" if kind == _RATIONAL else "<ii", value[:8])
        number = over / under if under else 0.0
    elif kind in (_FLOAT, _DOUBLE) and len(value) >= (size := 4 if kind == _FLOAT else 8):
        (number,) = struct.unpack("<f" if kind == _FLOAT else "<d", value[:size])
    elif kind >= SHORT:
        number = float(number_of(tags, tag, 0))
    return number if math.isfinite(number) and 0 < number <= largest else None


def _aperture(tags: Directory) -> float | None:
    """The f-number that an APEX aperture value stands for."""
    apex = _number(tags, _APERTURE, 14.0)
    return None if apex is None else float(2 ** (apex / 2))
