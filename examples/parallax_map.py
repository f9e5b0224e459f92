"""Look at the parallax of a pair, which tells near from far: python parallax_map.py LEFT RIGHT OUTPUT.

The coarse alignment puts one plane of the scene in its place. What is in front of the plane is displaced to one side,
what is behind it to the other, the farther the more: a map that looks like depth, but has no unit of length.
"""

import sys

import cv2
import numpy as np

from stitching import Options, stitch

left, right, output = sys.argv[1:]
result = stitch(left, right, Options(warp="classical"))
residual = result.residual  # (h, w, 2), px of the canvas; NaN where the target shows nothing
known = result.placement.trusted & result.aligned.reference_valid & np.isfinite(residual[..., 0])

_, vectors = np.linalg.eigh(np.cov(residual[known].T))
parallax = residual @ vectors[:, -1]  # (h, w): along the direction in which it differs most
low, high = np.percentile(parallax[known], (2, 98))
print(f"parallax from {low:.1f} to {high:.1f} px")
grey = 255 * np.clip((parallax - low) / (high - low), 0, 1)
picture = cv2.applyColorMap(np.where(known, grey, 0).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
picture[~known] = 0
cv2.imwrite(output, picture)
