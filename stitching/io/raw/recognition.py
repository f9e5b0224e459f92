"""Recognises RAW files by what they hold. Many begin like a TIFF: tags tell them from one (DNG 1.7, chapter 4)."""

from stitching.io.metadata.tiff_tags import Directory, linked_directories, number_of, read_block

_STARTS = (  # Fujifilm, Olympus, Panasonic, Sigma, Minolta, old Canon
    b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR",
)  # fmt: skip
_CANON_TIFF = b"\x10\0\0\0CR\x02"  # from byte 4 on: the first directory comes after this mark
_PHOTOMETRIC, _SUB_PICTURES, _DNG_VERSION = 262, 330, 50706
_OF_SENSORS = 32803, 34892  # values of _PHOTOMETRIC: a colour filter array, and linear RAW


def begins_as_raw(head: bytes) -> bool:
    """Whether the first 16 bytes of a file are those of a RAW format that is no TIFF."""
    return head.startswith(_STARTS) or head[4:12] == b"ftypcrx "


def is_raw(data: bytes | memoryview) -> bool:
    """Whether a file is RAW or DNG: it begins so, or is a TIFF with a picture of a sensor, first or just below it."""
    if begins_as_raw(bytes(data[:16])) or data[4:11] == _CANON_TIFF:
        return True
    tags = read_block(data)
    return _DNG_VERSION in tags or any(map(_is_of_a_sensor, [tags, *linked_directories(data, tags, _SUB_PICTURES)]))


def _is_of_a_sensor(tags: Directory) -> bool:
    return number_of(tags, _PHOTOMETRIC, 0) in _OF_SENSORS
