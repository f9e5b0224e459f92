"""The command `parastitch`: names the subcommands."""

import importlib
import sys
from collections.abc import Callable
from functools import partial

from apps.command.ending import exit_code_of
from apps.command.options import parse_options
from apps.command.watched_process import run_watched
from stitching.errors import InputError

# name -> (module, function, help); modules are imported only when asked for.
COMMANDS = {
    "stitch": ("apps.stitch", "stitch_command", "Stitch two or more pictures taken from different places."),
    "ui": ("apps.ui", "ui_command", "Open a local web page to stitch on."),
    "batch": ("apps.batch", "batch_command", "Stitch many sets of pictures, each in one process."),
    "evaluate": ("apps.evaluate", "evaluate_command", "Measure stitchers, ours and others, on a folder of pairs."),
    "train": ("apps.train", "train_command", "Train the networks on generated pairs."),
    "export": ("apps.export", "export_command", "Turn trained weights into files that need no torch."),
    "mtl-bench": ("apps.mtl_bench", "mtl_bench_command", "Compare multi-task optimizers on one network."),
    "generate": ("apps.generate", "generate_command", "Make training pairs with exact ground truth; check them."),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0 done, 1 the job failed, 2 bad input, 128 + the number of a signal.

    arguments: default: those of this process, which is watched then.
    """
    if arguments is None:
        return run_watched(partial(exit_code_of, partial(_run, sys.argv[1:])))
    return exit_code_of(partial(_run, arguments))


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"parastitch {version('parastitch')}")
        return 0
    if arguments[0] not in COMMANDS:
        raise InputError(f"no command {arguments[0]!r}; known: {', '.join(COMMANDS)} (parastitch --help)")
    module, name, _ = COMMANDS[arguments[0]]
    command: Callable[..., int | None] = getattr(importlib.import_module(module), name)
    call = parse_options(command, f"parastitch {arguments[0]}", arguments[1:])
    return call() or 0


def _overview() -> str:
    lines = ["usage: parastitch COMMAND [options]", ""]
    lines += [f"  {name:10} {text}" for name, (_, _, text) in COMMANDS.items()]
    return "\n".join([*lines, "", "parastitch COMMAND --help shows a command's options; --version the version."])


if __name__ == "__main__":
    sys.exit(main())
