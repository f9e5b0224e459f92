"""Checking a data set: presence, checksums and contents of every sample."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from datasets.arrays import Pixels
from datasets.sample import Visibility
from datasets.storage.encoding import StoredArrays, StoredView, decode
from datasets.storage.folder import folder_member, meta_files, read_files, read_lines
from datasets.storage.records import Description, Record, read_description, read_line
from datasets.storage.shards import read_members, shard_name
from stitching.errors import InputError

BORDER_TOLERANCE = 1.0  # px by which a warp may contradict its mask at the border of the other picture


def verify(folder: Path) -> Iterator[str]:
    """Yield a line for each problem, with what to do about it; none where all is well.

    Checks presence, checksum and size of every file, codes of masks and their agreement with warps, and that no index
    is missing. Raises InputError where `folder` is no data set.
    """
    description = read_description(folder)
    found: set[int] = set()
    yield from (_check_shards if description.layout == "shards" else _check_folder)(folder, description, found)
    missing = [index for index in range(description.count) if index not in found]
    if missing:
        yield f"{len(missing)} of {description.count} samples are missing: {_format_ranges(missing)}; generate them"


def _check_folder(folder: Path, description: Description, found: set[int]) -> Iterator[str]:
    digests: dict[int, str] = {}
    for path in meta_files(folder):
        for number, record in read_lines(path):
            if record is None:
                yield f"{path.name}, line {number}: damaged; generate again, it goes on from there"
            elif digests.setdefault(record.index, record.digest) != record.digest:
                yield f"{path.name}, line {number}: differs from another line of sample {record.index}; delete one"
            elif record.index not in found:
                found.add(record.index)
                members = {folder_member(name, record.name): digest for name, digest in record.files.items()}
                again = f"make it again with --index-range {record.index} {record.index + 1}"
                for problem in _check_sample(record, members, read_files(folder, record)):
                    yield f"sample {record.name}: {problem}; {again}"
    for path in sorted(folder.glob("*/*")):
        name = path.name.partition(".")[0]
        if not name.isdecimal() or int(name) not in found:
            yield f"{path.relative_to(folder)}: belongs to no complete sample; generate that, or delete the file"


def _check_shards(folder: Path, description: Description, found: set[int]) -> Iterator[str]:
    size = description.shard_size or 1
    for number, start in enumerate(range(0, description.count, size)):
        path = folder / shard_name(number)
        if not path.exists():
            yield f"{path.name}: missing; generate it"
            continue
        problems = list(_check_shard(path, found))
        yield from problems
        expected = range(start, min(start + size, description.count))
        count = sum(index in found for index in expected)
        if problems or count < len(expected):
            yield f"{path.name}: {count} of its {len(expected)} samples are good; delete it and generate it again"


def _check_shard(path: Path, found: set[int]) -> Iterator[str]:
    """Problems of one shard; adds the indices of the samples that have none to `found`."""
    try:
        for name, members in read_members(path):
            try:
                record = read_line(members.pop("json"))
            except (ValueError, KeyError, TypeError, IndexError):
                yield f"{path.name}, sample {name}: json missing or damaged"
                continue
            digests = {file.removeprefix(f"{name}."): digest for file, digest in record.files.items()}
            problems = list(_check_sample(record, digests, members))
            yield from (f"{path.name}, sample {name}: {problem}" for problem in problems)
            if not problems:
                found.add(record.index)
    except InputError as error:
        yield str(error)


def _check_sample(record: Record, digests: Mapping[str, str], members: Mapping[str, bytes]) -> Iterator[str]:
    """Problems of one sample: its members against `digests` (member -> sha256), then their contents."""
    damaged = False
    for member, digest in digests.items():
        if member not in members:
            damaged = True
            yield f"{member} is missing"
        elif hashlib.sha256(members[member]).hexdigest() != digest:
            damaged = True
            yield f"{member} is damaged, its checksum differs"
    if damaged:
        return
    try:
        arrays = decode(members, record.name)
    except InputError as error:
        yield str(error)
        return
    yield from _check_sizes(record, arrays)


def _check_sizes(record: Record, arrays: StoredArrays) -> Iterator[str]:
    wrong = False
    (w, h), (_, rows) = record.sizes["reference"], record.sizes["stitched"]
    shapes = {
        "stitched": (arrays.stitched.shape, (rows, record.sizes["stitched"][0], 3)),
        "mask.stitched": (arrays.stitched_mask.shape, (rows, record.sizes["stitched"][0])),
    }
    for name, view in (("reference", arrays.reference), ("target", arrays.target)):
        shapes |= {
            f"{name} picture": (view.picture.shape, (h, w, 3)),
            f"{name} warp": (view.warp.shape, (h, w, 2)),
            f"{name} mask": (view.mask.shape, (h, w)),
        }
    for name, (shape, expected) in shapes.items():
        if shape != expected:
            wrong = True
            yield f"{name} has shape {shape}, expected {expected}"
    if wrong:
        return
    yield from _check_view("target", arrays.target)
    yield from _check_view("reference", arrays.reference)
    yield from _check_canvas(arrays.stitched_mask, record.origin, (w, h))


def _check_view(name: str, view: StoredView) -> Iterator[str]:
    """Mask codes are known, warps are finite, and both agree."""
    if not np.isin(view.mask, list(Visibility)).all():
        yield f"{name} mask holds other values than {', '.join(str(int(code)) for code in Visibility)}"
    if not np.isfinite(view.warp).all():
        yield f"{name} warp is not finite"
        return
    h, w = view.mask.shape
    x, y = view.warp[..., 0], view.warp[..., 1]
    beyond = np.maximum(np.maximum(-0.5 - x, x - (w - 0.5)), np.maximum(-0.5 - y, y - (h - 0.5)))
    inside = (view.mask == Visibility.VISIBLE) | (view.mask == Visibility.OCCLUDED)
    wrong = (inside & (beyond > BORDER_TOLERANCE)) | ((view.mask == Visibility.OUTSIDE) & (beyond < -BORDER_TOLERANCE))
    if wrong.any():
        yield f"{name} warp contradicts its mask at {np.count_nonzero(wrong)} pixels"


def _check_canvas(mask: Pixels, origin: tuple[int, int], size: tuple[int, int]) -> Iterator[str]:
    """Bit 1 of the canvas mask is the rectangle of the reference; only bits 1 and 2 are set."""
    left, top = -origin[0], -origin[1]
    expected = np.zeros_like(mask)
    expected[max(top, 0) : max(top + size[1], 0), max(left, 0) : max(left + size[0], 0)] = 1
    inside_canvas = np.count_nonzero(expected) == size[0] * size[1]
    if not inside_canvas or not np.array_equal(mask & 1, expected) or mask.max() > 3:
        yield "mask.stitched does not show the reference where `origin` says"


def _format_ranges(indices: list[int], max_ranges: int = 20) -> str:
    """Sorted indices as `0-5, 7, 9-12`; "..." after `max_ranges` ranges."""
    breaks = [0, *(i for i, (a, b) in enumerate(pairwise(indices), start=1) if b != a + 1), len(indices)]
    ranges = [(indices[start], indices[end - 1]) for start, end in pairwise(breaks)]
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:max_ranges]]
    return ", ".join(texts + ["..."] * (len(ranges) > max_ranges))
