"""Signals at several moments of every command: to all its processes, to the first, and the death of one it started."""

import random
import shutil
import signal
from pathlib import Path

from attacks.case import Command, Family, Maker, Stock
from attacks.pictures import copy_pair

SIGNALS = {"int": signal.SIGINT, "term": signal.SIGTERM, "hup": signal.SIGHUP, "kill": signal.SIGKILL}
EVALUATE = ("evaluate", "pairs", "-o", "out", "--methods", "homography", "classical")
GENERATE = ("generate", "out", "--count", "4", "--size", "96", "96", "--scenes", "clutter", "--jobs", "1", "--quiet")
TRAIN = (
    "train", "flow", "run", "--data", "data", "--steps", "3", "--batch-size", "1", "--size", "64", "64",
    "--workers", "0", "--device", "cpu",
)  # fmt: skip


def _stitch(number: int, latest: float, *options: str, own_process: bool = False) -> Maker:
    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        arguments = ("stitch", "1.png", "2.png", "-o", "out.png", "--report", "out.html", "--quiet", *options)
        return Command(arguments, ("out.png",), own_process=own_process, signal=number, after=rng.uniform(0, latest))

    return make


def _other(number: int, latest: float, *arguments: str, to_child: bool = False) -> Maker:
    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        (folder / "pairs" / "a").mkdir(parents=True)
        for name, path in enumerate((stock.first, stock.second), start=1):
            shutil.copy(path, folder / "pairs" / "a" / f"{name}.png")
        if arguments[0] == "train":
            shutil.copytree(stock.data, folder / "data")
        return Command(
            arguments, reports=arguments[0] == "train", signal=number, after=rng.uniform(0.05, latest),
            to_child=to_child, own_process=arguments[0] == "generate",  # it starts processes: not from a fork of ours
        )  # fmt: skip

    return make


FAMILY = Family("signals", 0.03, {
    **{f"stitch-{name}": _stitch(number, 1.0) for name, number in SIGNALS.items()},
    **{f"stitch-start-{name}": _stitch(number, 1.5, own_process=True) for name, number in SIGNALS.items()},
    **{f"stitch-aligned-{name}": _stitch(number, 1.5, "--save-aligned", "al") for name, number in SIGNALS.items()},
    **{f"evaluate-{name}": _other(number, 4.0, *EVALUATE) for name, number in SIGNALS.items()},
    "evaluate-child": _other(signal.SIGKILL, 2.0, *EVALUATE, to_child=True),
    **{f"generate-{name}": _other(number, 8.0, *GENERATE) for name, number in SIGNALS.items()},
    "generate-shards-term": _other(signal.SIGTERM, 8.0, *GENERATE, "--shards", "--shard-size", "2"),
    "generate-child": _other(signal.SIGKILL, 5.0, *GENERATE, to_child=True),
    "train-term": _other(signal.SIGTERM, 20.0, *TRAIN),
    "train-int": _other(signal.SIGINT, 20.0, *TRAIN),
}, torch=True)  # fmt: skip
