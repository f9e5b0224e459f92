"""What is gained where a strong lens is corrected? Generated pairs, drawn as an action camera draws them.

    python benchmarks/lenses.py OUT [--pairs 10] [--size 960 720] [--seed 0] [--textures DIR] [--warps auto homography]

Generates pairs of perspective pictures with truth (they stay in OUT: the same command again only measures), draws each
as two lenses would (OpenCV's model with strong barrel distortion, and OpenCV's fisheye), writes OUT/LENS.yml for
`--lens`, and stitches the photographs with and without it. The photographs stay, too: OUT/LENS/000_1.jpg, 000_2.jpg.

The error of a warp: for points of the target which the reference sees, the distance between where the warp puts them in
the reference and where they are, both without distortion, px of the perspective picture; the photograph has the same
scale in its centre. Each cell of 4 x 4 px of the perspective picture counts once, whatever its size in the panorama.
`refused` pairs count in no other figure.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from environment import describe_environment

from apps.tables import markdown
from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.pair_batch import PairArrays
from datasets.sample import Visibility
from datasets.storage.lookup import SampleLookup
from stitching.errors import InputError
from stitching.geometry.pixel_maps import Field, Points, Size, inside, pixel_grid, remap, rescale
from stitching.io.picture import Picture
from stitching.options import Options
from stitching.result import Stitched
from stitching.stitcher import stitch

FIELD = 100.0  # degrees across the perspective pictures
CELL = 4  # px of the perspective picture
QUALITY = 95  # of the photographs' JPEG
OVERLAP, PARALLAX = (0.5, 0.85), (1.0, 10.0)  # as of photographs taken by hand, a step apart


@dataclass(frozen=True)
class DrawingLens:
    """A lens of the benchmark.

    Attributes:
        coefficients: OpenCV's, of its usual model (k1, k2, p1, p2) or of its fisheye (k1, k2, k3, k4).
        fisheye: which of both.
    """

    coefficients: tuple[float, float, float, float]
    fisheye: bool

    def rays(self, places: Points) -> Points:
        """Places (n, 2) in the photograph, of the focal length, from its centre -> x / z, y / z (n, 2)."""
        column, matrix, coefficients = places[:, None], np.eye(3), np.array(self.coefficients)
        if self.fisheye:
            found = cv2.fisheye.undistortPoints(column, matrix, coefficients)
        else:
            stop = cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10
            found = cv2.undistortPointsIter(column, matrix, coefficients, np.eye(3), np.eye(3), stop)
        return np.asarray(found[:, 0], np.float64)


LENSES = {
    "barrel": DrawingLens((-0.25, 0.05, 0.0, 0.0), fisheye=False),
    "fisheye": DrawingLens((-0.02, 0.005, 0.0, 0.0), fisheye=True),
}


@dataclass(frozen=True)
class Photography:
    """How perspective pictures become photographs: `lens` draws them, as large as they can be without blank corners."""

    lens: DrawingLens
    ideal_size: Size
    size: Size

    @classmethod
    def of(cls, lens: DrawingLens, ideal_size: Size) -> "Photography":
        """The largest photographs of the same shape, to 0.5 %."""
        for share in np.arange(1.0, 0.3, -0.005):
            size = round(ideal_size[0] * share), round(ideal_size[1] * share)
            found = cls(lens, ideal_size, size)
            if inside(found.to_ideal(pixel_grid(size[1], size[0])), ideal_size).all():
                return found
        raise ValueError(f"a lens that shows more than {FIELD} degrees: {lens}")

    @property
    def focal(self) -> float:
        """Px, of both."""
        return self.ideal_size[0] / 2 / float(np.tan(np.deg2rad(FIELD / 2)))

    def to_ideal(self, points: Field) -> Field:
        """Px of the photograph (h, w, 2) -> of the perspective picture."""
        places = (points.reshape(-1, 2).astype(np.float64) - _centre(self.size)) / self.focal  # (h, w, 2) -> (h w, 2)
        return self.from_rays(self.lens.rays(places)).reshape(points.shape)  # (h w, 2) -> (h, w, 2)

    def from_rays(self, rays: Points) -> Field:
        """X / z, y / z (..., 2) -> px of the perspective picture."""
        return np.asarray(rays * self.focal + _centre(self.ideal_size), np.float32)

    def write_calibration(self, path: Path) -> None:
        """For `--lens`."""
        x, y = _centre(self.size)
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
        storage.write("image_width", self.size[0])
        storage.write("image_height", self.size[1])
        storage.write("fisheye_model", int(self.lens.fisheye))
        storage.write("camera_matrix", np.array([[self.focal, 0, x], [0, self.focal, y], [0, 0, 1]]))
        storage.write("distortion_coefficients", np.array(self.lens.coefficients))
        storage.release()


def _centre(size: Size) -> tuple[float, float]:
    return (size[0] - 1) / 2, (size[1] - 1) / 2


def main() -> None:
    """Generate what is missing, measure, print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--size", type=int, nargs=2, default=(960, 720), metavar=("W", "H"), help="of the scenes, px")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--textures", type=Path, help="folder of photographs; default: those of scikit-image")
    parser.add_argument("--warps", nargs="+", default=["auto", "homography"])
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{describe_environment('torch', 'onnxruntime')}, one thread", flush=True)
    size = chosen.size[0], chosen.size[1]
    options = SampleOptions(size=size, textures=chosen.textures, fov=(FIELD, FIELD), overlap=OVERLAP, parallax=PARALLAX)
    generate(options, GenerateJob(chosen.output / "pairs", chosen.pairs, chosen.seed, jobs=1))
    samples = SampleLookup(chosen.output / "pairs")
    rows = [["lens", "warp", "--lens", "pairs", "refused", "error, median px", "within 3 px", "90th percentile, px"]]
    for name, lens in LENSES.items():
        photography = Photography.of(lens, size)
        calibration = chosen.output / f"{name}.yml"
        photography.write_calibration(calibration)
        pairs = [samples.pair(index) for index in samples.indices[: chosen.pairs]]
        paths = [draw(pair, photography, chosen.output / name) for pair in pairs]
        for warp in chosen.warps:
            for choice in ("none", str(calibration)):
                measured = [
                    errors_of(pair, drawn, photography, Options(warp=warp, lens=choice))
                    for pair, drawn in zip(pairs, paths, strict=True)
                ]
                rows.append([name, warp, "none" if choice == "none" else calibration.name, *figures(measured)])
                print(" | ".join(rows[-1]), flush=True)
    print("\n" + markdown(rows))


