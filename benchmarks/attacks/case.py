"""A case: a folder of files that is made from a seed, and a command line that meets them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

Stream = Literal["file", "full", "closed"]  # where an output stream of the command goes; full: a full disk


@dataclass(frozen=True)
class Command:
    """A command line of parastitch, run in the folder of its case, and what must be true afterwards.

    Attributes:
        arguments: paths are relative to the folder.
        outputs: files that are there and can be read after exit code 0.
        may_change: files that are there before, and that the command may write; a folder: all in it.
        refused: exit code 0 would be wrong.
        reports: exit codes other than 2 may come without an error line: its output says what was found or kept.
        own_process: a process of its own (`python -m apps.cli`) instead of a fork of one that has imported all.
        stdout, stderr: where they go.
        memory, file_size: limits of the process's address space and of a file that it writes, MiB.
        signal: its number; sent `after` seconds, if the process still runs.
        to_child: the signal goes to a process that the command started, if there is one.
    """

    arguments: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    may_change: tuple[str, ...] = ()
    refused: bool = False
    reports: bool = False
    own_process: bool = False
    stdout: Stream = "file"
    stderr: Stream = "file"
    memory: int | None = None
    file_size: float | None = None
    signal: int | None = None
    after: float = 0.0
    to_child: bool = False


@dataclass(frozen=True)
class Stock:
    """What cases are made of: files that every case may copy, none that it may write.

    Attributes:
        first, second: a generated pair of pictures, PNG, `SIZE` px.
        warp: what --save-warp wrote for them.
        data, shards: data sets of three samples that `parastitch generate` wrote; they and their folder are missing
            where no case asks for them.
        weights: the folder of the networks that ship.
    """

    folder: Path
    weights: Path

    @property
    def first(self) -> Path:  # noqa: D102
        return self.folder / "1.png"

    @property
    def second(self) -> Path:  # noqa: D102
        return self.folder / "2.png"

    @property
    def warp(self) -> Path:  # noqa: D102
        return self.folder / "warp.npz"

    @property
    def data(self) -> Path:  # noqa: D102
        return self.folder / "data"

    @property
    def shards(self) -> Path:  # noqa: D102
        return self.folder / "shards"


def pixels_of(path: Path) -> NDArray[np.uint8]:
    """(h, w, 3) BGR of an undamaged picture."""
    return np.asarray(cv2.imread(str(path)), np.uint8)


Maker = Callable[[Path, Stock, random.Random], Command]  # writes the files of a case into an empty folder


@dataclass(frozen=True)
class Family:
    """Cases of a kind. `makers`: kind -> maker; `share`: of all cases."""

    name: str
    share: float
    makers: dict[str, Maker]
    torch: bool = False  # its commands import torch: such cases come last


@dataclass(frozen=True)
class Case:
    """`family/kind/number`."""

    family: str
    kind: str
    number: int

    @property
    def name(self) -> str:  # noqa: D102
        return f"{self.family}/{self.kind}/{self.number}"

    def random(self, seed: int) -> random.Random:
        """The random numbers that this case is made with, whatever other cases there are."""
        return random.Random(crc32(f"{seed} {self.name}".encode()))


def choose(families: Sequence[Family], count: int, seed: int, only: str) -> list[Case]:
    """`count` cases of the families, by their shares; with `only`, those whose name begins with it, or that one.

    Of a family, every kind comes once before one comes twice.
    """
    if only:
        one, _, number = only.rpartition("/")
        kinds = {(family.name, kind): f"{family.name}/{kind}" for family in families for kind in family.makers}
        exact = [Case(*key, int(number)) for key, name in kinds.items() if name == one and number.isdecimal()]
        if exact:
            return exact
        keys = [key for key, name in kinds.items() if f"{name}/".startswith(only)]
        return [Case(*keys[i % len(keys)], i // len(keys)) for i in range(count if keys else 0)]
    cases = []
    total = sum(family.share for family in families)
    for family in families:
        kinds_of_it = list(family.makers)
        random.Random(seed).shuffle(kinds_of_it)
        wanted = max(1, round(count * family.share / total))
        cases += [Case(family.name, kinds_of_it[i % len(kinds_of_it)], i // len(kinds_of_it)) for i in range(wanted)]
    return cases
