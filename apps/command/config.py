"""Defaults of options out of files: `parastitch.toml` of the user, and the one that `--config` names.

A file has a table for each command; keys are the options' names, with - or _.
"""

import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.command.options import run_tyro
from apps.command.parameters import Command, option_types, with_defaults
from stitching.errors import InputError, did_you_mean, require
from stitching.io.files import check_readable, expand_home

MOST_BYTES = 100_000  # of a file: keys of very many parts take time and memory by the square of their number


@dataclasses.dataclass(frozen=True)
class ConfigChoice:
    """Which files give defaults.

    Attributes:
        file: that `--config` names; what it says goes before the user's own.
        own: whether the user's own file is read.
    """

    file: Path | None
    own: bool


def split_config(arguments: Sequence[str]) -> tuple[ConfigChoice, list[str]]:
    """What `--config FILE` and `--no-config` say, wherever they stand, and the other arguments."""
    file, own, others, words = None, True, [], iter(arguments)
    for word in words:
        if word == "--no-config":
            own = False
        elif word == "--config":
            value = next(words, None)
            require(value is not None, "--config", "a file after it")
            file = Path(str(value))
        elif word.startswith("--config="):
            file = Path(word.removeprefix("--config="))
        else:
            others.append(word)
    return ConfigChoice(file, own), others


def user_file() -> Path:
    """The user's own file, which need not exist."""
    return expand_home(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "parastitch.toml"


def configured(command: Command, name: str, choice: ConfigChoice, commands: Sequence[str]) -> Command:
    """The command with the defaults that the files give it.

    Args:
        command: its function.
        name: of the command, which is that of its table.
        choice: which files.
        commands: the names of all commands.

    Raises:
        InputError: a file cannot be read or says something that is not known; the message names it.
    """
    values: dict[str, Any] = {}
    for file, advice in config_files(choice).items():
        values |= _of_file(file, command, name, commands, advice)
    return with_defaults(command, values) if values else command


def config_files(choice: ConfigChoice) -> dict[Path, str]:
    """The files that are read, the more important last, each with what to do besides repairing it."""
    own = user_file()
    found = {own: "; repair it, or --no-config"} if choice.own and os.path.isfile(own) else {}  # noqa: PTH113 - raises nothing
    return found | ({choice.file: ""} if choice.file else {})


def _of_file(path: Path, command: Command, name: str, commands: Sequence[str], advice: str) -> dict[str, Any]:
    check_readable(path, "a text file, .toml")  # no device, whose content may never end
    try:
        table = _table(path, name, commands)
        for key in getattr(sys.modules[command.__module__], "COMMAND_LINE_ONLY", ()):
            require(key not in table, key, f"--{key} on the command line, as it sets other options")
        return _values(table, option_types(command), path.absolute().parent)
    except InputError as error:
        raise InputError(f"{path}: {error}{advice}") from None


def _table(path: Path, name: str, commands: Sequence[str]) -> dict[str, Any]:
    """The table of a command; empty where the file has none."""
    import tomllib  # here, since most commands have no such file: 7 ms

    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None
    require(len(content) <= MOST_BYTES, "too large", f"at most {MOST_BYTES} bytes")
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML; lists within lists within lists
        raise InputError(f"is no TOML ({error})") from None
    for key, table in tables.items():
        known = f"tables named like commands: {', '.join(commands)}{did_you_mean(key, commands)}"
        require(key in commands, f"[{key}]" if isinstance(table, dict) else f"{key} outside of a table", known)
        require(isinstance(table, dict), f"{key} = {table!r}", f"a table, [{key}]")
    return {key.replace("-", "_"): value for key, value in tables.get(name, {}).items()}


def _values(table: dict[str, Any], types: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The values of options, of their types; files are those in the config's folder."""
    unknown = [key for key in table if key not in types]
    if unknown:
        raise InputError(f"no option called {unknown[0]!r}{did_you_mean(unknown[0], types)}")
    switches = {key: value for key, value in table.items() if types[key] is bool}
    for key, value in switches.items():
        require(isinstance(value, bool), f"{key} = {value!r}", "true or false")
    words: list[str] = []
    for key, value in table.items():
        if key not in switches:
            parts = value if isinstance(value, list) else [value]
            usable = all(isinstance(part, str | int | float) and not isinstance(part, bool) for part in parts)
            usable &= not any("\0" in str(part) for part in parts)  # which no command line can hold
            require(usable, f"{key} = {value!r}", "text, a number or a list of these")
            words += [f"--{key.replace('_', '-')}", *(str(part) for part in parts)]
    others = {key: types[key] for key in table if key not in switches}
    if not others:
        return switches
    kind = dataclasses.make_dataclass("Config", others.items())
    found = run_tyro(kind, "config", words)
    return switches | {key: _in_folder(getattr(found, key), folder) for key in others}


def _in_folder(value: Any, folder: Path) -> Any:
    """A path, also one behind a name as in matches:WEIGHTS, seen from the folder of the config."""
    if isinstance(value, Path):
        return folder / expand_home(str(value))
    if isinstance(value, str):
        kind, colon, rest = value.rpartition(":")
        if Path(rest).suffix and os.path.exists(folder / rest):  # noqa: PTH110 - also where no file can be called so
            return f"{kind}{colon}{folder / rest}"
    return value
