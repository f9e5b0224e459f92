"""`parastitch mtl-bench`: multi-task optimizers compared on one network."""

import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import tyro

from apps.benchmarking.experiment.options import BenchOptions
from apps.benchmarking.experiment.protocols import with_protocol
from stitching.errors import InputError
from stitching.io.file_conflicts import check_links, check_outputs
from stitching.io.files import check_folder

OUTPUTS = (
    "runs", "data", "results.csv", "table.md",
    "delta_m.png", "losses.png", "curves.png", "cosines.png", "noise.png",
)  # fmt: skip
EXPAND = with_protocol  # the words of the command line, before they are parsed
COMMAND_LINE_ONLY = ("protocol",)  # not in the files of `--config`: only words are expanded


def mtl_bench_command(
    output: tyro.conf.Positional[Path],
    options: tyro.conf.OmitArgPrefixes[BenchOptions] = BenchOptions(),  # noqa: B008 - frozen
) -> None:
    """Train one network with several multi-task optimizers, and networks for single tasks, and compare them.

    Writes OUTPUT/runs/RUN.json for each run, OUTPUT/results.csv, OUTPUT/table.md, plots, and prints the table. Finished
    runs are not repeated: after an interruption the same command continues, and one with more methods or seeds adds
    them.

    Args:
        output: folder for the results; created if missing.
    """
    if missing := [package for package in ("torch", "sklearn", "albumentations") if find_spec(package) is None]:
        raise InputError(f"mtl-bench needs {', '.join(missing)}: pip install 'parastitch[bench]'")
    from apps.benchmarking.execution import execute_in_subprocesses
    from apps.benchmarking.method_comparison import compare
    from apps.benchmarking.reports.plots import write_plots
    from apps.benchmarking.reports.result_tables import write_results
    from apps.benchmarking.result_store import ResultStore
    from stitching.network.devices import require_device

    check_folder(output)
    if options.folder is not None:
        check_outputs([("OUTPUT", output)], [("--folder", options.folder)])
        check_links(("OUTPUT", output), OUTPUTS, [("--folder", options.folder)])
    require_device(options.device)
    store = ResultStore(output, options.cache or output / "cache")
    log = partial(print, file=sys.stderr, flush=True)
    comparison = compare(options, store, execute_in_subprocesses(options.jobs), log)
    print(write_results(comparison, options, output))
    plots = write_plots(comparison, output)
    print("written: " + ", ".join(map(str, [output / "results.csv", output / "table.md", *plots])))
    if not plots:
        print("no plots: they need matplotlib, pip install 'parastitch[bench]'", file=sys.stderr)
