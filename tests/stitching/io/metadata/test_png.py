import struct
import zlib

import cv2
import numpy as np
import pytest
from picture_files import bytes_of, photo, saved

from stitching.errors import InputError
from stitching.io.metadata.contents import Metadata
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture


def test_a_png_with_a_flipped_bit_is_refused_without_output_of_the_decoder(tmp_path, capfd):
    content = bytearray(bytes_of(".png", photo()))
    content[len(content) // 2] ^= 1
    with pytest.raises(InputError):
        read_picture(saved(tmp_path / "bad.png", bytes(content)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [1000, 5_000_000, 20_000_000])
def test_a_packet_that_decoders_would_refuse_is_not_carried_over(tmp_path, size):
    """It is there whole, or not at all; and what is written can be read."""
    packet = b"x" * size
    body = b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    content = bytes_of(".png", photo())
    picture = read_picture(saved(tmp_path / "packed.png", content[:33] + chunk + content[33:]))
    assert picture.metadata.xmp == (packet if size == 1000 else None)
    write_picture(tmp_path / "out.png", picture.pixels, metadata=Metadata(xmp=packet))
    assert np.array_equal(cv2.imread(str(tmp_path / "out.png")), photo())
