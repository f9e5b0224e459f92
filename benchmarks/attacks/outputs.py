"""Outputs that are inputs or each other, and places where nothing can be written."""

import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import cv2

from attacks.case import Command, Family, Maker, Stock, pixels_of
from attacks.pictures import copy_pair, stitch_arguments

Prepare = Callable[[Path], object]


def _nothing(folder: Path) -> None: ...


def _refused(*arguments: str, prepare: Prepare = _nothing) -> Maker:
    """A stitch with these options, of pictures and masks as JPEG and PNG, is refused; no file changes."""
    return _stitch(Command(arguments, refused=True), prepare)


def _stitch(more: Command, prepare: Prepare = _nothing) -> Maker:
    """`more.arguments` come after those of the cheapest stitch; a second -o takes the place of the first one."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        for number, path in ((1, stock.first), (2, stock.second)):
            cv2.imwrite(str(folder / f"{number}.jpg"), pixels_of(path))
        cv2.imwrite(str(folder / "mask.png"), pixels_of(stock.second) | 255)
        (folder / "warp.npz").write_bytes(stock.warp.read_bytes())
        prepare(folder)
        linked = any(path.is_symlink() or path.lstat().st_nlink > 1 for path in folder.rglob("*"))  # links name 1.png
        extensions = (".png",) if linked else (".png", ".jpg")
        inputs = {"reference": f"1{rng.choice(extensions)}", "target": f"2{rng.choice(extensions)}"}
        own = [word.replace("{1}", inputs["reference"]).replace("{2}", inputs["target"]) for word in more.arguments]
        base = stitch_arguments(**inputs)
        if "-o" in own:
            base = tuple(word for word in base if word not in ("-o", "out.png"))
        options = {name: getattr(more, name) for name in (
            "outputs", "may_change", "refused", "own_process", "stdout", "stderr", "file_size",
        )}  # fmt: skip
        return Command((*base, *own), **options)

    return make


def _link(target: str, name: str, *, hard: bool = False) -> Prepare:
    def prepare(folder: Path) -> None:
        if hard:
            os.link(folder / target, folder / name)
        else:
            (folder / name).symlink_to(target)

    return prepare


def _make_folder(name: str, *files: str, mode: int = 0o755) -> Prepare:
    """A folder that holds copies of pictures under these names."""

    def prepare(folder: Path) -> None:
        (folder / name).mkdir()
        for file in files:
            (folder / name / file).write_bytes((folder / "1.png").read_bytes())
        (folder / name).chmod(mode)

    return prepare


def _both(*steps: Prepare) -> Prepare:
    def prepare(folder: Path) -> None:
        for step in steps:
            step(folder)

    return prepare


def _socket(folder: Path) -> None:
    """Neither file nor folder. No real device: a fault would replace one of this machine."""
    os.mknod(folder / "socket", stat.S_IFSOCK | 0o600)


def _older(folder: Path) -> None:
    """Outputs of an earlier run, which stay where the new run fails."""
    for name in ("out.png", "out.html", "mask_out.png"):
        (folder / name).write_bytes(b"older")


def _full(*arguments: str, size: float) -> Maker:
    """A disk that is full after so many MiB."""
    return _stitch(Command(arguments, refused=True, file_size=size), _older)


def _other(*arguments: str, refused: bool = True) -> Maker:
    """Another command than stitch, on a folder of pairs and files."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        (folder / "pairs" / "a").mkdir(parents=True)
        for number, path in enumerate((stock.first, stock.second), start=1):
            (folder / "pairs" / "a" / f"{number}.png").write_bytes(path.read_bytes())
        (folder / "file").write_bytes(b"mine")
        (folder / "net.safetensors").write_bytes((stock.weights / "network.safetensors").read_bytes())
        (folder / "nets").mkdir()
        (folder / "nets" / "dataset.json").write_bytes(b"mine")
        return Command(arguments, refused=refused)

    return make


GENERATE = ("generate", "--count", "1", "--size", "64", "64", "--jobs", "1", "--quiet")

