"""The help of a command as one list of options: what tyro prints in boxes, put into order."""

import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence

NAME_WIDTH = 26  # columns of the options' names; a longer one has a line of its own
MOST_COLUMNS = 110  # longer lines are hard to read
_INDENT = 2  # columns before a name in tyro's help; its text is indented further
FOOTER = "Everywhere: --config FILE, defaults of options; --no-config, without your own file (docs/configuration.md)."
_Entry = tuple[str, str]  # an option's names, and what is said of it


def readable_help(printed: str, first: Sequence[str] = ()) -> str:
    """The help for the terminal that there is.

    Args:
        printed: what tyro prints where lines are very long and there are no characters to draw boxes.
        first: names of options, without the dashes, that are listed before the others.
    """
    width = min(shutil.get_terminal_size().columns, MOST_COLUMNS)
    head, *sections = _sections(printed)
    arguments, options = list[_Entry](), list[_Entry]()
    for section in sections:
        (arguments if section.startswith("positional") else options).extend(_entries(section))
    options.sort(key=lambda entry: _rank(entry[0], first))
    lines = [textwrap.fill(line, width) for line in head.strip().splitlines()]
    for title, entries in (("arguments:", arguments), ("options:", options)):
        if entries:
            lines += ["", title, *(line for entry in entries for line in _layout(*entry, width))]
    return "\n".join([*lines, "", textwrap.fill(FOOTER, width)])


def option_names(printed: str) -> list[str]:
    """The names of each option with their values, as `-o PATH, --output PATH`, of what tyro prints."""
    return [names for section in _sections(printed)[1:] for names, _ in _entries(section) if names.startswith("-")]


def _sections(printed: str) -> list[str]:
    """What stands before the first list of options, and the lists, each with its title."""
    return re.split(r"\n (?=\S.*\n -{100,})", printed)


def _rank(names: str, first: Sequence[str]) -> int:
    """Where an option stands; --help is last."""
    found = set(re.findall(r"--([a-z-]+)", names))
    if "help" in found:
        return len(first) + 1
    return next((place for place, name in enumerate(first) if name in found), len(first))


def _entries(section: str) -> Iterator[_Entry]:
    """Names and text of each entry of a section, below its title, and what is said of all of them."""
    lines = [line.rstrip() for line in section.splitlines()[2:]]
    described = max((number + 1 for number, line in enumerate(lines) if re.fullmatch(r"  -{100,}", line)), default=0)
    names, words = "", list[str]()
    for line in lines[described:]:
        if line.startswith(" " * (_INDENT + 1)):
            words.append(line.strip())
        elif line.strip():
            if names:
                yield names, " ".join(words)
            names, *words = re.split(r"\s{2,}", line.strip(), maxsplit=1)
    if names:
        yield names, " ".join(words)


def _layout(names: str, text: str, width: int) -> Iterator[str]:
    """An entry in lines: the name, and beside or below it the text."""
    names = names.replace("{None}|", "").replace(" | ", ", ")
    if "(default: True)" not in text:
        names = re.sub(r", --no-[a-z-]+", "", names)
    text = re.sub(r"\s*\(default: (None|False|''|)\)", "", text.replace(" (required)", " (needed)"))
    if not text.partition(" ")[0].endswith(":"):  # a name that is explained
        text = text[:1].upper() + text[1:]
    name = f"  {names}".ljust(NAME_WIDTH)
    if len(names) + 4 > NAME_WIDTH:
        yield name.rstrip()
        name = " " * NAME_WIDTH
    indent = " " * NAME_WIDTH
    yield from textwrap.wrap(text, width, initial_indent=name, subsequent_indent=indent) or [name.rstrip()]
