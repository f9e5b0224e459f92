"""TIFF directories, lists of tagged values, read and written. An EXIF block is a TIFF without pixels.

Source: TIFF 6.0, section 2; BigTIFF as libtiff describes it; EXIF CIPA DC-008, section 4.6.
"""

import struct

import numpy as np
from numpy.typing import NDArray

# tag -> (type, little-endian value), or the directory that the tag points to
Directory = dict[int, "tuple[int, bytes] | Directory"]

BYTE, SHORT, LONG, UNDEFINED, LONG8 = 1, 3, 4, 7, 16
_DIRECTORY, _DIRECTORY8 = 13, 18
_CLASSIC, _BIG = 42, 43  # versions: TIFF 6.0, and BigTIFF of 64-bit positions
_OF_CAMERAS = 0x55, 0x4F52, 0x5352  # versions in RAW files of Panasonic and Olympus, classic but for that number
_MAX_LINKED = 16  # directories that one tag points to
_MAX_ENTRIES = 65535  # of a directory
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005  # tags that point to directories

_VALUE_BYTES = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1},
    **{LONG8: 8, 17: 8, 18: 8},  # of BigTIFF
}
_WORD_BYTES = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, LONG8: 8, 17: 8, 18: 8}  # multi-byte words
_UNSIGNED = {SHORT: "<u2", LONG: "<u4", _DIRECTORY: "<u4", LONG8: "<u8", _DIRECTORY8: "<u8"}


def value_of(tags: Directory, tag: int) -> bytes:
    """The bytes of a tag; empty where the tag is missing."""
    found = tags.get(tag)
    return found[1] if isinstance(found, tuple) else b""


def number_of(tags: Directory, tag: int, default: int) -> int:
    """The first number of a tag of type SHORT, LONG or LONG8; `default` where it is missing."""
    found = tags.get(tag)
    if not isinstance(found, tuple) or found[0] not in _UNSIGNED:
        return default
    return int.from_bytes(found[1][: _VALUE_BYTES[found[0]]], "little")


def numbers_of(tags: Directory, tag: int) -> NDArray[np.int64]:
    """All numbers of a tag of type SHORT, LONG or LONG8; empty where it is missing."""
    found = tags.get(tag)
    if not isinstance(found, tuple) or found[0] not in _UNSIGNED:
        return np.zeros(0, np.int64)
    return np.frombuffer(found[1], _UNSIGNED[found[0]]).astype(np.int64)


def read_block(data: bytes | memoryview) -> Directory:
    """The first directory of a TIFF, BigTIFF or EXIF block; empty where there is none."""
    layout = _layout(data)
    if layout is None:
        return {}
    order, word = layout
    return _read_directory(data, order, word, struct.unpack_from(order + word, data, 4 if word == "I" else 8)[0])


def linked_directories(data: bytes | memoryview, tags: Directory, tag: int) -> list[Directory]:
    """The directories of a TIFF that a tag of its first one points to, as that of smaller or sensor pictures does."""
    layout = _layout(data)
    if layout is None:
        return []
    return [_read_directory(data, *layout, int(place)) for place in numbers_of(tags, tag)[:_MAX_LINKED] if place >= 0]


def _layout(data: bytes | memoryview) -> tuple[str, str] | None:
    """Byte order and the format of lengths and positions (module struct); None where it is no TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 16:
        return None
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == _BIG:
        return order, "Q"
    return (order, "I") if version == _CLASSIC or version in _OF_CAMERAS else None


def _read_directory(data: bytes | memoryview, order: str, word: str, offset: int, depth: int = 0) -> Directory:
    """Read the directory at `offset` and two levels below it; damaged entries are left out.

    word: format of lengths and positions, "I" or, in a BigTIFF, "Q" (module struct).
    """
    tags: Directory = {}
    head, entry = struct.Struct(order + ("H" if word == "I" else "Q")), struct.Struct(f"{order}HH2{word}")
    first, inline = offset + head.size, struct.calcsize(order + word)
    if first > len(data):
        return tags
    count = min(head.unpack_from(data, offset)[0], _MAX_ENTRIES)
    left = len(data)  # values share no bytes, unless they are made to fill the memory
    for at in range(first, min(first + entry.size * count, len(data) - entry.size + 1), entry.size):
        tag, kind, length, position = entry.unpack_from(data, at)
        size = _VALUE_BYTES.get(kind, 0) * length
        start = position if size > inline else at + entry.size - inline
        if not 0 < size <= min(left, len(data) - start) or tag in tags:
            continue
        left -= size
        value = bytes(data[start : start + size])
        if tag not in (EXIF, GPS, INTEROPERABILITY):
            tags[tag] = (kind, value if order == "<" else _bytes_swapped(value, _WORD_BYTES.get(kind, 1)))
        elif kind in (LONG, _DIRECTORY, LONG8, _DIRECTORY8) and depth < 2:
            place = int.from_bytes(value, "little" if order == "<" else "big")
            tags[tag] = _read_directory(data, order, word, place, depth + 1)
    return tags


def _bytes_swapped(value: bytes, word: int) -> bytes:
    return np.frombuffer(value, f">u{word}").astype(f"<u{word}").tobytes()


def write_directory(tags: Directory, start: int) -> bytes:
    """A little-endian directory and its values, to be written at byte `start` of a file."""
    entries, values = [], bytearray()
    values_start = start + 2 + 12 * len(tags) + 4
    for tag, content in sorted(tags.items(), key=lambda item: item[0]):
        position = struct.pack("<I", values_start + len(values))
        if isinstance(content, dict):
            kind, count = LONG, 1
            values += write_directory(content, values_start + len(values))
        else:
            kind, value = content
            count = len(value) // _VALUE_BYTES[kind]
            if len(value) <= 4:
                position = value.ljust(4, b"\0")
            else:
                values += value + b"\0" * (len(value) % 2)  # values start on even bytes
        entries.append(struct.pack("<HHI", tag, kind, count) + position)
    return struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4) + bytes(values)
