"""How wrong are coarse alignments: those that features find, and those that lessons draw from the truth?

    python benchmarks/alignment_errors.py DATA [--count 120]

DATA is a folder that `parastitch generate` wrote. Each alignment is compared with the homography that fits most visible
pixels of the target. Printed are 10th, 50th and 90th percentile over the pairs, in widths of the pictures: of the mean
displacement of the target's corners, and of the median displacement of its visible pixels.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from environment import describe_environment
from torch import Tensor

from datasets.examples.alignments import draw_alignments, true_matches
from datasets.examples.window_transforms import corners_of, move
from datasets.pair_batch import PairArrays, collate
from datasets.rendering.parallax import fit_homographies
from datasets.storage.lookup import SampleLookup
from stitching.alignment.coarse_alignment import align
from stitching.errors import InputError
from stitching.io.picture import to_grey

SHARES = 0.1, 0.5, 0.9


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=120, help="pairs")
    arguments = parser.parse_args()
    print(describe_environment("torch"))
    samples = SampleLookup(arguments.data)
    generator = torch.Generator().manual_seed(0)
    errors: dict[str, list[tuple[float, float]]] = {"features": [], "drawn": []}
    failed = 0
    for index in samples.indices[: arguments.count]:
        pair = samples.pair(index)
        errors["drawn"].append(errors_of(pair, draw_alignments(collate([pair]), generator)))
        try:
            found = align(to_grey(pair.pictures[1]), to_grey(pair.pictures[0])).homography
        except InputError:
            failed += 1
            continue
        errors["features"].append(errors_of(pair, torch.from_numpy(found)[None]))
    print(f"features failed on {failed} pairs")
    for name, values in errors.items():
        corners, visible = (np.quantile(column, SHARES) for column in np.array(values).T)
        print(f"{name:9} corners {np.round(corners, 3)}  visible pixels {np.round(visible, 3)}")


def errors_of(pair: PairArrays, alignment: Tensor) -> tuple[float, float]:
    """Displacement of the corners and of the visible pixels by an alignment (1, 3, 3), in widths."""
    size = pair.pictures[1].shape[1], pair.pictures[1].shape[0]
    points, matches, visible = true_matches(collate([pair]))
    best = fit_homographies(points, matches, visible, size[0])
    corners = corners_of(size, best)[None]
    off_corners = (move(corners, best)[0] - move(corners, alignment)[0]).square().sum(2).mean().sqrt()
    off = (move(points, best)[0] - move(points, alignment)[0]).norm(dim=2)[visible > 0]
    return float(off_corners) / size[0], float(off.median()) / size[0]


if __name__ == "__main__":
    main()
