"""Two fixed cameras: estimate the warp once, use it for the pictures that follow.

python reuse_warp.py LEFT RIGHT WARP.npz NEXT_LEFT NEXT_RIGHT OUTPUT
"""

import sys
from pathlib import Path

from stitching import apply_warp, estimate_warp, load_warp, save_warp, stitch
from stitching.io.picture_writer import write_picture

left, right, file, next_left, next_right, output = sys.argv[1:]
save_warp(Path(file), estimate_warp(left, right))

# Later, in another process: nothing is estimated, only checked on the new pictures, and blended.
warp = load_warp(Path(file))
write_picture(output, stitch(next_left, next_right, warp=warp).panorama)

# Or one picture alone, where the warp puts it: also labels, depths or temperatures of the camera, as an array.
moved, alpha = apply_warp(warp, next_right)
print(f"{next_right} covers {(alpha > 0).mean():.0%} of a canvas of {moved.shape[1]} x {moved.shape[0]} px")
