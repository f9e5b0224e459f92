"""Colour profiles for tests that the program itself does not make."""

import struct

import numpy as np

_INKS = {"cyan": (0.55, -37, -50), "magenta": (0.48, 74, -3), "yellow": (0.89, -5, 93), "black": (0.16, 0, 0)}


def _profile(kind, colours, connection, tags):
    start = 132 + 12 * len(tags)
    table, values = b"", b""
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, start + len(values), len(value))
        values += value + bytes(-len(value) % 4)
    size = start + len(values)
    date = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    white = struct.pack(">3i", 63190, 65536, 54061)
    header = struct.pack(">I4xI4s4s4s12s4s28x12s48x", size, 0x02400000, kind, colours, connection, date, b"acsp", white)
    return header + struct.pack(">I", len(tags)) + table + values


def _white():
    return b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)


def _table(inputs, colours):
    """A table (lut8Type) of two steps for each input: all corners, the last input changes fastest."""
    plain = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return b"mft1" + bytes(4) + bytes((inputs, 3, 2, 0)) + matrix + plain * inputs + bytes(colours) + plain * 3


def cmyk_profile():
    """Inks that multiply the lightness and add their hues; black has none."""
    colours = []
    for corner in np.ndindex(2, 2, 2, 2):
        inks = [ink for ink, used in zip(_INKS.values(), corner, strict=True) if used]
        lightness = np.prod([ink[0] for ink in inks])
        hues = [0 if corner[3] else sum(ink[i] for ink in inks) for i in (1, 2)]
        colours += [round(255 * lightness), *(round(min(max(hue + 128, 0), 255)) for hue in hues)]
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _white(), b"A2B0": _table(4, colours)})


def rgb_table_profile():
    """A profile of tables: red and blue exchanged, all of it less colourful."""
    colours = []
    for red, green, blue in np.ndindex(2, 2, 2):
        lightness = 255 * (0.2 * blue + 0.7 * green + 0.1 * red)
        hues = 128 + 60 * (blue - green), 128 + 60 * (green - red)
        colours += [round(lightness), *(int(hue) for hue in hues)]
    return _profile(b"scnr", b"RGB ", b"Lab ", {b"wtpt": _white(), b"A2B0": _table(3, colours)})


def matrix_profile_with(profile, curve):
    """A copy of a profile that we made whose tone curves are others; the curve goes to its end."""
    count = int.from_bytes(profile[128:132])
    changed = bytearray(profile)
    for at in range(132, 132 + 12 * count, 12):
        if profile[at + 1 : at + 4] == b"TRC":
            changed[at + 4 : at + 12] = struct.pack(">II", len(profile), len(curve))
    changed += curve + bytes(-len(curve) % 4)
    changed[:4] = struct.pack(">I", len(changed))
    return bytes(changed)
