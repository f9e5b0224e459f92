"""Which lens a photograph is taken to have, by what the user asked for."""

from pathlib import Path

from stitching.errors import InputError
from stitching.geometry.pixel_maps import Size
from stitching.lens.calibration_file import calibration_for, names_calibration_file, read_calibrations
from stitching.lens.camera import Camera
from stitching.lens.lens import Lens

AUTO, NONE = "auto", "none"


def check_lens_choice(choice: str) -> None:
    """Raise InputError where no photograph could have this lens: see `lens_for`."""
    if choice in (AUTO, NONE):
        return
    if names_calibration_file(choice):
        read_calibrations(Path(choice))
        return
    raise InputError(f"--lens {choice}: expected auto, none, or a calibration file (.yml, .json, .xml, .txt)")


def lens_for(choice: str, camera: Camera, size: Size, orientation: int, name: str) -> Lens | None:
    """The lens of a photograph; None where it is not to be corrected.

    Args:
        choice: "auto", "none", or a calibration file; passed `check_lens_choice`.
        camera: what the photograph's metadata says.
        size: (w, h) px of the upright photograph.
        orientation: EXIF orientation 1..8, by which it was turned upright.
        name: of the photograph, for messages.

    Raises:
        InputError: the calibration file does not fit.
    """
    if choice in (AUTO, NONE):
        return None
    return Lens.of(calibration_for(Path(choice), name, size, orientation))
