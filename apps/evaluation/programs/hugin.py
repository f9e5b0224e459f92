"""Hugin's tools and enblend as one process: python -m apps.evaluation.programs.hugin REFERENCE TARGET FOLDER."""

import re
import subprocess
import sys
from pathlib import Path

TOOLS = ("pto_gen", "cpfind", "cpclean", "autooptimiser", "pano_modify", "nona", "enblend")

_MAX_CANVAS = 100e6  # px; a degenerate solution asks for a canvas that fills the disk


def main(reference: str, target: str, folder: str) -> int:
    """Stitch as Hugin's assistant does, leaving pano.tif and the warped pictures in `folder`. Returns the exit code."""
    for command in (
        ["pto_gen", "-o", "project.pto", reference, target],
        ["cpfind", "-o", "project.pto", "project.pto"],
        ["cpclean", "-o", "project.pto", "project.pto"],
        ["autooptimiser", "-a", "-m", "-l", "-s", "-o", "project.pto", "project.pto"],
        ["pano_modify", "--canvas=AUTO", "--output-uncropped-tiff", "-o", "project.pto", "project.pto"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    line = re.search(r"^p .*?\bw(\d+) h(\d+)", (Path(folder) / "project.pto").read_text(), re.MULTILINE)
    if line is None or int(line[1]) * int(line[2]) > _MAX_CANVAS:
        print(f"degenerate canvas: {line[1]} x {line[2]} px" if line else "no canvas in the project file")
        return 1
    subprocess.run(["nona", "-m", "TIFF_m", "-o", "warped", "project.pto"], cwd=folder, check=True)
    warped = sorted(path.name for path in Path(folder).glob("warped*.tif"))
    subprocess.run(["enblend", "-o", "pano.tif", *warped], cwd=folder, check=True)
    return 0


def collect(folder: Path) -> None:
    """Turn the TIFF files that Hugin leaves into the PNG files that `evaluate` measures."""
    import cv2

    panorama = cv2.imread(str(folder / "pano.tif"), cv2.IMREAD_UNCHANGED)
    if panorama is not None:
        cv2.imwrite(str(folder / "pano.png"), panorama)
    for number, path in enumerate(sorted(folder.glob("warped*.tif")), start=1):
        warped = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if warped is not None:
            cv2.imwrite(str(folder / f"warp{number}.png"), warped[..., :3])
            cv2.imwrite(str(folder / f"mask{number}.png"), warped[..., 3])


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} ended with {error.returncode}")