def draw(pair: PairArrays, photography: Photography, folder: Path) -> tuple[Path, Path]:
    """Write both photographs of a pair."""
    folder.mkdir(exist_ok=True)
    w, h = photography.size
    source = photography.to_ideal(pixel_grid(h, w))
    paths = folder / f"{pair.index:03}_1.jpg", folder / f"{pair.index:03}_2.jpg"
    for path, picture in zip(paths, pair.pictures, strict=True):
        cv2.imwrite(str(path), remap(picture, source, cv2.INTER_CUBIC), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return paths


def errors_of(pair: PairArrays, paths: tuple[Path, Path], photography: Photography, options: Options) -> Points | None:
    """(n,) px, one of each cell; None where the pair is refused."""
    try:
        stitched = stitch(*paths, options)
    except InputError:
        return None
    on_target, on_reference = ideal_places(stitched, photography)
    nearest = on_target.round()
    known = inside(nearest, photography.ideal_size) & stitched.placement.covered & np.isfinite(on_reference).all(-1)
    x, y = nearest[known].astype(int).T
    visible = pair.mask[y, x] == Visibility.VISIBLE
    # The truth is known at pixel centres; from there to the place itself the warp is nearly a translation.
    true = (pair.warp[y, x] + on_target[known] - nearest[known])[visible]
    _, once = np.unique(nearest[known][visible] // CELL, axis=0, return_index=True)
    return np.asarray(np.linalg.norm(on_reference[known][visible] - true, axis=1)[once])


def ideal_places(stitched: Stitched, photography: Photography) -> tuple[Field, Field]:
    """(h, w, 2) of each pixel of the working canvas: its place in the target and in the reference, perspective px."""
    placement = stitched.placement
    h, w = placement.map_xy.shape[:2]
    canvas = rescale(pixel_grid(h, w).astype(np.float64), 1 / placement.scale)
    return (
        _ideal(placement.map_xy, stitched.target, photography),
        _ideal(np.asarray(stitched.canvas.to_reference(canvas), np.float32), stitched.reference, photography),
    )


def _ideal(points: Field, picture: Picture, photography: Photography) -> Field:
    """Px of a stitched picture, corrected or not, (h, w, 2) -> of the perspective picture."""
    if picture.lens is None:
        return photography.to_ideal(points)
    return photography.from_rays((points.astype(np.float64) - picture.lens.centre) / picture.lens.focal)


def figures(measured: Sequence[Points | None]) -> list[str]:
    """Counts of the pairs; median over the pairs of the pixels' median, share within 3 px and 90th percentile."""
    errors = [one for one in measured if one is not None and len(one)]
    counts = [str(len(measured)), str(len(measured) - len(errors))]
    if not errors:
        return [*counts, "-", "-", "-"]
    of_pairs = np.array([(np.median(one), (one < 3).mean(), np.percentile(one, 90)) for one in errors])  # (n, 3)
    middle, within, high = np.median(of_pairs, axis=0)
    return [*counts, f"{middle:.2f}", f"{within:.3f}", f"{high:.1f}"]


if __name__ == "__main__":
    main()
