"""Any warp of `warp_methods` as one process: python -m apps.evaluation.programs.extra_warp WARP ARGUMENTS ..."""

import sys

from apps import cli
from apps.evaluation.warp_methods import find_method
from stitching.warping.estimators.registry import ESTIMATORS


def main(warp: str, *arguments: str) -> int:
    """Run `parastitch stitch` with arguments that name the warp. Returns the exit code."""
    ESTIMATORS[warp] = find_method(warp)
    return cli.main(["stitch", "--no-config", *arguments])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
