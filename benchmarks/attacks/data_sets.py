"""Damaged and lying data sets and folders of pairs, for `generate --verify` and --stats, `evaluate` and `train`."""

import hashlib
import io
import json
import os
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from attacks.case import Command, Family, Maker, Stock
from attacks.damage import DAMAGES, Damage

Change = Callable[[Path, random.Random], object]  # of a data set's folder
VALUES: tuple[object, ...] = (
    None, True, -3, 0, 10**12, 1e300, -1.5, "x", "", "../../out", "/etc/passwd", [], [1], [[[[]]]], {}, {"a": 1},
)  # fmt: skip


def _data(change: Change, *, shards: bool = False, slow: bool = True) -> Maker:
    """A changed data set, for one of the commands that read one."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        shutil.copytree(stock.shards if shards else stock.data, folder / "data")
        change(folder / "data", rng)
        verify, stats = ("generate", "--verify", "data"), ("generate", "--stats", "data")
        evaluate = ("evaluate", "data", "-o", "out", "--methods", "homography")
        arguments = rng.choice((verify, verify, stats, evaluate) if slow else (verify, stats))
        written = ("data/preview.jpg", "data/histograms.png") if arguments is stats else ()
        return Command(arguments, may_change=written, reports=arguments is verify)

    return make


def _described(key: str) -> Change:
    """One value of dataset.json is another."""

    def change(data: Path, rng: random.Random) -> None:
        path = data / "dataset.json"
        values = json.loads(path.read_text())
        values[key] = rng.choice(VALUES)
        path.write_text(json.dumps(values))

    return change


def _lines(change: Callable[[dict[str, Any], random.Random], object]) -> Change:
    """A line of meta.jsonl says something else, with the right digest."""

    def changed(data: Path, rng: random.Random) -> None:
        (path,) = data.glob("meta*.jsonl")
        lines = path.read_text().splitlines()
        number = rng.randrange(len(lines))
        lines[number] = _signed(lines[number], change, rng)
        path.write_text("\n".join(lines) + "\n")

    return changed


def _signed(line: str, change: Callable[[dict[str, Any], random.Random], object], rng: random.Random) -> str:
    values = json.loads(line)
    values.pop("digest")
    change(values, rng)
    text = json.dumps(values, separators=(",", ":"))
    return f'{text[:-1]},"digest":"{hashlib.sha256(text.encode()).hexdigest()}"}}'


def _valued(key: str) -> Change:
    def change(line: dict[str, Any], rng: random.Random) -> None:
        line[key] = rng.choice(VALUES)

    return _lines(change)


def _sized(line: dict[str, Any], rng: random.Random) -> None:
    name = rng.choice(list(line["sizes"]))
    line["sizes"][name] = rng.choice(([0, 0], [10**9, 10**9], [-5, 5], [1.5, 2], ["a", 3], [1]))


def _renamed(line: dict[str, Any], rng: random.Random) -> None:
    """A file of the sample is named by a path out of the data set."""
    old = rng.choice(list(line["files"]))
    line["files"][rng.choice(("../../1.png", "/etc/passwd", "../data/x", "", ".", "a\0b"))] = line["files"].pop(old)


def _member(damage: Damage) -> Change:
    """A file of a sample is damaged; of half of them the digest is made to agree."""

    def change(data: Path, rng: random.Random) -> None:
        path = rng.choice(sorted(data.glob("*/*")))
        content = damage(path.read_bytes(), rng)
        path.write_bytes(content)
        if rng.random() < 0.5:
            _sign_member(data, path, content, rng)

    return change


def _sign_member(data: Path, path: Path, content: bytes, rng: random.Random) -> None:
    name, digest = path.relative_to(data).as_posix(), hashlib.sha256(content).hexdigest()
    (meta,) = data.glob("meta*.jsonl")

    def sign(line: dict[str, Any], rng: random.Random) -> None:
        line["files"][name] = digest

    lines = meta.read_text().splitlines()
    lines = [_signed(line, sign, rng) if f'"{name}"' in line else line for line in lines]
    meta.write_text("\n".join(lines) + "\n")


def _warp_bomb(data: Path, rng: random.Random) -> None:
    """A small warp file that inflates to a gigabyte, with the right digest."""
    path = rng.choice(sorted((data / "warp").glob("*.npz")))
    memory = io.BytesIO()
    with np.load(path) as stored:
        np.savez_compressed(memory, **{name: stored[name] for name in stored.files}, more=np.zeros(2**27))
    path.write_bytes(memory.getvalue())
    _sign_member(data, path, memory.getvalue(), rng)


def _replaced(put: Callable[[Path], object]) -> Change:
    """A file of the data set is something else."""

    def change(data: Path, rng: random.Random) -> None:
        files = sorted(path for path in data.rglob("*") if path.is_file())
        path = rng.choice(files)
        path.unlink()
        put(path)

    return change


def _file(name: str, damage: Damage) -> Change:
    """The file that the pattern finds is damaged."""

    def change(data: Path, rng: random.Random) -> None:
        path = rng.choice(sorted(data.glob(name)))
        path.write_bytes(damage(path.read_bytes(), rng))

    return change


def _tar_member(kind: bytes, name: str) -> Change:
    """A shard begins with a member that is a link, a device or a path out of the data set."""

    def change(data: Path, rng: random.Random) -> None:
        path = data / "shard-000000.tar"
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "../../1.png"
        path.write_bytes(member.tobuf(tarfile.USTAR_FORMAT) + path.read_bytes())

    return change


def _pairs(damage: Damage) -> Maker:
    """A folder of photographed pairs, for evaluate: one good pair, one with a damaged picture."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        for name in ("a", "b"):
            (folder / "pairs" / name).mkdir(parents=True)
            for number, path in enumerate((stock.first, stock.second), start=1):
                content = path.read_bytes()
                damaged = name == "b" and number == 2
                (folder / "pairs" / name / f"{number}.png").write_bytes(damage(content, rng) if damaged else content)
        return Command(("evaluate", "pairs", "-o", "out", "--methods", "homography"))

    return make


