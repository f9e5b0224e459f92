"""Small files that ask for much: much memory, much time, or more than there can be."""

import io
import json
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from attacks.case import Command, Family, Maker, Stock, pixels_of
from attacks.encodings import png_chunk, png_file
from attacks.pictures import copy_pair, stitch_arguments

GIGABYTE = 2**30
Content = Callable[[Path, random.Random], bytes]  # of the bytes of an undamaged picture, and random numbers


def _jpeg_false_size(picture: Path, rng: random.Random) -> bytes:
    """The frame header says up to 65500 px a side."""
    content = bytearray(cv2.imencode(".jpg", pixels_of(picture))[1].tobytes())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", rng.randint(30000, 65500), rng.randint(30000, 65500))
    return bytes(content)


def _png_false_size(picture: Path, rng: random.Random) -> bytes:
    return png_file(rng.randint(25000, 60000), rng.randint(25000, 60000), zlib.compress(bytes(10000)))


def _png_bomb(picture: Path, rng: random.Random) -> bytes:
    """All of its pixels are there, at one bit each before compression."""
    side = rng.choice((26000, 32000))
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", _deflated(side * (side // 8 + 1))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, content) for kind, content in parts)


def _png_profile_bomb(picture: Path, rng: random.Random) -> bytes:
    """A colour profile that inflates to a gigabyte."""
    content = picture.read_bytes()
    profile = b"icc\0\0" + _deflated(GIGABYTE)
    return content[:33] + png_chunk(b"iCCP", profile) + content[33:]


def _png_text_bomb(picture: Path, rng: random.Random) -> bytes:
    """XMP that inflates to a gigabyte."""
    content = picture.read_bytes()
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + _deflated(GIGABYTE)
    return content[:33] + png_chunk(b"iTXt", text) + content[33:]


def _tiff_false_size(picture: Path, rng: random.Random) -> bytes:
    """Width, height and rows of a strip say more than the file holds."""
    memory = io.BytesIO()
    Image.open(picture).save(memory, "TIFF", compression=rng.choice((None, "tiff_lzw", "tiff_adobe_deflate")))
    content = bytearray(memory.getvalue())
    (start,) = struct.unpack_from("<I", content, 4)
    for at in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", content, start)[0], 12):
        if struct.unpack_from("<H", content, at)[0] in (256, 257, 278):
            struct.pack_into("<HII", content, at + 2, 4, 1, rng.randint(30000, 2**31))
    return bytes(content)


def _tiff_bomb(picture: Path, rng: random.Random) -> bytes:
    """The same as TIFF: one deflated strip (TIFF 6.0; compression 8 of its supplement)."""
    side = rng.choice((26000, 32000))
    strip = _deflated(side * side // 8)
    values = {
        256: side, 257: side, 258: 1, 259: 8, 262: 1, 273: 8, 277: 1, 278: side, 279: len(strip),
    }  # fmt: skip
    directory = struct.pack("<H", len(values))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory + bytes(4)


def _tiff_many_pages(picture: Path, rng: random.Random) -> bytes:
    """A directory that names itself as the next one."""
    memory = io.BytesIO()
    Image.open(picture).save(memory, "TIFF")
    content = bytearray(memory.getvalue())
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    struct.pack_into("<I", content, start + 2 + 12 * count, start)
    return bytes(content)


def _webp_false_size(picture: Path, rng: random.Random) -> bytes:
    """The header of a lossless frame says 16383 x 16383 px."""
    memory = io.BytesIO()
    Image.open(picture).save(memory, "WEBP", lossless=True)
    content = bytearray(memory.getvalue())
    at = content.index(b"VP8L") + 9
    struct.pack_into("<I", content, at, 16382 | 16382 << 14)
    return bytes(content)


@cache
def _deflated(size: int) -> bytes:
    """Zeros, compressed."""
    packer, block = zlib.compressobj(1), bytes(2**20)
    parts = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*parts, packer.compress(bytes(size % len(block))), packer.flush()])


