"""Files of many kinds: read right, written right, or refused with which words.

    python benchmarks/file_formats.py [-o table.md] [--more FOLDER]

Each file is made from one photograph (`tests/file_kinds.py`), or taken from FOLDER. What is read is compared with a
second reader: Pillow, tifffile, or, for DNG, the photograph itself. Differences are of 255 grey levels, in sRGB where
the file has a profile (by LittleCMS, for both). Then the file is stitched with a part of itself and written in all four
formats; Pillow and, for TIFF, tifffile open these: size, bits, colour profile, EXIF and colours must be those of the
panorama. At edges a mosaic DNG differs by what demosaicing guesses.

Needs '.[dev,formats]'.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from tifffile import TiffFile

from stitching import Options, stitch
from stitching.errors import InputError, JobError
from stitching.io.colours.made_profiles import made_profile
from stitching.io.picture import Picture
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

SIZE = 480, 320  # px of the photograph
EXTENSIONS = ".jpg", ".png", ".tif", ".webp"
Colours = NDArray[np.float64]  # (h, w, 3) RGB 0..255


@dataclass(frozen=True)
class Row:
    """What came of one file."""

    name: str
    read: str
    mean: float | None = None
    largest: float | None = None
    reader: str = ""
    written: str = ""

    def cells(self) -> list[str]:
        """Words of the table."""
        errors = ["" if value is None else f"{value:.2f}" for value in (self.mean, self.largest)]
        return [self.name, self.read, *errors, self.reader, self.written]


def photograph() -> Any:
    """(h, w, 3) uint8 RGB: many soft shapes, so that it can be matched and lossy formats keep it."""
    noise = np.random.default_rng(4)
    w, h = SIZE
    picture = cv2.resize(noise.uniform(40, 200, (4, 6, 3)), SIZE, interpolation=cv2.INTER_CUBIC)
    for _ in range(260):
        x, y, radius = noise.integers(0, w), noise.integers(0, h), noise.integers(4, 22)
        cv2.circle(picture, (int(x), int(y)), int(radius), noise.uniform(20, 235, 3).tolist(), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), 1.2).astype(np.uint8)


def examine(name: str, path: Path, truth: Any, folder: Path) -> Row:
    """Read a file, compare it with a second reader, stitch and write it."""
    try:
        picture = read_picture(path)
    except (InputError, JobError) as error:
        return Row(name, "refused: " + str(error).replace(f"{path}: ", ""))
    bits, icc = picture.pixels.dtype.itemsize * 8, picture.metadata.icc
    what = f"{bits} bits" + (", profile" if icc else "") + (", alpha" if picture.valid is not None else "")
    ours = to_srgb(picture.pixels[..., ::-1] / (257 if bits == 16 else 1), icc)
    for reader, second in READERS.items():
        try:
            theirs = second(path, truth)
        except Exception:  # of many kinds: it cannot read this file
            continue
        if theirs is None or theirs.shape != ours.shape:
            continue
        shown = slice(None) if picture.valid is None else picture.valid > 0
        difference = np.abs(ours - theirs)[shown]
        return Row(
            name, what, float(difference.mean()), float(difference.max()), reader, written(picture, path, folder)
        )
    return Row(name, what, reader="none", written=written(picture, path, folder))


def to_srgb(colours: Any, icc: bytes | None) -> Colours:
    """Colours 0..255 in sRGB by LittleCMS, rounded to whole numbers where a profile has to be applied."""
    if not icc:
        return np.asarray(colours, np.float64)
    image = Image.fromarray(np.clip(colours + 0.5, 0, 255).astype(np.uint8))
    profile = ImageCms.ImageCmsProfile(BytesIO(icc))
    changed = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return np.asarray(changed, np.float64)


def by_truth(path: Path, truth: Any) -> Colours | None:
    """The photograph that a DNG was made of: whatever reads it is LibRaw, too."""
    return np.asarray(truth, np.float64) if path.suffix == ".dng" and truth is not None else None


def by_tifffile(path: Path, _truth: Any) -> Colours | None:
    """Colours of plain TIFFs."""
    if path.suffix != ".tif":
        return None
    with TiffFile(path) as tiff:
        page: Any = tiff.pages.first
        values, colours = page.asarray(), page.photometric.name
    if colours == "MINISBLACK":
        values = np.dstack([values if values.ndim == 2 else values[..., 0]] * 3)
    elif colours != "RGB":
        return None
    if values.shape[0] == 3:
        values = values.transpose(1, 2, 0)
    white = {"f": 1.0, "u": np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1}[values.dtype.kind]
    return np.asarray(values[..., :3] * (255.0 / white), np.float64)


def by_pillow(path: Path, _truth: Any) -> Colours | None:
    """Colours in sRGB by the file's own profile, inks too."""
    with Image.open(path) as image:
        if image.mode.startswith("I"):
            return np.dstack([np.asarray(image, np.float64) / 257] * 3)
        icc = image.info.get("icc_profile")
        if not icc and image.getexif().get_ifd(ExifTags.IFD.Interop).get(1) == "R03":
            icc = made_profile("Adobe RGB")
        if image.mode == "CMYK" and icc:
            return to_srgb_from_inks(image, icc)
        mode = "RGBA" if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA") else "RGB"
        colours = np.asarray(image.convert(mode), np.float64)[..., :3]
    return to_srgb(colours, icc)


