"""TIFF directories, lists of tagged values, read and written. An EXIF block is a TIFF without pixels.

Source: TIFF 6.0, section 2; EXIF CIPA DC-008, section 4.6.
"""

import struct

# tag -> (type, little-endian value), or the directory that the tag points to
Directory = dict[int, "tuple[int, bytes] | Directory"]

BYTE, SHORT, LONG, UNDEFINED = 1, 3, 4, 7
_DIRECTORY = 13
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005  # tags that point to directories

_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_WORD_BYTES = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}  # of multi-byte words


def value_of(tags: Directory, tag: int) -> bytes:
    """The bytes of a tag; empty where the tag is missing."""
    found = tags.get(tag)
    return found[1] if isinstance(found, tuple) else b""


def number_of(tags: Directory, tag: int, default: int) -> int:
    """The first number of a tag of type SHORT or LONG; `default` where it is missing."""
    found = tags.get(tag)
    if not isinstance(found, tuple) or found[0] not in (SHORT, LONG):
        return default
    return int.from_bytes(found[1][: _VALUE_BYTES[found[0]]], "little")


def read_block(data: bytes | memoryview) -> Directory:
    """The first directory of a TIFF or EXIF block; empty where there is none, and for a BigTIFF."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order is None or len(data) < 8:
        return {}
    return _read_directory(data, order, struct.unpack_from(order + "I", data, 4)[0])


def _read_directory(data: bytes | memoryview, order: str, offset: int, depth: int = 0) -> Directory:
    """Read the directory at `offset` and two levels below it; damaged entries are left out."""
    tags: Directory = {}
    count = int.from_bytes(data[offset : offset + 2], "little" if order == "<" else "big")
    for at in range(offset + 2, min(offset + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, length, position = struct.unpack_from(order + "HHII", data, at)
        size = _VALUE_BYTES.get(kind, 0) * length
        start = position if size > 4 else at + 8
        value = bytes(data[start : start + size])
        if not size or len(value) < size or tag in tags:
            continue
        if tag not in (EXIF, GPS, INTEROPERABILITY):
            tags[tag] = (kind, value if order == "<" else _bytes_swapped(value, _WORD_BYTES.get(kind, 1)))
        elif kind in (LONG, _DIRECTORY) and depth < 2:
            tags[tag] = _read_directory(data, order, position, depth + 1)
    return tags


def _bytes_swapped(value: bytes, word: int) -> bytes:
    return b"".join(value[at : at + word][::-1] for at in range(0, len(value), word)) if word > 1 else value


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
