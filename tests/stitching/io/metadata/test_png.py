import pytest
from picture_files import bytes_of, photo, saved

from stitching.errors import InputError
from stitching.io.picture_reader import read_picture


def test_a_png_with_a_flipped_bit_is_refused_without_output_of_the_decoder(tmp_path, capfd):
    content = bytearray(bytes_of(".png", photo()))
    content[len(content) // 2] ^= 1
    with pytest.raises(InputError):
        read_picture(saved(tmp_path / "bad.png", bytes(content)))
    assert capfd.readouterr() == ("", "")
