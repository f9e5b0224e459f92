"""Small pictures, their files and metadata blocks, for the tests of `stitching.io`."""

import struct
from contextlib import contextmanager
from io import BytesIO

import cv2
import numpy as np
import pytest

from stitching.errors import InputError

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
# A header and an empty table of tags: what a reader needs to see an RGB profile.
ICC = struct.pack(">I", 132) + bytes(12) + b"RGB XYZ " + bytes(12) + b"acsp" + bytes(92)
EXTENSIONS = [".jpg", ".png", ".tif", ".webp"]


def photo(depth=np.uint8, shape=(48, 64, 3)):
    """Smooth noise, which lossy formats keep and which has no symmetry."""
    noise = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return cv2.normalize(smooth, None, 0, np.iinfo(depth).max, cv2.NORM_MINMAX).astype(depth)


def half_transparent():
    """Alpha whose left half is transparent."""
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :32] = 0
    return alpha


def exif_block(orientation, order="<"):
    """An EXIF block: make and orientation; one level below, exposure time and pixel width; a thumbnail's directory."""

    def entry(tag, kind, count, value):
        return struct.pack(order + "HHI", tag, kind, count) + value

    def number(value):
        return struct.pack(order + "I", value)

    first = struct.pack(order + "H", 3)
    first += entry(0x010F, 2, 6, number(8 + 42))
    first += entry(0x0112, 3, 1, struct.pack(order + "HH", orientation, 0))
    first += entry(0x8769, 4, 1, number(8 + 42 + 6)) + number(8 + 42 + 6 + 38)
    exif = struct.pack(order + "H", 2) + entry(0x829A, 5, 1, number(8 + 42 + 6 + 30)) + entry(0xA002, 4, 1, number(64))
    exif += number(0) + struct.pack(order + "II", 1, 250)
    thumbnail = struct.pack(order + "H", 1) + entry(0x0103, 3, 1, struct.pack(order + "HH", 6, 0)) + number(0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + number(8)
    return head + first + b"Maker\0" + exif + thumbnail


def with_exif(pixels, exif, extension=".jpg"):
    kinds, blocks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif, np.uint8)]
    ok, encoded = cv2.imencodeWithMetadata(extension, pixels, kinds, blocks, [cv2.IMWRITE_JPEG_QUALITY, 100])
    assert ok
    return encoded.tobytes()


def stored_turned(pixels, orientation):
    """What a camera with this EXIF orientation stores of upright pixels."""
    stored = {1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1]}
    turned = {5: pixels, 6: pixels[:, ::-1], 7: pixels[::-1, ::-1], 8: pixels[::-1]}
    found = stored[orientation] if orientation < 5 else turned[orientation].transpose(1, 0, 2)
    return np.ascontiguousarray(found)


def bytes_of(extension, pixels, settings=()):
    return cv2.imencode(extension, pixels, list(settings))[1].tobytes()


def saved(path, content):
    path.write_bytes(content)
    return path


def pillow_bytes(image, format_, **settings):
    memory = BytesIO()
    image.save(memory, format_, **settings)
    return memory.getvalue()


@contextmanager
def refused(*words, error=InputError):
    """Expects an error whose message is one line with these words."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