def _as_picture(content: Content, extension: str, *, refused: bool = True) -> Maker:
    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        name, use = f"bomb{extension}", rng.choice(("reference", "target", "mask"))
        (folder / name).write_bytes(content(stock.second, rng))
        if use == "mask":
            return Command(stitch_arguments("--mask-reference", name), ("out.png",), refused=refused)
        names = {"reference": "1.png", "target": "2.png"} | {use: name}
        return Command(stitch_arguments(**names), ("out.png",), refused=refused)

    return make


def _npz(member: str, *, header_only: bool) -> Maker:
    """A warp whose `member` inflates to gigabytes, or says so in its header."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        (folder / "warp.npz").write_bytes(_inflating_warp(stock.warp, member, header_only))
        return Command(stitch_arguments("--load-warp", "warp.npz"), ("out.png",), refused=member != "unused")

    return make


@cache
def _inflating_warp(warp: Path, member: str, header_only: bool) -> bytes:
    header, memory = io.BytesIO(), io.BytesIO()
    shape = (20000, 20000, 2)
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(warp) as old, zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            if name != f"{member}.npy":
                new.writestr(name, old.read(name))
        with new.open(f"{member}.npy", "w", force_zip64=True) as file:
            file.write(header.getvalue())
            for _ in range(0 if header_only else 200):
                file.write(bytes(16_000_000))  # in all 8 bytes for each of 20000 x 20000 px
    return memory.getvalue()


def _json(text: Callable[[random.Random], str]) -> Maker:
    """A description of a data set."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        data = folder / "data"
        data.mkdir()
        (data / "dataset.json").write_text(text(rng))
        command = rng.choice(("--verify", "--stats"))
        return Command(("generate", command, "data"), refused=True, reports=True)

    return make


def _description(count: str) -> str:
    values = {
        "format": "parastitch-pairs", "version": 1, "layout": "folder", "shard_size": None, "count": 0, "seed": 0,
        "options": {}, "checksum": None, "software": "",
    }  # fmt: skip
    return json.dumps(values).replace('"count": 0', f'"count": {count}')


def _tar(folder: Path, stock: Stock, rng: random.Random) -> Command:
    """A shard whose member says that it has a terabyte."""
    data = folder / "data"
    data.mkdir()
    description = json.loads(_description("3")) | {"layout": "shards", "shard_size": 3}
    (data / "dataset.json").write_text(json.dumps(description))
    member = tarfile.TarInfo(rng.choice(("000000.json", "000000.input1.jpg")))
    member.size = rng.choice((2**31, 2**40, 2**60))
    with (data / "shard-000000.tar").open("wb") as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(4096))
        if member.size == 2**31:
            file.truncate(2**31 + 10240)  # sparse: no place on the disk
    return Command(("generate", rng.choice(("--verify", "--stats")), "data"), refused=True, reports=True)


FAMILY = Family("bombs", 0.06, {
    "jpeg-false-size": _as_picture(_jpeg_false_size, ".jpg"),
    "png-false-size": _as_picture(_png_false_size, ".png"),
    "png": _as_picture(_png_bomb, ".png"),
    "png-profile": _as_picture(_png_profile_bomb, ".png", refused=False),
    "png-text": _as_picture(_png_text_bomb, ".png", refused=False),
    "tiff-false-size": _as_picture(_tiff_false_size, ".tif"),
    "tiff": _as_picture(_tiff_bomb, ".tif"),
    "tiff-endless": _as_picture(_tiff_many_pages, ".tif", refused=False),
    "webp-false-size": _as_picture(_webp_false_size, ".webp"),
    "npz-map": _npz("map", header_only=False),
    "npz-map-header": _npz("map", header_only=True),
    "npz-forward-header": _npz("forward", header_only=True),
    "npz-unused": _npz("unused", header_only=False),
    "json-count": _json(lambda rng: _description(rng.choice(("1000000000000", "1" + "0" * 5000, "1e300")))),
    "json-depth": _json(lambda rng: "[" * rng.choice((1000, 100000, 3000000))),
    "json-size": _json(lambda rng: _description("1")[:-1] + ', "more": "' + "x" * 100_000_000 + '"}'),
    "tar-size": _tar,
})  # fmt: skip
