"""A sample as files in memory, and back: JPEG, PNG and npz, the same bytes for the same sample."""

import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Floats, Pixels
from datasets.options import SampleOptions
from datasets.sample import Geometry, Sample
from stitching.errors import InputError, JobError
from stitching.io.codecs.codec import decode as decode_picture
from stitching.io.metadata.formats import parse_picture
from stitching.io.npz_file import ArrayForm, read_arrays

MAX_COORDINATE = 32768  # px; up to it, float32 holds 1/256 px exactly
STEPS_PER_PIXEL = 256  # coordinates are rounded to 1/256 px, so that they compress

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 97, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
# Files as small as with zlib level 1 and all filters, in two thirds of the time
_PNG = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER]
_PICTURE, _MASK = [*_PNG, cv2.IMWRITE_PNG_FILTER_PAETH], [*_PNG, cv2.IMWRITE_PNG_FILTER_UP]


@dataclass(frozen=True, eq=False)
class StoredView:
    """One of the two pictures as read back; arrays as in datasets.sample.View, None where not stored."""

    picture: Pixels
    warp: Floats
    mask: Pixels
    clean: Pixels | None
    geometry: Geometry | None


@dataclass(frozen=True, eq=False)
class StoredArrays:
    """The arrays of one sample as read back; as in datasets.sample.Sample, None where not stored."""

    reference: StoredView
    target: StoredView
    stitched: Pixels
    clean_stitched: Pixels | None
    stitched_mask: Pixels


def encode(sample: Sample, options: SampleOptions) -> dict[str, bytes]:
    """Member (`input1.jpg`, `mask.reference.png`, ...) -> contents; the options decide which.

    Raises JobError where a warp is not finite or beyond MAX_COORDINATE px.
    """
    reference, target = sample.reference, sample.target
    views = {"target": target, "reference": reference}
    members = {
        "input1.jpg": _encode_image(".jpg", reference.picture, _JPEG),
        "input2.jpg": _encode_image(".jpg", target.picture, _JPEG),
        "stitched.png": _encode_image(".png", sample.stitched, _PICTURE),
        "warp.npz": encode_npz({name: _encode_warp(view.warp, sample.index, name) for name, view in views.items()}),
        "mask.png": _encode_image(".png", target.mask, _MASK),
        "mask.reference.png": _encode_image(".png", reference.mask, _MASK),
        "mask.stitched.png": _encode_image(".png", sample.stitched_mask, _MASK),
    }
    if options.keep_clean:
        members["clean1.png"] = _encode_image(".png", reference.clean, _PICTURE)
        members["clean2.png"] = _encode_image(".png", target.clean, _PICTURE)
        members["clean_stitched.png"] = _encode_image(".png", sample.clean_stitched, _PICTURE)
    if options.geometry:
        geometries = {name: view.geometry for name, view in views.items() if view.geometry is not None}
        members["geometry.npz"] = encode_npz(
            {f"{name}_{key}": array for name, part in geometries.items() for key, array in _to_arrays(part).items()}
        )
    return members


def decode(members: Mapping[str, bytes], sizes: Mapping[str, tuple[int, int]], name: str) -> StoredArrays:
    """The arrays of the members that `encode` returned.

    Only what has these sizes is decoded, so that a small file cannot take much memory.

    Args:
        members: name -> contents.
        sizes: of `Record`.
        name: of the sample, for messages.

    Raises:
        InputError: a member is missing, cannot be decoded or has another size, type or number of channels.
    """
    size, canvas = sizes["reference"], sizes["stitched"]

    def picture(member: str, size: tuple[int, int] = size) -> Pixels:
        return decode_image(members, member, size, name)

    def clean(member: str, size: tuple[int, int] = size) -> Pixels | None:
        return picture(member, size) if member in members else None

    def view(which: str, number: int, mask: str) -> StoredView:
        return StoredView(
            picture=picture(f"input{number}.jpg"),
            warp=decode_warp(members, which, size, name),
            mask=picture(mask),
            clean=clean(f"clean{number}.png"),
            geometry=_decode_geometry(members, which, size, name) if "geometry.npz" in members else None,
        )

    return StoredArrays(
        reference=view("reference", 1, "mask.reference.png"),
        target=view("target", 2, "mask.png"),
        stitched=picture("stitched.png", canvas),
        clean_stitched=clean("clean_stitched.png", canvas),
        stitched_mask=picture("mask.stitched.png", canvas),
    )


