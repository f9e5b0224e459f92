"""Stitch two pictures: python stitch_pair.py LEFT RIGHT OUTPUT."""

import sys

from stitching import InputError, Options, stitch
from stitching.io.picture_writer import write_picture

left, right, output = sys.argv[1:]
try:
    result = stitch(left, right, Options(crop=True))
except InputError as error:  # an unreadable file, no overlap, pictures that do not fit together
    raise SystemExit(str(error)) from None

for warning in result.summary.warnings:
    print("warning:", warning)
print(f"{result.summary.panorama_size}, overlap {result.summary.overlap:.0%}, {result.summary.verdict}")
write_picture(output, result.panorama, result.alpha, result.metadata)
