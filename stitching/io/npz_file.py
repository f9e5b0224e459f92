"""Reads arrays of an .npz file that may be damaged or made to harm: without pickle, without believing its sizes."""

import math
import warnings
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from stitching.errors import InputError

Arrays = dict[str, NDArray[Any]]

_CHUNK = 1 << 17  # bytes that are decompressed at a time; few enough to stay in the processor's cache
_MAX_DEFLATE_RATIO = 1032  # no deflated data grows more (zlib, "Technical Details")
_ENCRYPTED = 1  # bit of a member's flags
_KINDS = {"b": "bool", "iu": "integers", "f": "floats", "iuf": "numbers"}


@dataclass(frozen=True)
class ArrayForm:
    """What an array must be.

    Attributes:
        kinds: "b" bool, "iu" integers, "f" floats or "iuf" numbers: kinds as `numpy.dtype.kind` names them.
        shape: -1 = any length.
    """

    kinds: str
    shape: tuple[int, ...]

    def fits(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bool:
        """Whether an array of this dtype and shape has the form."""
        lengths = [want in (-1, got) for want, got in zip(self.shape, shape, strict=False)]
        return dtype.kind in self.kinds and len(shape) == len(self.shape) and all(lengths)

    def __str__(self) -> str:
        lengths = ", ".join("any" if length == -1 else str(length) for length in self.shape)
        return f"{_KINDS[self.kinds]} of shape ({lengths})" if self.shape else f"one of {_KINDS[self.kinds]}"


def read_arrays(
    source: Path | IO[bytes], forms: Mapping[str, ArrayForm], max_bytes: int, optional: Collection[str] = ()
) -> Arrays:
    """Read the named arrays and nothing else; nothing is allocated for one that does not have its form.

    Args:
        source: a regular file (see `files.check_readable`), or its contents as a binary stream.
        forms: name -> what the array must be.
        max_bytes: of all of them together, in memory.
        optional: names that may be missing.

    Returns:
        name -> array, as stored; without the optional ones that are missing.

    Raises:
        InputError: what is wrong, in words that follow the file's name and a colon.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            return _read_members(archive, forms, max_bytes, optional)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a damaged archive raises nearly anything, zlib.error and struct.error too
        raise InputError("it is damaged, or no npz file") from error


def _read_members(
    archive: zipfile.ZipFile, forms: Mapping[str, ArrayForm], max_bytes: int, optional: Collection[str]
) -> Arrays:
    held, arrays = set(archive.namelist()), {}
    for name, form in forms.items():
        if f"{name}.npy" in held:
            arrays[name] = _read_member(archive, name, form, max_bytes)
            max_bytes -= arrays[name].nbytes
        elif name not in optional:
            raise InputError(f"{name} is missing")
    return arrays


def _read_member(archive: zipfile.ZipFile, name: str, form: ArrayForm, max_bytes: int) -> NDArray[Any]:
    member = archive.getinfo(f"{name}.npy")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{name} is encrypted, or compressed in a way that numpy does not use")
    with archive.open(member) as file:
        shape, fortran_order, dtype = _read_header(file, name)
        if dtype.hasobject:
            raise InputError(f"{name} holds pickled objects")
        if not form.fits(dtype, shape):
            raise InputError(f"{name} is {dtype} {shape}, expected {form}")
        size = dtype.itemsize * math.prod(shape)
        if size > max_bytes:
            raise InputError(f"{name} takes {size} bytes, expected at most {max_bytes}")
        if file.tell() + size != member.file_size or size > _MAX_DEFLATE_RATIO * member.compress_size:
            raise InputError(f"{name} has another size than its header says; the file is damaged")
        contents = _read_exactly(file, size)
    array = contents.view(dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")  # (n,) -> shape


def _read_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype of an array, from its own header of at most 64 KiB."""
    try:
        if npy.read_magic(file) != (1, 0):  # numpy writes a later version only for structured arrays
            raise ValueError("another version of the npy format")
        with warnings.catch_warnings(action="ignore"):  # of headers written by Python 2
            shape, fortran_order, dtype = npy.read_array_header_1_0(file)
    except Exception as error:  # the header is a Python literal: parsing it raises nearly anything
        raise InputError(f"{name} is no array that numpy wrote, or it is damaged") from error
    if min(shape, default=0) < 0:
        raise InputError(f"{name} has the shape {shape}; the file is damaged")
    return shape, fortran_order, dtype


def _read_exactly(file: IO[bytes], size: int) -> NDArray[np.uint8]:
    """(size,): the rest of a member, whose checksum is tested at its end."""
    contents = np.empty(size, np.uint8)
    for start in range(0, size, _CHUNK):
        chunk = file.read(min(_CHUNK, size - start))
        if len(chunk) < min(_CHUNK, size - start):
            raise EOFError
        contents[start : start + len(chunk)] = np.frombuffer(chunk, np.uint8)
    return contents
