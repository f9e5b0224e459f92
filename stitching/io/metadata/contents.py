"""What a picture file holds, format by format the same: pixels for the decoder, orientation, metadata."""

import re
from dataclasses import dataclass, replace

from stitching.errors import InputError, is_out_of_memory, one_line
from stitching.io.colours.made_profiles import made_profile
from stitching.io.metadata.exif import is_adobe_rgb, orientation_of, upright_exif
from stitching.io.metadata.tiff_tags import Directory, read_block

Part = bytes | memoryview  # of a file to write: large pictures are not copied to join them with their metadata

MAX_PROFILE = 1 << 22  # bytes; those of printers have 3 MB. JPEG files hold 16 MB, and PNG readers take 8 MB
EXIF_PREFIX = b"Exif\0\0"  # before the EXIF block of a JPEG, sometimes of other formats


@dataclass(frozen=True)
class Metadata:
    """What is carried over from a photograph to the panorama; None where there is none.

    Attributes:
        exif: a little-endian TIFF block without the "Exif" prefix, with orientation 1 and the descriptive tags;
            without thumbnail and pixel size, which are those of the photograph. Maker notes are copied byte for
            byte; where they hold positions in their old file, they may no longer be readable.
        icc: an RGB colour profile; a grey or CMYK one does not fit BGR pixels and is dropped, and so is one of more
            than `MAX_PROFILE` bytes. Where a camera's EXIF block says Adobe RGB and there is no profile: one that we
            made.
        xmp: one UTF-8 packet with orientation 1; extension packets of a JPEG (above 64 kB) are dropped.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None


@dataclass(frozen=True)
class Header:
    """What a picture file says about its pixels, read before any of them is decoded.

    Attributes:
        size: (w, h) px of the decoded pixels, before `Contents.orientation` is applied.
        channels, bits: of the decoded pixels; bits a channel.
        buffers: bytes that the decoder needs beside the pixels.
    """

    size: tuple[int, int]
    channels: int
    bits: int
    buffers: int = 0

    @property
    def pixel_bytes(self) -> int:
        """Bytes of the decoded pixels."""
        return self.size[0] * self.size[1] * self.channels * self.bits // 8

    def decoded_by_opencv(self) -> "Header":
        """The same with what OpenCV needs: it decodes into memory of its own and hands out a copy."""
        return replace(self, buffers=max(self.buffers, self.pixel_bytes))


@dataclass(frozen=True)
class Contents:
    """A parsed picture file.

    Attributes:
        header: what its pixels will take.
        encoded: the file for the decoder.
        orientation: EXIF orientation 1..8 that the decoder does not apply.
        premultiplied: whether the decoded colours are multiplied by alpha.
        metadata: what to carry over.
        inks: a CMYK colour profile, by which the decoder makes the colours sRGB; None: the colours are no inks, or
            without a profile.
        is_raw: it is a camera's RAW file, to be developed.
        applied: EXIF orientation 1..8 that the decoder does apply.
    """

    header: Header
    encoded: bytes
    orientation: int
    premultiplied: bool
    metadata: Metadata
    inks: bytes | None = None
    is_raw: bool = False
    applied: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(w, h) px of the upright picture."""
        width, height = self.header.size
        return (height, width) if self.orientation in (5, 6, 7, 8) else (width, height)


def contents_of(header: Header, encoded: bytes, exif: bytes, icc: bytes, xmp: bytes) -> Contents:
    """Contents of a file whose metadata blocks were found; an empty block = there is none."""
    tags = read_block(exif.removeprefix(EXIF_PREFIX))
    return Contents(header, encoded, orientation_of(tags), False, upright_metadata(tags, icc, xmp))


def upright_metadata(tags: Directory, icc: bytes, xmp: bytes) -> Metadata:
    """Metadata for upright BGR pixels: orientation 1, and no colour profile but an RGB one."""
    profile = icc if is_profile_of(b"RGB ", icc) else None
    if not icc and is_adobe_rgb(tags):
        profile = made_profile("Adobe RGB")
    upright_xmp = re.sub(rb"(tiff:Orientation(?:>|\s*=\s*[\"']))\s*[2-8]", rb"\g<1>1", xmp)
    return Metadata(upright_exif(tags), profile, upright_xmp or None)


def is_profile_of(colours: bytes, icc: bytes) -> bool:
    """Whether a colour profile, of usual size, is one of "RGB ", "CMYK", ... (ICC.1, section 7.2)."""
    return 128 < len(icc) <= MAX_PROFILE and icc[36:40] == b"acsp" and icc[16:20] == colours


def decoder_error(error: Exception, name: str, format_: str) -> Exception:
    """What to raise for an error of a library that takes a file apart or decodes it: they have many kinds of them."""
    if is_out_of_memory(error):
        return MemoryError(f"{name}: not enough memory to decode it")
    return InputError(
        f"{name}: the {format_} file is damaged, cut short or of a rare kind ({one_line(error)}); "
        "copy it again or save it as PNG"
    )


def damaged(name: str, format_: str) -> InputError:
    """The error for a file that ends too early or fails its checksum."""
    return InputError(f"{name}: the {format_} file is damaged or cut short; copy or download it again")
