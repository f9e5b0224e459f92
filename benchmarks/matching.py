"""How many true places does the matching network find?

    python benchmarks/matching.py PAIRS ... [--weights FILE ...] [--count N] [--size W H]

PAIRS: folders of photographs with truth (`gt.npz` or `matches.npz`, docs/evaluate.md), or data sets of
`parastitch generate`; of a pair at most 2000 places count. --weights: .safetensors files of `parastitch train`, or
folders of `parastitch export`; "" = the network that ships. Each network runs as it does in `parastitch stitch`, on
both pictures in a window of 320 x 256 px, or --size: `raw` as they are, shrunk to fit; `aligned` with the target moved
by the homography of the true places. A place is right if the centre of its best cell is at most 12 px off. Printed: the
mean over the pairs of the share that is right, how many pairs have less than half right, and the shares of places that
lie within 4 and 2 px of the true ones when they are moved as far as their cells. Px are those of a window of 320 x 256
px, whatever --size is. --each also prints every pair.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import cv2
from environment import describe_environment

from apps.evaluation.known_pairs import known_pairs
from apps.evaluation.measures.matching import WINDOW, WINDOWS, MatchingErrors, matching_errors, share_within
from apps.tables import MISSING, aligned_text
from stitching.geometry.pixel_maps import Size
from stitching.network.interface import MATCHING, check_size
from stitching.network.runtime.network_files import graph_file, load_runtime

FINE = 4, 2  # px of a window of the usual size

Errors = Mapping[tuple[str, str], Mapping[str, MatchingErrors]]  # (weights, kind of window) -> name of the pair -> ...


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", type=Path, nargs="+", help="folders of pairs with truth")
    parser.add_argument("--weights", nargs="+", default=[""], help='networks; "": the one that ships')
    parser.add_argument("--count", type=int, help="pairs of each folder; default: all")
    parser.add_argument("--size", type=int, nargs=2, default=WINDOW, metavar=("W", "H"), help="of the window, px")
    parser.add_argument("--each", action="store_true", help="also print every pair")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    check_size(options.size[1], options.size[0])
    for weights in options.weights:
        graph_file(MATCHING, weights)  # missing weights are reported before any work is done
    print(describe_environment("onnxruntime", "torch"))
    for folder in options.pairs:
        errors = measure(folder, options.weights, options.count, (options.size[0], options.size[1]))
        print(f"\n{folder}:")
        if options.each:
            print(aligned_text(each_table(errors)), "\n")
        print(aligned_text(summary_table(errors)), flush=True)


def measure(folder: Path, weights: Sequence[str], count: int | None = None, size: Size = WINDOW) -> Errors:
    """Run every network on every pair."""
    errors: dict[tuple[str, str], dict[str, MatchingErrors]] = {
        (file, kind): {} for file in weights for kind in WINDOWS
    }
    for pair in known_pairs(folder, count):
        for kind, window_of in WINDOWS.items():
            window = window_of(pair.reference, pair.target, pair.places, size)
            if window is not None and len(window.places.target):
                for file in weights:
                    errors[file, kind][pair.name] = matching_errors(load_runtime(MATCHING, file), window)
    return errors


def summary_table(errors: Errors) -> list[list[str]]:
    """Headings, then a row for each network."""
    fine = [f"{kind} {limit} px" for kind in WINDOWS for limit in FINE]
    table = [["weights", "pairs", *WINDOWS, *(f"{kind} < .5" for kind in WINDOWS), *fine]]
    for file in dict.fromkeys(file for file, _ in errors):
        found = [list(errors[file, kind].values()) for kind in WINDOWS]
        shares = [[of_pair.share_right for of_pair in kind] for kind in found]
        below_half = (str(sum(share < 0.5 for share in kind)) for kind in shares)
        within = [[share_within(of_pair.place, limit) for of_pair in kind] for kind in found for limit in FINE]
        table.append([_short(file), str(len(found[0])), *map(_mean, shares), *below_half, *map(_mean, within)])
    return table


def each_table(errors: Errors) -> list[list[str]]:
    """Headings, then a row for each pair."""
    headings = ["pair", *(f"{_short(file)} {kind}" for file, kind in errors)]
    names = dict.fromkeys(name for found in errors.values() for name in found)
    shares = (
        [f"{found[name].share_right:.3f}" if name in found else MISSING for found in errors.values()] for name in names
    )
    return [headings, *([name, *of_pair] for name, of_pair in zip(names, shares, strict=True))]


def _mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" if values else MISSING


def _short(weights: str) -> str:
    return "/".join(Path(weights).parts[-2:]) if weights else "shipped"


if __name__ == "__main__":
    main()
