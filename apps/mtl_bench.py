"""`parastitch mtl-bench`: multi-task optimizers compared on one network."""

import sys
from importlib.util import find_spec
from pathlib import Path

import tyro

from apps.benchmarking.options import BenchOptions
from stitching.errors import InputError
from stitching.io.files import check_folder


def mtl_bench_command(
    output: tyro.conf.Positional[Path],
    options: tyro.conf.OmitArgPrefixes[BenchOptions] = BenchOptions(),  # noqa: B008 - frozen
) -> None:
    """Train one network with several multi-task optimizers, and networks for single tasks, and compare them.

    Writes OUTPUT/runs/RUN.json for each run, OUTPUT/results.csv, OUTPUT/table.md, plots, and prints the table. What is
    finished is not run again: interrupted, the same command goes on, and one with more methods or seeds adds them.

    Args:
        output: folder for the results; made if need be.
    """
    if missing := [package for package in ("torch", "sklearn", "albumentations") if find_spec(package) is None]:
        raise InputError(f"mtl-bench needs {', '.join(missing)}: pip install 'parastitch[train]'")
    import torch

    from apps.benchmarking.comparison import compare
    from apps.benchmarking.execution import execute_apart
    from apps.benchmarking.plots import write_plots
    from apps.benchmarking.store import Store
    from apps.benchmarking.tables import write_results

    check_folder(output)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this machine has no such device; use --device cpu")
    store = Store(output, options.cache or output / "cache")
    found = compare(options, store, execute_apart(options.jobs), lambda line: print(line, file=sys.stderr, flush=True))
    print(write_results(found, options, output))
    plots = write_plots(found, output)
    print("written: " + ", ".join(map(str, [output / "results.csv", output / "table.md", *plots])))
    if not plots:
        print("no plots: they need matplotlib, pip install 'parastitch[mtl]'", file=sys.stderr)
