"""Too little memory: the address space of the whole command is limited."""

import random
from pathlib import Path

import cv2

from attacks.case import Command, Family, Maker, Stock, pixels_of
from attacks.pictures import copy_pair

FEWEST, MOST = 350, 1400  # MiB


def _limited(*options: str, megapixels: float = 0.0) -> Maker:
    """A stitch whose memory ends somewhere between its start and its end; of larger pictures where asked for."""

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        if megapixels:
            for path in folder.glob("*.png"):
                picture = pixels_of(path)
                scale = (megapixels * 1e6 / picture[..., 0].size) ** 0.5
                cv2.imwrite(str(path), cv2.resize(picture, None, fx=scale, fy=scale))
        arguments = ("stitch", "1.png", "2.png", "-o", "out.png", "--quiet", *options)
        return Command(arguments, ("out.png",), memory=rng.randint(FEWEST, MOST), own_process=True)

    return make


FAMILY = Family("limits", 0.02, {
    "homography": _limited("--warp", "homography"),
    "classical": _limited("--warp", "classical"),
    "matches": _limited("--warp", "matches"),
    "blend-network": _limited("--warp", "homography", "--blend", "network"),
    "report": _limited("--warp", "homography", "--report", "out.html"),
    "8-mpx": _limited("--warp", "homography", megapixels=8.0),
    "20-mpx": _limited("--warp", "homography", megapixels=20.0),
})  # fmt: skip