def decode_warp(members: Mapping[str, bytes], which: str, size: tuple[int, int], name: str) -> Floats:
    """The warp (h, w, 2) of the target or the reference, of (width, height) px; the rest as for `decode`."""
    steps = _decode_npz(members, "warp.npz", {which: ArrayForm("iu", (*size[::-1], 2))}, name)[which]
    return np.cumsum(steps, axis=1, dtype=np.int32).astype(np.float32) / np.float32(STEPS_PER_PIXEL)


def _encode_warp(warp: Floats, index: int, name: str) -> NDArray[np.int32]:
    """Coordinates in 1/256 px as differences along the rows, which compress to less than half the size."""
    if not (np.abs(warp) <= MAX_COORDINATE).all():  # true for NaN too
        worst = "NaN" if np.isnan(warp).any() else f"{float(np.abs(warp).max()):g} px"
        raise JobError(f"sample {index}: the {name}'s warp holds {worst}; expected at most {MAX_COORDINATE} px, finite")
    steps = np.rint(warp * np.float32(STEPS_PER_PIXEL)).astype(np.int32)
    return np.asarray(np.diff(steps, axis=1, prepend=0), np.int32)


def _encode_image(extension: str, pixels: Pixels, settings: list[int]) -> bytes:
    _, encoded = cv2.imencode(extension, pixels, settings)
    return encoded.tobytes()


def encode_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """As np.savez_compressed, in a quarter of its time; without dates, so that the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def _to_arrays(geometry: Geometry) -> dict[str, NDArray[Any]]:
    return {
        "depth": geometry.depth.astype(np.float32),
        "normals": geometry.normals.astype(np.float16),  # within 0.03 degrees
        "surfaces": geometry.surfaces.astype(np.int32),
        "kinds": geometry.kinds,
        "edges": geometry.edges,
    }


def _decode_geometry(members: Mapping[str, bytes], which: str, size: tuple[int, int], name: str) -> Geometry:
    h_w = size[::-1]
    kinds = {"depth": "f", "normals": "f", "surfaces": "iu", "kinds": "iu", "edges": "iu"}
    forms = {f"{which}_{key}": ArrayForm(kind, (*h_w, 3) if key == "normals" else h_w) for key, kind in kinds.items()}
    arrays = _decode_npz(members, "geometry.npz", forms, name)
    parts = {key: arrays[f"{which}_{key}"] for key in kinds}
    return Geometry(**parts | {"normals": parts["normals"].astype(np.float32)})


def _member(members: Mapping[str, bytes], member: str, name: str) -> bytes:
    if member not in members:
        raise InputError(f"{name}: {member} is missing; make the sample again")
    return members[member]


def decode_image(members: Mapping[str, bytes], member: str, size: tuple[int, int], name: str) -> Pixels:
    """One picture (h, w, 3), or one mask (h, w), of (width, height) px; the rest as for `decode`."""
    contents = _member(members, member, name)
    expected = (*size[::-1],) if member.startswith("mask") else (*size[::-1], 3)
    try:
        found = parse_picture(contents, member).header.size
        pixels = decode_picture(contents, member) if found == size else None
    except InputError:
        raise InputError(f"{name}: {member} cannot be decoded; make the sample again") from None
    if pixels is None or pixels.shape != expected or pixels.dtype != np.uint8:
        shape = found[::-1] if pixels is None else pixels.shape
        raise InputError(f"{name}: {member} has shape {shape}, expected {expected} of bytes; make the sample again")
    return pixels


def _decode_npz(
    members: Mapping[str, bytes], member: str, forms: Mapping[str, ArrayForm], name: str
) -> dict[str, NDArray[Any]]:
    contents = _member(members, member, name)
    most = sum(8 * math.prod(form.shape) for form in forms.values())
    try:
        return read_arrays(io.BytesIO(contents), forms, most)
    except InputError as error:
        raise InputError(f"{name}: {member} cannot be decoded ({error}); make the sample again") from None
