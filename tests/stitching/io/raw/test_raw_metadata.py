"""EXIF out of RAW files that are no TIFF, or nearly one."""

import struct

import pytest
from picture_files import bytes_of, exif_block, photo, with_exif

from stitching.io.metadata.tiff_tags import EXIF, GPS, INTEROPERABILITY, SHORT, UNDEFINED, read_block, write_directory
from stitching.io.raw.metadata import metadata_of

MAKER_NOTE, COLOUR_SPACE, EXPOSURE = 0x927C, 0xA001, 0x829A
ADOBE_RGB = (SHORT, struct.pack("<H", 65535))


def fujifilm():
    preview = with_exif(photo(), exif_block(1))
    head = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 200, len(preview))
    return head.ljust(200, b"\0") + preview + bytes(500)


def canon():
    def box(kind, tags):
        block = b"II*\0\x08\0\0\0" + write_directory(tags, 8)
        return struct.pack(">I", 8 + len(block)) + kind + block

    first = read_block(exif_block(1))
    exif = first[EXIF] | {COLOUR_SPACE: ADOBE_RGB}
    latitude = {1: (2, b"N\0\0\0")}
    boxes = box(b"CMT1", {271: first[271]}) + box(b"CMT2", exif) + box(b"CMT4", latitude)
    return struct.pack(">I", 24) + b"ftypcrx \0\0\0\1crx isom" + boxes + bytes(100)


FILES = {
    "RAF": fujifilm(),
    "CR3": canon(),
    "ORF": b"IIRO" + exif_block(1)[4:],
    "ORF, big-endian": b"MMOR" + exif_block(1, ">")[4:],
    "RW2": b"IIU\0" + exif_block(1)[4:],
}


@pytest.mark.parametrize("kind", FILES)
def test_make_and_exposure_are_found(kind):
    tags = read_block(metadata_of(FILES[kind]).exif)
    assert tags[271][1] == b"Maker\0"
    assert EXPOSURE in tags[EXIF]


def test_a_cr3_hands_on_where_it_was_taken():
    assert read_block(metadata_of(canon()).exif)[GPS][1][1][:1] == b"N"


def test_what_holds_for_the_sensor_only_is_left_out_and_the_colours_are_srgb():
    exif = {COLOUR_SPACE: ADOBE_RGB, MAKER_NOTE: (UNDEFINED, bytes(100_000)), INTEROPERABILITY: {1: (2, b"R03\0")}}
    tags = {271: (2, b"Maker\0"), EXIF: exif, 700: (1, b"<x:xmpmeta/>")}
    metadata = metadata_of(b"II*\0\x08\0\0\0" + write_directory(tags, 8))
    assert set(read_block(metadata.exif)[EXIF]) == {COLOUR_SPACE}
    assert read_block(metadata.exif)[EXIF][COLOUR_SPACE] == (SHORT, b"\1\0")
    assert (metadata.xmp, metadata.icc) == (None, None)


@pytest.mark.parametrize(
    "data", [b"FUJIFILMCCD-RAW 0201", b"\0\0\0\x18ftypcrx CMT1", b"FOVb" * 10, bytes_of(".bmp", photo())]
)
def test_without_exif_there_is_none(data):
    assert metadata_of(data).exif is None
