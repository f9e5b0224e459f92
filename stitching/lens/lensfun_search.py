"""Finds a lens in lensfun's collection: by what EXIF says, or by the name that a user gives."""

from dataclasses import replace
from functools import cache
from typing import Any

from stitching.errors import InputError, require
from stitching.geometry.pixel_maps import Size
from stitching.lens.camera import Camera
from stitching.lens.lensfun_lens import LensfunLens, lensfun_lens

FOCAL_TOLERANCE = 0.05  # share, by which EXIF's rounded focal length may lie outside of a lens's range
ACTION_CAMERAS = ("gopro",)  # makers whose pictures keep the distortion of their lens, whatever its projection
FISHEYE_MAKERS = ("aee", "dji", "gitup")  # of cameras with a built-in lens, some of which are fisheyes


def find_by_camera(camera: Camera, size: Size, raw: bool) -> LensfunLens | None:
    """The lens that took a photograph, where its data are sure to be right for it; else None.

    Many cameras have corrected their JPEGs, and EXIF does not say which; lensfun's data are for what the lens drew.
    So a developed photograph is corrected only where no camera does it: fisheye lenses and action cameras.

    Without lensfunpy there is none.

    Args:
        camera: what EXIF says.
        size: (w, h) of the upright photograph, px.
        raw: whether the photograph is what the sensor saw (RAW), which no camera has corrected.
    """
    make = camera.make.casefold()
    developed_as_drawn = make.startswith(ACTION_CAMERAS + FISHEYE_MAKERS) or "fish" in camera.lens.casefold()
    if not camera.model or not (raw or developed_as_drawn):
        return None  # before the collection is read, which takes 0.1 s
    database = _database()
    if database is None:
        return None
    bodies = database.find_cameras(camera.make or None, camera.model)
    if not bodies:
        return None
    body = bodies[0]
    built_in = _is_built_in(body)
    if not built_in and not camera.lens:
        return None
    lenses = database.find_lenses(body, lens=None if built_in else camera.lens)
    lenses = [lens for lens in lenses if _focal(lens, camera) is not None and _corrects(lens)]
    if not lenses or not (raw or "FISHEYE" in lenses[0].type.name or make.startswith(ACTION_CAMERAS)):
        return None
    name = _name(body) if built_in else _name(lenses[0])
    settings = camera if raw else replace(camera, aperture=None)  # cameras brighten corners of their JPEGs
    return lensfun_lens(lenses[0], name, body.crop_factor, settings, _focal(lenses[0], camera) or 0.0, size)


def find_by_name(name: str, camera: Camera, size: Size) -> LensfunLens:
    """The lens or the camera with a built-in lens that lensfun lists under a name, in capitals or not.

    Args:
        name: the maker and the model, or the model alone.
        camera: what EXIF says of the body, the focal length, the aperture and the distance.
        size: (w, h) of the upright photograph, px.

    Raises:
        InputError: no such lens, with the names that are most like it; or a zoom lens without a focal length in EXIF.
    """
    database = _needed_database(name)
    bodies = database.find_cameras(camera.make or None, camera.model) if camera.model else []
    lens, crop = _lens_named(name, bodies[0].crop_factor if bodies else None)
    focal = _focal(lens, camera)
    if focal is None:
        said = f"EXIF says {camera.focal:g} mm" if camera.focal else "EXIF does not say the focal length"
        raise InputError(
            f"--lens {name!r}: {lens.min_focal:g} to {lens.max_focal:g} mm, and {said}; expected a photograph of this"
            " lens, take another lens or a calibration file"
        )
    return lensfun_lens(lens, name, crop, camera, focal, size)


def focal_35mm_by_crop(camera: Camera) -> float | None:
    """Focal length of a camera of 36 x 24 mm with the same view, mm, by the crop factor that lensfun lists.

    None where it lists no such camera, EXIF says no focal length, or lensfunpy is not installed.
    """
    if camera.focal is None or not camera.model or (database := _database()) is None:
        return None
    bodies = database.find_cameras(camera.make or None, camera.model)
    return float(camera.focal * bodies[0].crop_factor) if bodies else None


def check_lens_name(name: str) -> None:
    """Raise InputError, with the names that are most like it, where lensfun lists no lens or camera under a name."""
    _lens_named(name, None)


def _lens_named(name: str, crop: float | None) -> tuple[Any, float]:
    """The `lensfunpy.Lens`, measured on a sensor that is no smaller than the camera's; and the crop factor."""
    wanted = " ".join(name.split()).casefold()
    database = _needed_database(name)
    bodies = [body for body in database.cameras if _is_built_in(body)]
    for body in bodies:
        if wanted in (_name(body).casefold(), body.model.casefold()) and (found := database.find_lenses(body)):
            return found[0], body.crop_factor
    lenses = [lens for lens in database.lenses if wanted in (_name(lens).casefold(), lens.model.casefold())]
    if lenses:
        lenses.sort(key=lambda lens: lens.crop_factor)
        fitting = [lens for lens in lenses if crop is None or lens.crop_factor <= crop * 1.02]
        chosen = (fitting or lenses[:1])[-1]
        return chosen, crop or chosen.crop_factor
    from difflib import get_close_matches  # only where something is wrong

    names = {_name(one).casefold(): _name(one) for one in [*database.lenses, *bodies]}
    near = get_close_matches(wanted, names, n=3, cutoff=0.5)
    meant = f"; did you mean {', '.join(repr(names[one]) for one in near)}?" if near else ""
    raise InputError(
        f"--lens {name!r}: expected auto, none, a calibration file, or a lens or camera with a built-in lens as lensfun"
        f" lists them{meant}"
    )


def _focal(lens: Any, camera: Camera) -> float | None:
    """Focal length of a photograph taken with a lens, mm; None where it is unknown, or not one that the lens has."""
    low, high = lens.min_focal, lens.max_focal
    if camera.focal is None:
        return float(low) if low and low == high else None
    fits = low * (1 - FOCAL_TOLERANCE) <= camera.focal <= high * (1 + FOCAL_TOLERANCE)
    return min(max(camera.focal, low), high) if fits else None


def _corrects(lens: Any) -> bool:
    """Whether lensfun knows anything of how a lens draws; a swept panorama is not taken for one photograph."""
    return lens.type.name != "PANORAMIC" and (bool(lens.calib_distortion) or "FISHEYE" in lens.type.name)


def _is_built_in(body: Any) -> bool:
    """Whether a camera keeps its lens: lensfun names the mount after the camera, in lower case."""
    return bool(body.mount) and body.mount[0].islower()


def _name(listed: Any) -> str:
    """Maker and model of a lens or camera, the maker once."""
    maker, model = listed.maker or "", listed.model
    return model if model.casefold().startswith(maker.casefold()) else f"{maker} {model}"


def _needed_database(name: str) -> Any:
    """lensfun's collection; InputError where it cannot be read."""
    found = _database()
    require(
        found is not None,
        f"--lens {name!r}",
        "auto, none or a calibration file; the names of lenses need lensfunpy: pip install 'parastitch[formats]'",
    )
    return found


@cache
def _database() -> Any:
    """lensfun's collection; None without lensfunpy."""
    try:
        import lensfunpy
    except ImportError:
        return None
    return lensfunpy.Database()
