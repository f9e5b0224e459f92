"""Checking a data set: presence, checksums and contents of every sample."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from datasets.arrays import Pixels
from datasets.sample import Visibility
from datasets.storage.description import Description, read_description
from datasets.storage.encoding import StoredArrays, StoredView, decode
from datasets.storage.folder import count_bytes_after_lines, meta_files, read_lines
from datasets.storage.paths import find_problem, folder_path, largest_member, read_file, shard_name
from datasets.storage.records import Record, check_size
from datasets.storage.shards import ShardSample, read_members, shard_indices, shard_numbers
from stitching.errors import InputError, printable

BORDER_TOLERANCE = 1.0  # px by which a warp may contradict its mask at the border of the other picture
_FEW = 20  # missing shards that get a line each


def verify(folder: Path) -> Iterator[str]:
    """Yield a line for each problem, with what to do about it; none where all is well.

    Checks presence, checksum and size of every file, codes of masks and their agreement with warps, that no index is
    missing, and that a meta file holds nothing but a line for each of its samples. The facts of a line are believed:
    its digest guards against damage, not against forgery. Nothing outside of the folder is read. Raises InputError
    where `folder` is no data set, or its description cannot be true.
    """
    description = read_description(folder)
    found: set[int] = set()
    for problem in (_check_shards if description.layout == "shards" else _check_folder)(folder, description, found):
        yield printable(problem)
    missing = [index for index in range(description.count) if index not in found]
    if missing:
        yield f"{len(missing)} of {description.count} samples are missing: {_format_ranges(missing)}; generate them"


def _check_folder(folder: Path, description: Description, found: set[int]) -> Iterator[str]:
    digests: dict[int, str] = {}
    for path in meta_files(folder):
        try:
            yield from _check_meta_file(path, description, digests, found)
        except InputError as error:
            yield str(error)
    for path in sorted(folder.glob("*/*")):
        name = path.name.partition(".")[0]
        if not name.isdecimal() or int(name) not in found:
            yield f"{path.relative_to(folder)}: belongs to no complete sample; generate that, or delete the file"


def _check_meta_file(path: Path, description: Description, digests: dict[int, str], found: set[int]) -> Iterator[str]:
    """Problems of a meta file and of the samples that it alone names; adds to `digests` and `found` what it holds."""
    here: set[int] = set()  # a line may stand once more in the file of another part
    for number, record in read_lines(path):
        if record is None:
            yield f"{path.name}, line {number}: damaged; generate again, it goes on from there"
        elif record.index >= description.count:
            yield f"{path.name}, line {number}: sample {record.index} of {description.count}; delete the line"
        elif digests.setdefault(record.index, record.digest) != record.digest:
            yield f"{path.name}, line {number}: differs from another line of sample {record.index}; delete one"
        elif record.index in here:
            yield f"{path.name}, line {number}: sample {record.index} is there twice; delete the line"
        else:
            here.add(record.index)
            if record.index not in found:
                found.add(record.index)
                yield from _check_files(path.parent, description, record)
    if surplus := count_bytes_after_lines(path):
        yield f"{path.name}: {surplus} bytes after its last complete line; generate again, which removes them"


def _check_files(folder: Path, description: Description, record: Record) -> Iterator[str]:
    """Problems of one sample in a folder."""
    again = f"make it again with --index-range {record.index} {record.index + 1}"
    most = largest_member(description.size)
    members, unread = {}, []
    for member in record.files:
        path = folder_path(record.name, member)
        if problem := find_problem(folder, path, most):
            unread.append(f"{member} {problem}")
        else:
            members[member] = read_file(folder, path, most)
    for problem in unread or _check_sample(record, description, members):
        yield f"sample {record.name}: {problem}; {again}"


def _check_shards(folder: Path, description: Description, found: set[int]) -> Iterator[str]:
    numbers = shard_numbers(folder)
    last = (description.count - 1) // (description.shard_size or 1)
    if missing := sorted(set(range(last + 1)) - set(numbers)):
        few = len(missing) <= _FEW
        yield from (f"{shard_name(number)}: missing; generate it" for number in missing if few)
        if not few:
            yield f"{len(missing)} of {last + 1} shards are missing: {_format_ranges(missing)}; generate them"
    for number in numbers:
        if number > last:
            yield f"{shard_name(number)}: beyond the {description.count} samples of the data set; delete it"
            continue
        expected = shard_indices(description, number)
        problems = list(_check_shard(folder / shard_name(number), description, expected, found))
        yield from problems
        count = sum(index in found for index in expected)
        if problems:
            yield f"{shard_name(number)}: {count} of its {len(expected)} samples are good; delete it and generate again"
        elif count < len(expected):
            yield f"{shard_name(number)}: holds {count} of its {len(expected)} samples; generate again, it goes on"


def _check_shard(path: Path, description: Description, expected: range, found: set[int]) -> Iterator[str]:
    """Problems of one shard; adds the indices of the samples that have none to `found`."""
    try:
        for sample in read_members(path, largest_member(description.size)):
            problems = list(_check_member_files(sample, description, expected, found))
            yield from (f"{path.name}, sample {ascii(sample.name)[1:-1][:20]}: {problem}" for problem in problems)
            if not problems:
                found.add(int(sample.name))
    except InputError as error:
        yield str(error)


def _check_member_files(
    sample: ShardSample, description: Description, expected: range, found: Collection[int]
) -> Iterator[str]:
    """Problems of one sample in a shard."""
    yield from sample.problems
    record = sample.record()
    if record is None:
        yield "json missing or damaged"
    elif record.index not in expected:
        yield f"belongs into another shard; this one holds {expected[0]} to {expected[-1]}"
    elif record.index in found:
        yield "is there twice"
    else:
        yield from _check_sample(record, description, sample.members)


def _check_sample(record: Record, description: Description, members: Mapping[str, bytes]) -> Iterator[str]:
    """Problems of one sample: its members against their checksums, then their contents."""
    damaged = False
    for member, digest in record.files.items():
        if member not in members:
            damaged = True
            yield f"{member} is missing"
        elif hashlib.sha256(members[member]).hexdigest() != digest:
            damaged = True
            yield f"{member} is damaged, its checksum differs"
    if damaged:
        return
    try:
        check_size(record, description.size)
        yield from _check_contents(record, decode(members, record.sizes, record.name))
    except InputError as error:
        yield str(error).removeprefix(f"{record.name}: ").removesuffix("; make the sample again")


def _check_contents(record: Record, arrays: StoredArrays) -> Iterator[str]:
    yield from _check_view("target", arrays.target)
    yield from _check_view("reference", arrays.reference)
    yield from _check_canvas(arrays.stitched_mask, record.origin, record.sizes["reference"])


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