def _train(change: Change, *options: str) -> Maker:
    """A data set or a run that `train` is to refuse before its first step."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        shutil.copytree(stock.data, folder / "data")
        (folder / "run").mkdir()
        change(folder, rng)
        few = ("--steps", "1", "--batch-size", "1", "--size", "64", "64", "--workers", "0", "--device", "cpu")
        return Command(("train", "flow", "run", "--data", "data", *few, *options), refused=True, may_change=("run",))

    return make


FAMILY = Family("data_sets", 0.1, {
    **{f"description-{key}": _data(_described(key)) for key in (
        "format", "version", "layout", "shard_size", "count", "seed", "options", "checksum", "software",
    )},
    **{f"shards-{key}": _data(_described(key), shards=True) for key in ("layout", "shard_size", "count")},
    **{f"line-{key}": _data(_valued(key)) for key in (
        "index", "name", "facts", "origin", "sizes", "segments", "segments_visible", "files",
    )},
    "line-size": _data(_lines(_sized)),
    "line-path": _data(_lines(_renamed)),
    **{f"member-{name}": _data(_member(damage)) for name, damage in DAMAGES.items()},
    "member-bomb": _data(_warp_bomb, slow=False),
    "missing": _data(_replaced(lambda path: None)),
    "pipe": _data(_replaced(os.mkfifo)),
    "folder": _data(_replaced(lambda path: path.mkdir())),
    "link-loop": _data(_replaced(lambda path: path.symlink_to(path.name))),
    "device": _data(_replaced(lambda path: path.symlink_to("/dev/zero"))),
    **{f"meta-{name}": _data(_file("meta*.jsonl", DAMAGES[name])) for name in ("bits", "truncated", "doubled")},
    **{f"json-{name}": _data(_file("dataset.json", DAMAGES[name])) for name in ("bits", "truncated", "header")},
    **{f"tar-{name}": _data(_file("*.tar", damage), shards=True) for name, damage in DAMAGES.items()},
    "tar-link": _data(_tar_member(tarfile.SYMTYPE, "000000.json"), shards=True),
    "tar-hard-link": _data(_tar_member(tarfile.LNKTYPE, "000000.input1.jpg"), shards=True),
    "tar-device": _data(_tar_member(tarfile.CHRTYPE, "000000.mask.png"), shards=True),
    "tar-path": _data(_tar_member(tarfile.REGTYPE, "../../owned"), shards=True),
    **{f"pairs-{name}": _pairs(DAMAGES[name]) for name in ("truncated", "header")},
    "train-description": _train(lambda folder, rng: (folder / "data" / "dataset.json").write_text("{}")),
    "train-lines": _train(lambda folder, rng: _file("meta*.jsonl", DAMAGES["header"])(folder / "data", rng)),
    "train-state": _train(lambda folder, rng: (folder / "run" / "state.pt").write_bytes(rng.randbytes(3000))),
    "train-weights": _train(
        lambda folder, rng: (folder / "net.safetensors").write_bytes(rng.randbytes(3000)),
        "--begin-from", "net.safetensors",
    ),
}, torch=True)  # fmt: skip
