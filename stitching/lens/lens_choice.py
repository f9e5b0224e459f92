"""Which lens a photograph is taken to have, by what the user asked for."""

from os import PathLike, fspath
from pathlib import Path

from stitching.errors import require
from stitching.geometry.pixel_maps import Size
from stitching.lens.calibration_file import calibration_for, names_calibration_file, read_calibrations
from stitching.lens.camera import Camera
from stitching.lens.lens import Lens
from stitching.lens.lensfun_search import check_lens_name, find_by_camera, find_by_name

AUTO, NONE = "auto", "none"


def check_lens_choice(choice: str) -> None:
    """Raise InputError where no photograph could have this lens: see `lens_for`."""
    usable = isinstance(choice, str | PathLike)
    require(usable, f"lens: {type(choice).__name__}", "auto, none, a file or the name of a lens")
    if choice in (AUTO, NONE):
        return
    if names_calibration_file(choice):
        read_calibrations(Path(choice))
        return
    check_lens_name(fspath(choice))


def lens_for(choice: str, camera: Camera, size: Size, orientation: int, name: str, *, raw: bool = False) -> Lens | None:
    """The lens of a photograph; None where it is not to be corrected.

    Args:
        choice: "auto", "none", a calibration file, or a lens or camera as lensfun lists it; passed `check_lens_choice`.
        camera: what the photograph's metadata says.
        size: (w, h) px of the upright photograph.
        orientation: EXIF orientation 1..8, by which it was turned upright.
        name: of the photograph, for messages.
        raw: whether it is a RAW file, whose lens no camera has corrected.

    Raises:
        InputError: the calibration file does not fit, or the photograph's focal length is none of the lens.
    """
    if choice == NONE:
        return None
    if choice == AUTO:
        found = find_by_camera(camera, size, raw=raw)
        return None if found is None else Lens.of(found)
    if names_calibration_file(choice):
        return Lens.of(calibration_for(Path(choice), name, size, orientation))
    return Lens.of(find_by_name(choice, camera, size))
