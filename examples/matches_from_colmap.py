"""Truth for `parastitch evaluate` from poses: points that COLMAP has triangulated and two pictures show.

python matches_from_colmap.py IMAGES.txt REFERENCE TARGET MATCHES.npz

IMAGES.txt: of a model in text form (colmap model_converter --output_type TXT); the pictures as COLMAP knows them.
"""

import sys
from pathlib import Path

import numpy as np


def points_of(model: str) -> dict[str, dict[int, tuple[float, float]]]:
    """Name of a picture -> number of a 3-D point -> its place (x, y) in the picture."""
    lines = [line for line in Path(model).read_text().splitlines() if not line.startswith("#")]
    found = {}
    for head, points in zip(lines[::2], lines[1::2], strict=True):  # two lines a picture
        numbers = np.array(points.split(), float).reshape(-1, 3)  # (n, 3): x, y, number of the point or -1
        # In COLMAP the centre of the first pixel is (0.5, 0.5), here (0, 0).
        found[head.split(maxsplit=9)[9]] = {int(n): (x - 0.5, y - 0.5) for x, y, n in numbers if n >= 0}
    return found


model, reference, target, output = sys.argv[1:]
places = points_of(model)
shared = sorted(places[reference].keys() & places[target].keys())
if not shared:
    raise SystemExit(f"{reference} and {target} show no common point")
xy1, xy2 = (np.array([places[name][point] for point in shared]) for name in (reference, target))
np.savez(output, xy1=xy1, xy2=xy2)
print(f"{len(shared)} places that both pictures show")
