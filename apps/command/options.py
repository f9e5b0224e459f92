"""Options of a command: tyro parses them; what it says about wrong ones becomes one line."""

import ast
import functools
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

from apps.command.help_text import readable_help
from stitching.errors import InputError, did_you_mean

# What tyro says where the words after an option are not what it takes
_GIVEN = r"(?P<given>\[.*\])"
_OPTIONAL = re.compile(
    rf"Error parsing (?P<name>-\S+): no type matching .*? could be instantiated from {_GIVEN}\. Got errors"
)
_SEVERAL = re.compile(rf"Error parsing (?P<name>-\S+): Could not find valid parse for arguments: {_GIVEN}")
_WIDE = "10000"  # columns: nothing is wrapped
_NAMES_INDENT = 4  # columns before an option's name in tyro's boxes; its help is indented further


def parse_options(
    command: Callable[..., Any], name: str, arguments: Sequence[str], first: Sequence[str] = ()
) -> Callable[[], int | None]:
    """The call of `command` with the options that the arguments hold; `first`: see `readable_help`.

    Raises:
        InputError: they do not fit.
        SystemExit: the help was printed.
    """

    @functools.wraps(command)
    def bound(*args: Any, **options: Any) -> Callable[[], int | None]:
        return functools.partial(command, *args, **options)

    if asks_for_help(arguments):
        print(readable_help(tyro_help(bound, name), first))
        raise SystemExit(0)
    try:
        call: Callable[[], int | None] = run_tyro(bound, name, arguments)
    except InputError as error:
        raise InputError(f"{error} (see {name} --help)") from None
    return call


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether the arguments of a command ask for its help."""
    return bool({"-h", "--help"} & set(arguments))


def run_tyro(kind: Callable[..., Any], name: str, arguments: Sequence[str]) -> Any:
    """What tyro makes of a function or class, and of the words of a command line.

    Raises:
        InputError: they do not fit; in one line, without the name.
    """
    import tyro

    with redirect_stderr(io.StringIO()) as box, _columns(_WIDE):
        try:
            return tyro.cli(kind, prog=name, args=list(arguments))
        except SystemExit:
            raise InputError(_one_line(box.getvalue())) from None


def tyro_help(command: Callable[..., Any], name: str) -> str:
    """tyro's help, with very long lines and without boxes."""
    import tyro

    with redirect_stdout(io.StringIO()) as box, _columns(_WIDE), suppress(SystemExit):
        tyro.cli(command, prog=name, args=["--help"])
    return box.getvalue()


@contextmanager
def _columns(width: str) -> Iterator[None]:
    """The width of the terminal, as tyro reads it."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = width
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _one_line(box: str) -> str:
    """What tyro's box says, without its title, its frame and its advice to ask for help."""
    lines = [re.sub("[│╭╮╰╯]", " ", line)[2:].rstrip() for line in box.splitlines()]
    parts = [part.strip("\n") for part in re.split(r"^[─-]{3,}$", "\n".join(lines[1:]), flags=re.MULTILINE)]
    first, *others = [part for part in parts if part and not part.startswith("For full helptext")]
    if first.startswith("Missing from"):
        return f"missing: {'; '.join(f'{name} ({text})' for name, text in _options_of(first))}"
    if found := re.match(r"Unrecognized options?:\s*(.*)", first):
        similar = [name for part in others for name, _ in _options_of(part)]
        return f"unknown: {found[1]}" + (f"; similar: {'; '.join(similar)}" if similar else "")
    if found := re.match(r"Missing value for argument '(.*)'\. Expected (.*) values\.", first):
        return f"{found[1]}: too few values; expected {found[2]}"
    if found := re.match(r"invalid choice '(.*)' for argument '(.*)'\. Expected one of \((.*?),?\)\.", first):
        known = found[3].replace("'", "").split(", ")
        return f"{found[2]} {found[1]}: expected {' or '.join(known)}{did_you_mean(found[1], known)}"
    words = " ".join(first.split())
    expected = [name.partition(" ")[2] for part in others for name, _ in _options_of(part)]
    if found := _OPTIONAL.match(words) or _SEVERAL.match(words):
        given = " ".join(ast.literal_eval(found["given"])) or "(nothing)"
        return f"{found['name']} {given}: expected {expected[0].removeprefix('{None}|').strip('{}')}"
    words = re.sub(r"^Error parsing \w+: ", "", words)  # before the words of our dataclasses
    words = re.sub(r"^Error parsing (-\S+): (.*?)( into tuple type .*)?$", r"\1: \2", words)
    return words + (f"; expected {expected[0]}" if expected else "")


def _options_of(part: str) -> list[tuple[str, str]]:
    """The names and the first help of the options that a part of the box lists."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in part.splitlines()[1:]]
    found = []
    for number, (indent, text) in enumerate(lines):
        if indent == _NAMES_INDENT:
            help_ = lines[number + 1][1] if number + 1 < len(lines) else ""
            found.append((text, help_.removesuffix("(required)").strip().removesuffix(".")))
    return found
