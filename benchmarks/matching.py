"""How many true places does the matching network find?

    python benchmarks/matching.py PAIRS ... [--weights FILE ...] [--count N]

PAIRS: folders of photographs with truth (`gt.npz` or `matches.npz`, docs/evaluate.md), or data sets of
`parastitch generate`; of a pair at most 2000 places count. --weights: .safetensors files of `parastitch train`, or
folders of `parastitch export`; "" = the network that ships. Each network runs as it does in `parastitch stitch`, on
both pictures in a window of 320 x 256 px: `raw` as they are, shrunk to fit; `aligned` with the target moved by the
homography of the true places. A place is right if the centre of its best cell is at most 12 px off. Printed: the mean
over the pairs of the share that is right, and how many pairs have less than half right. --each also prints every pair.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from environment import describe_environment

from apps.evaluation.known_pairs import known_pairs
from apps.evaluation.measures.matching import WINDOWS, share_right
from apps.tables import MISSING, aligned_text
from stitching.network.interface import MATCHING
from stitching.network.runtime.network_files import graph_file, load_runtime

Shares = Mapping[tuple[str, str], Mapping[str, float]]  # (weights, kind of window) -> name of the pair -> share right


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", type=Path, nargs="+", help="folders of pairs with truth")
    parser.add_argument("--weights", nargs="+", default=[""], help='networks; "": the one that ships')
    parser.add_argument("--count", type=int, help="pairs of each folder; default: all")
    parser.add_argument("--each", action="store_true", help="also print every pair")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for weights in options.weights:
        graph_file(MATCHING, weights)  # missing weights are reported before any work is done
    print(describe_environment("onnxruntime", "torch"))
    for folder in options.pairs:
        shares = measure(folder, options.weights, options.count)
        print(f"\n{folder}:")
        if options.each:
            print(aligned_text(each_table(shares)), "\n")
        print(aligned_text(summary_table(shares)), flush=True)


def measure(folder: Path, weights: Sequence[str], count: int | None = None) -> Shares:
    """Run every network on every pair."""
    shares: dict[tuple[str, str], dict[str, float]] = {(file, kind): {} for file in weights for kind in WINDOWS}
    for pair in known_pairs(folder, count):
        for kind, window_of in WINDOWS.items():
            window = window_of(pair.reference, pair.target, pair.places)
            for file in weights if window else ():
                shares[file, kind][pair.name] = share_right(load_runtime(MATCHING, file), window)
    return shares


def summary_table(shares: Shares) -> list[list[str]]:
    """Headings, then a row for each network."""
    table = [["weights", "pairs", *WINDOWS, *(f"{kind} < .5" for kind in WINDOWS)]]
    for file in dict.fromkeys(file for file, _ in shares):
        values = [np.array(list(shares[file, kind].values())) for kind in WINDOWS]
        means = (f"{found.mean():.3f}" if len(found) else MISSING for found in values)
        below_half = (str((found < 0.5).sum()) for found in values)
        table.append([_short(file), str(len(values[0])), *means, *below_half])
    return table


def each_table(shares: Shares) -> list[list[str]]:
    """Headings, then a row for each pair."""
    names = dict.fromkeys(name for found in shares.values() for name in found)
    cells = ([f"{found[name]:.3f}" if name in found else MISSING for found in shares.values()] for name in names)
    headings = ["pair", *(f"{_short(file)} {kind}" for file, kind in shares)]
    return [headings, *([name, *of_pair] for name, of_pair in zip(names, cells, strict=True))]


def _short(weights: str) -> str:
    return "/".join(Path(weights).parts[-2:]) if weights else "shipped"


if __name__ == "__main__":
    main()
