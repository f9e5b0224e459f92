"""Decodes CMYK pictures that embed a colour profile of their inks."""

import warnings
from io import BytesIO

from stitching.io.codecs.jpeg_decoder import decode_jpeg
from stitching.io.codecs.tiff_check import check_tiff
from stitching.io.colours.conversion import inks_to_srgb
from stitching.io.metadata.contents import decoder_error
from stitching.io.picture import PixelArray


def decode_cmyk(encoded: bytes, profile: bytes, name: str) -> PixelArray:
    """The colours (h, w, 3), BGR of sRGB, uint8, of a CMYK or YCCK JPEG or a CMYK TIFF by its colour profile.

    Raises:
        InputError: the file is damaged, or the profile cannot be used.
        MemoryError: there is not enough.
    """
    from PIL import JpegImagePlugin, TiffImagePlugin  # here, since most pictures are RGB

    is_jpeg = encoded.startswith(b"\xff\xd8")
    opened = JpegImagePlugin.JpegImageFile if is_jpeg else TiffImagePlugin.TiffImageFile
    if is_jpeg:
        decode_jpeg(encoded, name)  # Pillow does not listen to the decoder's complaints
    else:
        check_tiff(encoded, name)
    with warnings.catch_warnings(action="ignore"):
        try:
            image = opened(BytesIO(encoded))
            image.load()
        except Exception as error:
            raise decoder_error(error, name, "JPEG" if is_jpeg else "TIFF") from error
    return inks_to_srgb(image, profile, name)
