"""The command `parastitch`: names the subcommands and turns errors into one line and an exit code."""

import importlib
import io
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

from stitching.errors import InputError, JobError

# name -> (module, function, help); modules are imported only when asked for.
COMMANDS = {
    "stitch": ("apps.stitch", "stitch_command", "Stitch two pictures taken from different places."),
    "evaluate": ("apps.evaluate", "evaluate_command", "Measure stitchers, ours and others, on a folder of pairs."),
    "train": ("apps.train", "train_command", "Train the networks on generated pairs."),
    "export": ("apps.export", "export_command", "Turn trained weights into files that need no torch."),
    "mtl-bench": ("apps.mtl_bench", "mtl_bench_command", "Compare multi-task optimizers on one network."),
    "generate": ("apps.generate", "generate_command", "Make training pairs with exact ground truth; check them."),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0 done, 1 the job failed, 2 bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(arguments)
    except InputError as error:
        return _print_error(error, 2)
    except JobError as error:
        return _print_error(error, 1)
    except MemoryError:
        return _print_error("not enough memory; use smaller pictures, for stitch --final-megapix, or fewer --jobs", 1)
    except KeyboardInterrupt:
        return _print_error("interrupted; nothing was left half-written", 130)
    except BrokenPipeError:
        return 1


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
    call = _parse(command, f"parastitch {arguments[0]}", arguments[1:])
    return call() or 0


def _parse(command: Callable[..., Any], name: str, arguments: list[str]) -> Callable[[], int | None]:
    """Let tyro parse the options; its error box becomes one line."""
    import functools

    import tyro

    @functools.wraps(command)
    def bound(*args: Any, **options: Any) -> Callable[[], int | None]:
        return functools.partial(command, *args, **options)

    error_box = io.StringIO()
    try:
        with redirect_stderr(error_box):
            return tyro.cli(bound, prog=name, args=arguments)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        # Box lines, rules and the hint at the end go; the words stay.
        words = re.sub(r"[─-╿]+", " ", error_box.getvalue())
        words = re.sub(r"\s+", " ", words.split("For full helptext")[0]).strip()
        words = re.sub(r"^Value error Error parsing \w+: ", "", words)  # tyro's words before those of our dataclasses
        raise InputError(f"{words} (see {name} --help)") from None


def _overview() -> str:
    lines = ["usage: parastitch COMMAND [options]", ""]
    lines += [f"  {name:10} {text}" for name, (_, _, text) in COMMANDS.items()]
    return "\n".join([*lines, "", "parastitch COMMAND --help shows a command's options; --version the version."])


def _print_error(error: object, code: int) -> int:
    print(f"parastitch: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