FAMILY = Family("outputs", 0.09, {
    "output-reference": _refused("-o", "{1}"),
    "output-target": _refused("-o", "{2}"),
    "output-path": _refused("-o", "../work/{2}"),
    "output-link": _refused("-o", "link.png", prepare=_link("1.png", "link.png")),
    "output-hard-link": _refused("-o", "link.png", prepare=_link("1.png", "link.png", hard=True)),
    "save-mask-link": _refused("--save-mask", "link.png", prepare=_link("1.png", "link.png")),
    "report-hard-link": _refused("--report", "link", prepare=_link("1.png", "link", hard=True)),
    "output-mask": _refused("--mask-target", "mask.png", "-o", "mask.png"),
    "save-mask-reference": _refused("--save-mask", "{1}"),
    "save-mask-target": _refused("--save-mask", "{2}"),
    "save-mask-mask": _refused("--mask-target", "mask.png", "--save-mask", "mask.png"),
    "report-reference": _refused("--report", "{1}"),
    "report-target": _refused("--report", "./{2}"),
    "report-warp": _refused("--load-warp", "warp.npz", "--report", "warp.npz"),
    "save-warp-target": _refused("--save-warp", "{2}"),
    "save-warp-mask": _refused("--mask-target", "mask.png", "--save-warp", "mask.png"),
    "save-warp-warp": _refused("--load-warp", "warp.npz", "--save-warp", "warp.npz"),
    "report-output": _refused("--report", "out.png"),
    "save-mask-output": _refused("--save-mask", "./out.png"),
    "save-warp-report": _refused("--save-warp", "x", "--report", "x"),
    "outputs-linked": _refused("--save-mask", "b.png", prepare=_link("out.png", "b.png")),
    "output-in-aligned": _refused("-o", "al/warp1.png", "--save-aligned", "al", prepare=_make_folder("al")),
    "aligned-and-verbose": _refused("--save-mask", "al/blend.png", "--save-aligned", "al", prepare=_make_folder("al")),
    "mask-in-aligned": _refused(
        "--mask-target", "al/mask2.png", "--save-aligned", "al", prepare=_make_folder("al", "mask2.png")
    ),
    "report-in-aligned": _refused("--report", "al/warp2.png", "--save-aligned", "al", prepare=_make_folder("al")),
    "mask-in-verbose": _refused(
        "--mask-target", "v/01_matches.png", "--verbose-dir", "v", prepare=_make_folder("v", "01_matches.png")
    ),
    "aligned-links-to-input": _refused(
        "--save-aligned", "al", prepare=_both(_make_folder("al"), _link("../1.png", "al/warp1.png"),
                                              _link("../1.jpg", "al/mask1.png"))
    ),
    "aligned-is-file": _refused("--save-aligned", "mask.png"),
    "verbose-is-file": _refused("--verbose-dir", "warp.npz"),
    "output-is-folder": _refused("-o", "al.png", prepare=_make_folder("al.png")),
    "no-folder": _refused("-o", "no/such/out.png"),
    "no-report-folder": _refused("--report", "no/out.html"),
    "long-name": _refused("-o", "x" * 300 + ".png"),
    "long-path": _refused("-o", "/".join(["x" * 200] * 25) + "/o.png"),
    "odd-extension": _refused("-o", "out.gif"),
    "empty-name": _refused("-o", ""),
    "output-pipe": _refused("-o", "pipe.png", prepare=lambda folder: os.mkfifo(folder / "pipe.png")),
    "report-pipe": _refused("--report", "pipe", prepare=lambda folder: os.mkfifo(folder / "pipe")),
    "save-warp-socket": _refused("--save-warp", "socket", prepare=_socket),
    "link-loop": _stitch(Command(("-o", "loop.png"), may_change=("loop.png",)), _link("loop.png", "loop.png")),
    "full-output": _full(size=0.001),
    "full-mask": _full("--save-mask", "mask_out.png", size=0.001),
    "full-report": _full("--report", "out.html", size=0.001),
    "full-aligned": _full("--save-aligned", "al", size=0.001),
    "full-later": _stitch(Command(("-o", "out.jpg", "--report", "out.html"), refused=True, file_size=0.1)),
    "full-stdout-json": _stitch(Command(("--json",), ("out.png",), refused=True, stdout="full", own_process=True)),
    "closed-stdout-json": _stitch(Command(("--json",), ("out.png",), stdout="closed", own_process=True)),
    "closed-stdout": _stitch(Command((), ("out.png",), stdout="closed", own_process=True)),
    "closed-stderr": _stitch(Command((), ("out.png",), stderr="closed", own_process=True)),
    "closed-stderr-refused": _stitch(Command(("-o", "{1}"), refused=True, stderr="closed", own_process=True)),
    "full-stderr": _stitch(Command((), ("out.png",), stderr="full", own_process=True)),
    "help-full": lambda folder, stock, rng: Command(
        (rng.choice(("stitch", "evaluate", "generate")), "--help"), refused=True, stdout="full", own_process=True
    ),
    "evaluate-onto-pairs": _other("evaluate", "pairs", "-o", "pairs", "--methods", "homography", refused=False),
    "evaluate-onto-pair": _other("evaluate", "pairs", "-o", "pairs/a", "--methods", "homography", refused=False),
    "evaluate-onto-file": _other("evaluate", "pairs", "-o", "file", "--methods", "homography"),
    "generate-onto-file": _other(*GENERATE, "file"),
    "generate-onto-other": _other(*GENERATE, "nets"),
    "export-onto-file": _other("export", "net.safetensors", "-o", "file"),
    "export-onto-weights": _other("export", "net.safetensors", "-o", "net.safetensors"),
    "train-onto-file": _other("train", "flow", "file", "--steps", "1"),
})  # fmt: skip
