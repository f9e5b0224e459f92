"""The table of files in docs/stitching/formats.md says what the code does."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from file_kinds import KINDS
from picture_files import half_transparent, photo
from PIL import Image
from tifffile import TiffFile

from stitching.errors import InputError
from stitching.io.colours.made_profiles import made_profile
from stitching.io.metadata.contents import Metadata
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture

DOCUMENT = Path(__file__).parents[3] / "docs" / "stitching" / "formats.md"
PACKAGES = "rawpy", "tifffile", "pi_heif"
EXTRA = "`[formats]`"


def cells(heading):
    """First cell -> the others, of the table under a heading of the document."""
    lines = iter(DOCUMENT.read_text().split(f"### {heading}\n", 1)[1].splitlines())
    table = []
    for line in lines:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip()[1:-1].split("|")])
        elif table:
            break
    return {first: rest for first, *rest in table[2:]}


def scene():
    return cv2.resize(photo(), (192, 144), interpolation=cv2.INTER_CUBIC)[..., ::-1].copy()


def form_of(path):
    """How a file is read, in the words of the table."""
    try:
        picture = read_picture(path)
    except InputError as error:
        return "refused" if "\n" not in str(error) else "refused with many words"
    icc = picture.metadata.icc
    spaces = [space for space in ("Adobe RGB", "Display P3") if icc == made_profile(space)]
    parts = [f"{picture.pixels.dtype.itemsize * 8} bits", *spaces]
    parts += ["alpha"] if picture.valid is not None else []
    return ", ".join(parts + (["EXIF"] if picture.metadata.exif else []))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_table_says_how_a_kind_is_read_and_what_that_needs(tmp_path, kind, monkeypatch):
    path = tmp_path / f"a{kind.extension}"
    path.write_bytes(kind.make(scene()))
    form = form_of(path)
    for package in PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)
    needed = EXTRA if form_of(path) != form else ""
    assert cells("What is read")[kind.name][:2] == [form, needed]


def test_the_table_has_no_other_kinds():
    assert list(cells("What is read")) == [kind.name for kind in KINDS]


def written(extension, tmp_path):
    """Bits of Pillow or, for TIFF, tifffile; alpha; metadata: in the words of the table."""
    metadata = read_picture(Path(__file__).parents[2] / "data" / "heic" / "p3.heic").metadata
    path = tmp_path / f"a{extension}"
    write_picture(path, photo(np.uint16), half_transparent(), metadata)
    with Image.open(path) as image:
        assert image.size == (64, 48)
        alpha = image.mode == "RGBA"
        kept = {"EXIF": image.getexif().get(271), "colour profile": image.info.get("icc_profile")}
        colours = np.array(image.convert("RGB")).astype(int)
    if extension == ".tif":
        with TiffFile(path) as tiff:
            bits = tiff.pages.first.bitspersample
    else:
        bits = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).dtype.itemsize * 8
    kept["XMP"] = b"xmpmeta" in path.read_bytes()
    right = (photo(np.uint16)[..., ::-1] >> 8).astype(int)
    error = np.abs(colours - right)[:, 40:].max()  # where it is opaque
    return [
        str(bits), "yes" if alpha else "no", "exact" if error <= 1 and extension in (".png", ".tif") else "lossy",
        ", ".join(name for name, value in kept.items() if value),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "extension"), [("JPEG", ".jpg"), ("PNG", ".png"), ("TIFF", ".tif"), ("WebP", ".webp")]
)
def test_the_table_says_how_a_panorama_is_written(tmp_path, name, extension):
    assert cells("What is written")[name] == written(extension, tmp_path)


def test_a_profile_that_is_not_ours_is_kept_as_it_is(tmp_path):
    icc = made_profile("Display P3").replace(b"made by", b"lent by")
    write_picture(tmp_path / "a.jpg", photo(), metadata=Metadata(icc=icc))
    assert read_picture(tmp_path / "a.jpg").metadata.icc == icc
