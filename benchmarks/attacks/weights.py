"""Damaged and lying files of networks: exported graphs, safetensors, pickled weights."""

import hashlib
import json
import os
import pickle
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacks.case import Command, Family, Maker, Stock
from attacks.damage import DAMAGES, Damage
from attacks.pictures import copy_pair

GRAPHS = ("matching", "pwm", "sigmo")


def _command(rng: random.Random, path: str) -> tuple[str, ...]:
    """A stitch that needs the network at `path`."""
    common = "stitch", "1.png", "2.png", "-o", "out.png", "--quiet"
    uses = (("--warp", f"matches:{path}"), ("--warp", "homography", "--blend", f"network:{path}"))
    return *common, *rng.choice(uses)


def _graphs(damage: Damage, *, signed: bool) -> Maker:
    """All graphs of a folder are damaged; with `signed` their checksums are right."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        nets = folder / "nets"
        nets.mkdir()
        shutil.copy(stock.weights / "SHA256SUMS", nets)
        sums = ""
        for graph in GRAPHS:
            content = damage((stock.weights / f"{graph}.onnx").read_bytes(), rng)
            (nets / f"{graph}.onnx").write_bytes(content)
            sums += f"{hashlib.sha256(content).hexdigest()}  {graph}.onnx\n"
        if signed:
            (nets / "SHA256SUMS").write_text(sums)
        return Command(_command(rng, "nets"), ("out.png",), refused=not signed)

    return make


def _safetensors(change: Callable[[bytes, random.Random], bytes], *, refused: bool = True) -> Maker:
    """A file of weights, for a stitch or an export."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        content = change((stock.weights / "network.safetensors").read_bytes(), rng)
        (folder / "net.safetensors").write_bytes(content)
        export = ("export", "net.safetensors", "-o", "exported")
        arguments = rng.choice((export, _command(rng, "net.safetensors")))
        return Command(arguments, refused=refused)

    return make


def _header(change: Callable[[dict[str, Any], random.Random], object]) -> Callable[[bytes, random.Random], bytes]:
    """Another header before the same tensors."""

    def changed(content: bytes, rng: random.Random) -> bytes:
        (size,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + size])
        change(header, rng)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + size :]

    return changed


def _tensor(key: str, *values: Any) -> Callable[[dict[str, Any], random.Random], None]:
    """One tensor's description says something else."""

    def change(header: dict[str, Any], rng: random.Random) -> None:
        name = rng.choice([name for name in header if name != "__metadata__"])
        header[name][key] = rng.choice(values)

    return change


def _metadata(header: dict[str, Any], rng: random.Random) -> None:
    key = rng.choice(list(header["__metadata__"]))
    header["__metadata__"][key] = rng.choice(("", "[]", "{}", "null", "1e999", "[" * 5000))


def _length(content: bytes, rng: random.Random) -> bytes:
    """The header's length."""
    return struct.pack("<Q", rng.choice((0, 1, 2**20, 2**32, 2**63, 2**64 - 1))) + content[8:]


class _Payload:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch owned",)


PICKLE = pickle.dumps(_Payload())  # writes a file `owned` where it is opened


def _special(put: Callable[[Path], object], name: str) -> Maker:
    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        put(folder / name)
        export = ("export", name, "-o", "exported")
        return Command(rng.choice((export, _command(rng, name))), refused=True)

    return make


def _graph_pipe(path: Path) -> None:
    path.mkdir()
    for graph in GRAPHS:
        os.mkfifo(path / f"{graph}.onnx")


_ONNX = ("bits", "zeroed-4096", "truncated", "header", "swapped", "appended")

FAMILY = Family("weights", 0.05, {
    **{f"onnx-{name}": _graphs(DAMAGES[name], signed=False) for name in _ONNX},
    **{f"signed-onnx-{name}": _graphs(DAMAGES[name], signed=True) for name in _ONNX},
    **{f"safetensors-{name}": _safetensors(damage) for name, damage in DAMAGES.items()},
    "safetensors-length": _safetensors(_length),
    "safetensors-offsets": _safetensors(_header(_tensor("data_offsets", [0, 2**62], [-5, 3], [7, 3], [0, 0], "x"))),
    "safetensors-shape": _safetensors(_header(_tensor("shape", [2**40], [2**32, 2**32], [-1], [0], [], "x"))),
    "safetensors-type": _safetensors(_header(_tensor("dtype", "F64", "I8", "BOOL", "Q7", 3))),
    "safetensors-metadata": _safetensors(_header(_metadata)),
    "safetensors-no-metadata": _safetensors(_header(lambda header, rng: header.pop("__metadata__"))),
    "pickle": _special(lambda path: path.write_bytes(PICKLE), "net.pt"),
    "pickle-named-safetensors": _special(lambda path: path.write_bytes(PICKLE), "net.safetensors"),
    "empty": _special(lambda path: path.write_bytes(b""), "net.safetensors"),
    "folder": _special(lambda path: path.mkdir(), "net.safetensors"),
    "pipe": _special(os.mkfifo, "net.safetensors"),
    "pipe-of-graphs": _special(_graph_pipe, "nets"),
    "missing": _special(lambda path: None, "net.safetensors"),
}, torch=True)  # fmt: skip
