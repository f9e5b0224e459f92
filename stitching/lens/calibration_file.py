"""Calibration files: OpenCV's (YAML, JSON or XML), ROS's camera_info (YAML), and COLMAP's cameras.txt."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import cv2

from stitching.errors import InputError, require
from stitching.geometry.pixel_maps import Size
from stitching.lens.calibrated_lens import CalibratedLens
from stitching.lens.distortions import BrownDistortion, Distortion, FisheyeDistortion

SUFFIXES = (".yml", ".yaml", ".json", ".xml", ".txt")
MAX_BYTES, MAX_MARKS = 1_000_000, 10_000  # OpenCV's parser overflows the stack at some 50,000 levels
MAX_STRETCH = 2.0  # px, by which a photograph's shape may differ from that of the calibration, scaled: rounding
_LONGEST = 1 << 20  # px

# COLMAP's cameras: how many focal lengths there are, and the names of the coefficients after the centre, in this order.
_BROWN, _FISHEYE = BrownDistortion, FisheyeDistortion
_COLMAP: dict[str, tuple[type[BrownDistortion] | type[FisheyeDistortion], int, tuple[str, ...]]] = {
    "SIMPLE_PINHOLE": (_BROWN, 1, ()),
    "PINHOLE": (_BROWN, 2, ()),
    "SIMPLE_RADIAL": (_BROWN, 1, ("k1",)),
    "RADIAL": (_BROWN, 1, ("k1", "k2")),
    "OPENCV": (_BROWN, 2, ("k1", "k2", "p1", "p2")),
    "FULL_OPENCV": (_BROWN, 2, ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    "OPENCV_FISHEYE": (_FISHEYE, 2, ("k1", "k2", "k3", "k4")),
    "SIMPLE_RADIAL_FISHEYE": (_FISHEYE, 1, ("k1",)),
    "RADIAL_FISHEYE": (_FISHEYE, 1, ("k1", "k2")),
}


def names_calibration_file(choice: str) -> bool:
    """Whether what the user gave as a lens is a file, and no name of a lens."""
    # os.path.isfile raises no error where no file can be called so: a long name, a loop of links
    return Path(choice).suffix.lower() in SUFFIXES or os.path.isfile(choice)  # noqa: PTH113


def calibration_for(path: Path, name: str, size: Size, orientation: int) -> CalibratedLens:
    """The calibration of a photograph.

    Args:
        path: of the file.
        name: of the photograph, for messages.
        size: (w, h) px of the upright photograph.
        orientation: EXIF orientation 1..8, by which it was turned upright. Calibrations are of the unturned sensor; one
            that fits only the upright photograph is taken as it is.

    Raises:
        InputError: the file holds no calibration, or none for photographs of this shape.
    """
    lenses = read_calibrations(path)
    sensor = CalibratedLens.of(name, size, BrownDistortion(), (1, 1), (0, 0)).turned(orientation).photograph_size
    for wanted, turn in ((sensor, orientation), (size, 1)):
        fitting = [lens for lens in lenses if _has_shape(lens.photograph_size, wanted)]
        if fitting:
            best = min(fitting, key=lambda lens: abs(lens.photograph_size[0] - wanted[0]))
            return best.resized(wanted).turned(turn)
    known = ", ".join(sorted({f"{w} x {h}" for w, h in (lens.photograph_size for lens in lenses)})[:5])
    raise InputError(
        f"{path} is for photographs of {known} px, {name} has {sensor[0]} x {sensor[1]}; expected the same shape:"
        " calibrate with photographs as the camera writes them, neither cut nor turned"
    )


def read_calibrations(path: Path) -> tuple[CalibratedLens, ...]:
    """All lenses of a calibration file; InputError where it cannot be read or holds none."""
    name = os.fspath(path)
    plain = os.path.isfile(path) or not os.path.exists(path)  # noqa: PTH110, PTH113 - as above
    require(plain, f"cannot read {name}: a folder, a device or a pipe, which may never end", "a calibration file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}; expected a calibration file of a lens") from error
    require(len(data) <= MAX_BYTES, f"{name}: a file of more than {MAX_BYTES} bytes", "the calibration of a lens")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no text; expected the calibration of a lens, by OpenCV or COLMAP") from error
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if rows and len(rows[0]) > 4 and rows[0][0].isdigit() and not text.lstrip().startswith("%"):
        return tuple(_colmap_camera(name, row) for row in rows)
    return (_opencv_camera(name, text),)


def _has_shape(calibrated: Size, size: Size) -> bool:
    """Whether two sizes (w, h) have the same shape, but for rounding, and are not turned."""
    scaled = calibrated[1] * size[0] / calibrated[0]
    return abs(scaled - size[1]) <= MAX_STRETCH * max(1.0, size[0] / calibrated[0])


def _colmap_camera(name: str, row: Sequence[str]) -> CalibratedLens:
    """A line of cameras.txt: CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]."""
    require(len(row) > 4, f"{name}: the line {' '.join(row)[:80]!r}", "CAMERA_ID MODEL WIDTH HEIGHT PARAMS")
    require(row[1] in _COLMAP, f"{name}: the camera model {row[1][:80]!r}", "one of " + ", ".join(_COLMAP))
    kind, count, names = _COLMAP[row[1]]
    try:
        numbers = [float(word) for word in row[2:]]
    except ValueError as error:
        raise InputError(f"{name}: {str(error)[:100]}; expected numbers after {row[1]}") from error
    wanted = 2 + count + 2 + len(names)
    require(len(numbers) == wanted, f"{name}: {row[1]} with {len(numbers)} numbers", f"{wanted}")
    focal, (cx, cy) = numbers[2 : 2 + count], numbers[2 + count : 4 + count]
    coefficients = dict(zip(names, numbers[4 + count :], strict=True))
    # The centre of COLMAP's first pixel is (0.5, 0.5).
    return _camera(name, numbers[:2], (focal[0], focal[-1]), (cx - 0.5, cy - 0.5), kind(**coefficients))


def _opencv_camera(name: str, text: str) -> CalibratedLens:
    """What OpenCV's programs, and ROS's, write."""
    marks = sum(text.count(mark) for mark in ("[", "{", "<", "- ", ":"))
    require(marks <= MAX_MARKS, f"{name}: a file of {marks} parts", f"the calibration of a lens, at most {MAX_MARKS}")
    if not text.lstrip().startswith(("%", "{", "<")):
        text = "%YAML:1.0\n---\n" + text  # YAML that was not written by OpenCV
    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
    except (cv2.error, SystemError) as error:
        raise InputError(
            f"{name} is no calibration of a lens; expected OpenCV's YAML, JSON or XML, or COLMAP's cameras.txt"
        ) from error
    root = storage.root()
    size = [_number(root, key, name) for key in ("image_width", "image_height")]
    matrix = _numbers(root, "camera_matrix", name)
    require(len(matrix) == 9, f"{name}: camera_matrix of {len(matrix)} numbers", "9: fx 0 cx, 0 fy cy, 0 0 1")
    fx, skew, cx, _, fy, cy = matrix[:6]
    require(skew == 0, f"{name}: camera_matrix with a skew of {skew:g}", "0")
    coefficients = _numbers(root, "distortion_coefficients", name)
    return _camera(name, size, (fx, fy), (cx, cy), _opencv_distortion(name, coefficients, _is_fisheye(root)))


def _opencv_distortion(name: str, coefficients: Sequence[float], fisheye: bool) -> Distortion:
    if fisheye:
        require(len(coefficients) == 4, f"{name}: {len(coefficients)} coefficients of a fisheye", "4: k1 k2 k3 k4")
        return FisheyeDistortion(*coefficients)
    while len(coefficients) > 8 and coefficients[-1] == 0:
        coefficients = coefficients[:-1]
    usable = len(coefficients) in (4, 5, 8)
    require(usable, f"{name}: {len(coefficients)} distortion_coefficients", "4, 5 or 8: k1 k2 p1 p2 k3 k4 k5 k6")
    return BrownDistortion(*coefficients)


def _is_fisheye(root: cv2.FileNode) -> bool:
    """As OpenCV's samples mark it (fisheye_model: 1), or ROS (distortion_model: equidistant)."""
    model, flag = root.getNode("distortion_model"), root.getNode("fisheye_model")
    named = model.isString() and model.string().lower() in ("equidistant", "fisheye")
    return named or (_is_number(flag) and flag.real() != 0)


