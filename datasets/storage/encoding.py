"""A sample as files in memory, and back: JPEG, PNG and npz, the same bytes for the same sample."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.options import SampleOptions
from datasets.sample import Floats, Geometry, Pixels, Sample
from stitching.errors import InputError, JobError

LARGEST = 32768  # px; places are within +- this, where float32 holds 1/256 px exactly
STEPS = 256  # places are rounded to 1/STEPS px, so that they compress

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 97, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
# As small as zlib level 1 with all filters, in two thirds of the time.
_PNG = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER]
_PICTURE, _MASK = [*_PNG, cv2.IMWRITE_PNG_FILTER_PAETH], [*_PNG, cv2.IMWRITE_PNG_FILTER_UP]


@dataclass(frozen=True, eq=False)
class StoredView:
    """One of the two pictures as read back; arrays as in `datasets.sample.View`, None where not stored."""

    picture: Pixels
    warp: Floats
    mask: Pixels
    clean: Pixels | None
    geometry: Geometry | None


@dataclass(frozen=True, eq=False)
class StoredArrays:
    """All that the files of one sample hold; as in `datasets.sample.Sample`."""

    reference: StoredView
    target: StoredView
    stitched: Pixels
    clean_stitched: Pixels | None
    stitched_mask: Pixels


def encode(sample: Sample, options: SampleOptions) -> dict[str, bytes]:
    """Member (`input1.jpg`, `mask.reference.png`, ...) -> contents; with `keep_clean` and `geometry` some more.

    Raises JobError where a warp is not finite or beyond LARGEST px.
    """
    reference, target = sample.reference, sample.target
    views = {"target": target, "reference": reference}
    members = {
        "input1.jpg": _image(".jpg", reference.picture, _JPEG),
        "input2.jpg": _image(".jpg", target.picture, _JPEG),
        "stitched.png": _image(".png", sample.stitched, _PICTURE),
        "warp.npz": _npz({name: _steps(view.warp, sample.index, name) for name, view in views.items()}),
        "mask.png": _image(".png", target.mask, _MASK),
        "mask.reference.png": _image(".png", reference.mask, _MASK),
        "mask.stitched.png": _image(".png", sample.stitched_mask, _MASK),
    }
    if options.keep_clean:
        members["clean1.png"] = _image(".png", reference.clean, _PICTURE)
        members["clean2.png"] = _image(".png", target.clean, _PICTURE)
        members["clean_stitched.png"] = _image(".png", sample.clean_stitched, _PICTURE)
    if options.geometry:
        geometries = {name: view.geometry for name, view in views.items() if view.geometry is not None}
        members["geometry.npz"] = _npz(
            {f"{name}_{key}": array for name, part in geometries.items() for key, array in _arrays(part).items()}
        )
    return members


def decode(members: Mapping[str, bytes], name: str) -> StoredArrays:
    """The arrays of `encode`'s members; `name` is for errors.

    Raises InputError where a member is missing or cannot be decoded.
    """
    warps = _arrays_of(members, "warp.npz", name)
    geometry = _arrays_of(members, "geometry.npz", name) if "geometry.npz" in members else {}

    def picture(member: str) -> Pixels:
        return _pixels(members, member, name)

    def clean(member: str) -> Pixels | None:
        return picture(member) if member in members else None

    def view(which: str, number: int, mask: str) -> StoredView:
        if which not in warps:
            raise InputError(f"{name}: warp.npz holds no {which!r}; make the sample again")
        return StoredView(
            picture=picture(f"input{number}.jpg"),
            warp=(np.cumsum(warps[which], axis=1) / STEPS).astype(np.float32),
            mask=picture(mask),
            clean=clean(f"clean{number}.png"),
            geometry=_geometry(geometry, which, name) if geometry else None,
        )

    return StoredArrays(
        reference=view("reference", 1, "mask.reference.png"),
        target=view("target", 2, "mask.png"),
        stitched=picture("stitched.png"),
        clean_stitched=clean("clean_stitched.png"),
        stitched_mask=picture("mask.stitched.png"),
    )


def _steps(warp: Floats, index: int, name: str) -> NDArray[np.int32]:
    """Places in 1/STEPS px as differences along the rows, which takes less than half of the room."""
    # Not "beyond": a NaN compares as neither.
    if not (np.abs(warp) <= LARGEST).all():
        worst = "NaN" if np.isnan(warp).any() else f"{float(np.abs(warp).max()):g} px"
        raise JobError(f"sample {index}: the {name}'s warp holds {worst}; expected at most {LARGEST} px, finite")
    return np.asarray(np.diff(np.rint(warp * np.float32(STEPS)).astype(np.int32), axis=1, prepend=0), np.int32)


def _image(extension: str, pixels: Pixels, settings: list[int]) -> bytes:
    _, encoded = cv2.imencode(extension, pixels, settings)
    return encoded.tobytes()


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """As np.savez_compressed, a quarter of its time: no dates in it, the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:  # dated 1980
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _arrays(geometry: Geometry) -> dict[str, NDArray[Any]]:
    """float16 normals: within 0.03 degrees."""
    normals = geometry.normals.astype(np.float16)
    return {
        "depth": geometry.depth.astype(np.float32),
        "normals": normals,
        "surfaces": geometry.surfaces.astype(np.int32),
        "kinds": geometry.kinds,
        "edges": geometry.edges,
    }


def _geometry(arrays: Mapping[str, NDArray[Any]], which: str, name: str) -> Geometry:
    try:
        parts = {key: arrays[f"{which}_{key}"] for key in ("depth", "normals", "surfaces", "kinds", "edges")}
    except KeyError as error:
        raise InputError(f"{name}: geometry.npz holds no {error}; make the sample again") from error
    return Geometry(**parts | {"normals": parts["normals"].astype(np.float32)})


def _contents(members: Mapping[str, bytes], member: str, name: str) -> bytes:
    if member not in members:
        raise InputError(f"{name}: {member} is missing; make the sample again")
    return members[member]


def _pixels(members: Mapping[str, bytes], member: str, name: str) -> Pixels:
    contents = np.frombuffer(_contents(members, member, name), np.uint8)
    pixels = cv2.imdecode(contents, cv2.IMREAD_UNCHANGED) if contents.size else None
    if pixels is None:
        raise InputError(f"{name}: {member} cannot be decoded; make the sample again")
    return np.asarray(pixels, np.uint8)


def _arrays_of(members: Mapping[str, bytes], member: str, name: str) -> dict[str, NDArray[Any]]:
    contents = _contents(members, member, name)
    try:
        with np.load(io.BytesIO(contents), allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{name}: {member} cannot be decoded ({error}); make the sample again") from error