def to_srgb_from_inks(image: Image.Image, icc: bytes) -> Colours:
    """By LittleCMS."""
    profile = ImageCms.ImageCmsProfile(BytesIO(icc))
    changed = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return np.asarray(changed, np.float64)


READERS: dict[str, Callable[[Path, Any], Colours | None]] = {
    "the photograph": by_truth, "tifffile": by_tifffile, "Pillow": by_pillow,
}  # fmt: skip


def written(picture: Picture, path: Path, folder: Path) -> str:
    """Which formats hold the stitched file as they should; "JPEG: no EXIF" where one does not."""
    part = np.ascontiguousarray(picture.pixels[:, picture.size[0] // 3 :])
    try:
        stitched = stitch(path, part, Options(warp="homography"))
    except InputError as error:
        return f"not stitched: {error}"[:60]
    found = []
    for extension in EXTENSIONS:
        output = folder / f"panorama{extension}"
        write_picture(output, stitched.panorama, stitched.alpha, stitched.metadata, levels=picture.levels)
        wrong = faults(output, stitched.panorama, stitched.metadata.icc, stitched.metadata.exif)
        found.append(extension[1:] + (f": {', '.join(wrong)}" if wrong else ""))
    return " ".join(found) if any(":" in one for one in found) else "all four"


def faults(output: Path, panorama: Any, icc: bytes | None, exif: bytes | None) -> list[str]:
    """What Pillow, and tifffile where it is a TIFF, do not find in a panorama."""
    h, w = panorama.shape[:2]
    with Image.open(output) as image:
        wrong = [] if image.size == (w, h) else [f"size {image.size}"]
        if image.info.get("icc_profile") != icc:
            wrong.append("profile")
        if exif and not image.getexif():
            wrong.append("EXIF")
        shown = np.asarray(image.convert("RGB"), np.float64)
    expected = panorama[..., ::-1] / (257 if panorama.dtype == np.uint16 else 1)
    # Of blocks, as lossy formats change what is as fine as dithered dots.
    blocks = [cv2.resize(colours, (w // 8, h // 8), interpolation=cv2.INTER_AREA) for colours in (shown, expected)]
    if np.abs(np.subtract(*blocks))[1:-1, 1:-1].mean() > 2:
        wrong.append("colours")
    if output.suffix == ".tif":
        with TiffFile(output) as tiff:
            page: Any = tiff.pages.first
            if (page.imagewidth, page.imagelength, page.bitspersample) != (w, h, panorama.dtype.itemsize * 8):
                wrong.append(f"tifffile: {page.imagewidth} x {page.imagelength} of {page.bitspersample} bits")
    return wrong


def main() -> None:
    """Print the table."""
    from file_kinds import KINDS  # type: ignore[import-not-found]  # a helper of the tests

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="write the table there, too")
    parser.add_argument("--more", type=Path, help="folder of files to examine, too")
    arguments = parser.parse_args()
    truth, rows = photograph(), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, kind in enumerate(KINDS):
            path = folder / f"{number}{kind.extension}"
            path.write_bytes(kind.make(truth))
            rows.append(examine(kind.name, path, truth if kind.made else None, folder))
            print(" | ".join(rows[-1].cells()), flush=True)
        for path in sorted(arguments.more.iterdir()) if arguments.more else []:
            rows.append(examine(path.name, path, None, folder))
            print(" | ".join(rows[-1].cells()), flush=True)
    if arguments.output:
        head = ["file", "read as, or refused", "mean difference", "largest", "second reader", "written and opened"]
        lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
        arguments.output.write_text("".join(f"| {' | '.join(line)} |\n" for line in lines))


if __name__ == "__main__":
    main()
