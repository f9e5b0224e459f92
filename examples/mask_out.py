"""Leave a part of a picture out, such as a person who moved: python mask_out.py LEFT RIGHT OUTPUT X Y WIDTH HEIGHT.

X, Y, WIDTH and HEIGHT say where it is in the right picture, in pixels.
"""

import sys

import numpy as np

from stitching import stitch
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture

left, right, output = sys.argv[1:4]
x, y, width, height = map(int, sys.argv[4:])
target = read_picture(right)
mask = np.full(target.pixels.shape[:2], 255, np.uint8)
mask[y : y + height, x : x + width] = 0  # zero: neither matched nor shown

result = stitch(left, right, mask_target=mask)
write_picture(output, result.panorama, result.alpha, result.metadata)
