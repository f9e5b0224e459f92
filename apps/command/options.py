"""Options of a command: tyro parses them; what it says about wrong ones becomes one line."""

import functools
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

from stitching.errors import InputError

_WIDE = "10000"  # columns: nothing is wrapped
_NAMES_INDENT = 4  # columns before an option's name in tyro's boxes; its help is indented further


def parse_options(command: Callable[..., Any], name: str, arguments: list[str]) -> Callable[[], int | None]:
    """The call of `command` with the options that the arguments hold.

    Raises:
        InputError: they do not fit.
        SystemExit: the help was printed.
    """
    import tyro

    @functools.wraps(command)
    def bound(*args: Any, **options: Any) -> Callable[[], int | None]:
        return functools.partial(command, *args, **options)

    try:
        with redirect_stderr(io.StringIO()):
            return tyro.cli(bound, prog=name, args=arguments)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
    with redirect_stderr(io.StringIO()) as box, _columns(_WIDE):
        try:
            return tyro.cli(bound, prog=name, args=arguments)
        except SystemExit:
            raise InputError(f"{_one_line(box.getvalue())} (see {name} --help)") from None


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
        return f"{found[2]} {found[1]}: expected {found[3].replace(chr(39), '').replace(', ', ' or ')}"
    words = re.sub(r"^Error parsing \w+: ", "", " ".join(first.split()))  # before the words of our dataclasses
    words = re.sub(r"^Error parsing (-\S+): (.*?)( into tuple type .*)?$", r"\1: \2", words)
    expected = [name.partition(" ")[2] for part in others for name, _ in _options_of(part)]
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
