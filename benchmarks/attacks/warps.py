"""Warps for --load-warp that no --save-warp has written."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.case import Command, Family, Maker, Stock
from attacks.damage import DAMAGES, Damage
from attacks.pictures import copy_pair, stitch_arguments
from attacks.weights import PICKLE

Parts = dict[str, NDArray[Any]]
Change = Callable[[Parts, random.Random], object]  # changes the arrays in place


def _changed(change: Change, *, refused: bool = True) -> Maker:
    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        with np.load(stock.warp) as stored:
            parts = {name: stored[name] for name in stored.files}
        change(parts, rng)
        np.savez(folder / "warp.npz", **parts)  # pickles arrays of objects
        return _command(refused)

    return make


def _damaged(damage: Damage) -> Maker:
    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        (folder / "warp.npz").write_bytes(damage(stock.warp.read_bytes(), rng))
        return _command(refused=False)

    return make


def _special(put: Callable[[Path], object]) -> Maker:
    """Something else than an npz file at the path."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        put(folder / "warp.npz")
        return _command(refused=True)

    return make


def _command(refused: bool) -> Command:
    return Command(stitch_arguments("--load-warp", "warp.npz"), ("out.png",), refused=refused)


def _fill(name: str, *values: float) -> Change:
    """All of an array becomes one of the values."""

    def change(parts: Parts, rng: random.Random) -> None:
        parts[name] = np.full_like(parts[name], rng.choice(values))

    return change


def _set(name: str, *values: Any) -> Change:
    """An array is replaced by one of the values."""

    def change(parts: Parts, rng: random.Random) -> None:
        parts[name] = np.asarray(rng.choice(values))

    return change


def _noise(name: str, spread: float) -> Change:
    """Random places, up to `spread` px."""

    def change(parts: Parts, rng: random.Random) -> None:
        numbers = np.random.default_rng(rng.randrange(2**32))
        parts[name] = numbers.uniform(-spread, spread, parts[name].shape).astype(np.float32)

    return change


def _some_nan(name: str) -> Change:
    def change(parts: Parts, rng: random.Random) -> None:
        numbers = np.random.default_rng(rng.randrange(2**32))
        parts[name][numbers.random(parts[name].shape[:2]) < 0.3] = np.nan

    return change


def _sizes(parts: Parts, rng: random.Random) -> None:
    """The canvas is huge, and the map as small as it may be."""
    side = rng.choice((30000, 100000, 2**31 - 1, 2**31, 2**62))
    parts["canvas_size"] = np.array([side, side])
    parts["scale"] = np.array(20 / side)
    parts["map"], parts["trusted"] = np.zeros((20, 20, 2), np.float32), np.ones((20, 20), bool)


def _resampled(parts: Parts, rng: random.Random) -> None:
    """The sizes of the pictures are of another pair."""
    name = rng.choice(("reference_size", "target_size"))
    parts[name] = parts[name] + rng.choice((-1, 1, 100))


def _transposed(parts: Parts, rng: random.Random) -> None:
    for name in ("map", "trusted"):
        parts[name] = parts[name].swapaxes(0, 1)


def _typed(parts: Parts, rng: random.Random) -> None:
    name = rng.choice(list(parts))
    parts[name] = parts[name].astype(rng.choice((object, complex, "U20", "S4", "?", "M8[s]")))


PAIRS = (
    [-1, -1], [0, 0], [1, 1], [2**31, 2**31], [2**62, 2**62], [-(2**63), 5], [1e300, 5.0], [[1, 2]], 7, "wide",
)  # fmt: skip
NUMBERS = (0.0, -1.0, 1e-12, 1e300, np.nan, np.inf, [1.0, 2.0], "one", 1 + 1j)

FAMILY = Family("warps", 0.13, {
    "map-random": _changed(_noise("map", 200.0)),
    "map-zero": _changed(_fill("map", 0.0)),
    "map-nan": _changed(_fill("map", np.nan, np.inf, -np.inf)),
    "map-huge": _changed(_fill("map", 1e30, -1e30, 3e38, 1e9)),
    "map-constant": _changed(_fill("map", 10.0, 100.0)),
    "map-some-nan": _changed(_some_nan("map"), refused=False),
    "map-shape": _changed(_set("map", np.zeros((3, 3)), np.zeros((0, 0, 2)), np.zeros((1, 1, 2)), np.zeros(8))),
    "forward-random": _changed(_noise("forward", 1000.0)),
    "forward-nan": _changed(_fill("forward", np.nan, np.inf)),
    "forward-huge": _changed(_fill("forward", 1e30, -3e38)),
    "forward-shape": _changed(_set("forward", np.zeros((0, 5, 2)), np.zeros((2, 2, 2), np.float32), np.zeros(3))),
    "trusted": _changed(_fill("trusted", False), refused=False),
    "origin": _changed(_set("origin", *PAIRS[3:])),
    "scale": _changed(_set("scale", *NUMBERS)),
    "forward-scale": _changed(_set("forward_scale", *NUMBERS)),
    "focal": _changed(_set("focal", *(n for n in NUMBERS if n != 0.0))),
    "canvas-size": _changed(_set("canvas_size", *PAIRS)),
    "canvas-huge": _changed(_sizes),
    "reference-size": _changed(_set("reference_size", *PAIRS)),
    "target-size": _changed(_set("target_size", *PAIRS)),
    "version": _changed(_set("version", 0, 3, -1, 1e300, np.nan, "1", [1])),
    "other-pair": _changed(_resampled),
    "transposed": _changed(_transposed),
    "type": _changed(_typed),
    "missing": _changed(lambda parts, rng: parts.pop(rng.choice(list(parts)))),
    "more": _changed(lambda parts, rng: parts.update(more=np.zeros(3)), refused=False),
    "pickle": _special(lambda path: path.write_bytes(PICKLE)),
    "empty": _special(lambda path: path.write_bytes(b"")),
    "empty-zip": _special(lambda path: path.write_bytes(b"PK\5\6" + bytes(18))),
    "text": _special(lambda path: path.write_text("a warp\n")),
    "folder": _special(lambda path: path.mkdir()),
    "pipe": _special(os.mkfifo),
    "loop": _special(lambda path: path.symlink_to(path.name)),
    "device": _special(lambda path: path.symlink_to("/dev/zero")),
} | {f"damaged-{name}": _damaged(damage) for name, damage in DAMAGES.items()})  # fmt: skip