def _is_number(node: cv2.FileNode) -> bool:
    return not node.empty() and (node.isInt() or node.isReal())


def _number(root: cv2.FileNode, key: str, name: str) -> float:
    node = root.getNode(key) if root.isMap() else root
    usable = root.isMap() and _is_number(node)
    require(usable, f"{name}: no number {key}", "image_width, image_height, camera_matrix, distortion_coefficients")
    return float(node.real())


def _numbers(root: cv2.FileNode, key: str, name: str) -> list[float]:
    """A matrix of OpenCV or ROS, or a list, row by row."""
    node = root.getNode(key)
    data = node.getNode("data") if node.isMap() else node
    items: list[cv2.FileNode] = []
    if not data.empty() and data.isSeq() and data.size() <= 100:
        for row in (data.at(i) for i in range(data.size())):
            items += [row.at(j) for j in range(min(row.size(), 10))] if row.isSeq() else [row]
    usable = bool(items) and all(_is_number(item) for item in items)
    require(usable, f"{name}: no numbers {key}", "camera_matrix of 9, distortion_coefficients of 4, 5 or 8")
    return [float(item.real()) for item in items]


def _camera(
    name: str, size: Sequence[float], focal: tuple[float, float], centre: tuple[float, float], distortion: Distortion
) -> CalibratedLens:
    """A camera, checked."""
    numbers = (*size, *focal, *centre, *vars(distortion).values())
    require(all(math.isfinite(number) for number in numbers), f"{name}: a number that is not finite", "a calibration")
    w, h = (round(side) if 1 <= side <= _LONGEST else 0 for side in size)
    require(min(w, h) > 0, f"{name}: photographs of {size[0]:g} x {size[1]:g} px", f"1 to {_LONGEST} px a side")
    usable = all(0.05 * max(w, h) <= length <= 100 * max(w, h) for length in focal) and max(focal) <= 4 * min(focal)
    require(usable, f"{name}: focal lengths of {focal[0]:g} and {focal[1]:g} px", f"about {max(w, h)} px")
    return CalibratedLens.of(name, (w, h), distortion, focal, centre)
