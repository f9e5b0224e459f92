"""The command `parastitch`: names the subcommands."""

import importlib
import sys
from collections.abc import Callable
from functools import partial

from apps.command.config import config_files, configured, split_config
from apps.command.ending import exit_code_of
from apps.command.options import asks_for_help, parse_options
from apps.command.standard_streams import tell
from apps.command.watched_process import run_watched
from stitching.errors import InputError, did_you_mean

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
GROUPS = {
    "stitching": ("stitch", "ui", "batch"),
    "training and measuring": ("evaluate", "generate", "train", "export", "mtl-bench"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0 done, 1 the job failed, 2 bad input, 128 + the number of a signal.

    arguments: default: those of this process, which is watched then.
    """
    if arguments is None:
        return run_watched(partial(exit_code_of, partial(_run, sys.argv[1:])))
    return exit_code_of(partial(_run, arguments))


def _run(arguments: list[str]) -> int:
    choice, words = split_config(arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"parastitch {version('parastitch')}")
        return 0
    if words[0] == "--print-completion":
        from apps.command.completion import completion_script

        print(completion_script(" ".join(words[1:]), {name: _function(name) for name in COMMANDS}), end="")
        return 0
    name, *options = words
    if name not in COMMANDS:
        known = f"{', '.join(COMMANDS)} (parastitch --help)"
        raise InputError(f"no command {name!r}; known: {known}{did_you_mean(name, COMMANDS)}")
    command = _function(name)
    try:
        command = configured(command, name, choice, list(COMMANDS))
    except InputError as error:
        if not asks_for_help(options):
            raise
        tell(error)
    module = sys.modules[COMMANDS[name][0]]
    options = getattr(module, "EXPAND", list)(options)
    try:
        call = parse_options(command, f"parastitch {name}", options, getattr(module, "HELP_FIRST", ()))
    except InputError as error:
        files = "" if command is _function(name) else f"; defaults are from {', '.join(map(str, config_files(choice)))}"
        raise InputError(f"{error}{files}") from None
    return call() or 0


def _function(name: str) -> Callable[..., int | None]:
    module, function, _ = COMMANDS[name]
    found: Callable[..., int | None] = getattr(importlib.import_module(module), function)
    return found


def _overview() -> str:
    lines = ["usage: parastitch COMMAND [options]"]
    for title, names in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {name:10} {COMMANDS[name][2]}" for name in names)]
    return "\n".join([*lines, "", *_NOTES])


_NOTES = (
    "parastitch COMMAND --help shows the options of a command, -V the version.",
    "--config FILE: defaults of options; --print-completion bash|zsh: the Tab key",
    "completes commands and options (docs/configuration.md).",
)


if __name__ == "__main__":
    sys.exit(main())
