"""Samples of a data set in any order: only the lines of those that are asked for are parsed."""

from pathlib import Path

from datasets.pair_batch import PairArrays
from datasets.storage.description import read_description
from datasets.storage.encoding import decode_image, decode_warp
from datasets.storage.folder import meta_files, read_files, read_sample
from datasets.storage.paths import MAX_LINE, bounded_lines, open_file
from datasets.storage.records import Record, check_size, read_line
from datasets.storage.samples import StoredSample
from stitching.errors import InputError

_BEFORE_INDEX = b'{"index":'  # every line begins with it


class SampleLookup:
    """Finds the samples of a folder by their index. Samples that are written later are not seen.

    Attributes:
        indices: of all samples, in order.
    """

    def __init__(self, folder: Path) -> None:
        """Raises InputError where `folder` is no data set in the folder layout, or holds no sample."""
        description = read_description(folder)
        if description.layout != "folder":
            raise InputError(f"{folder} holds shards, which cannot be read in any order; expected a folder")
        self._folder, self._size = folder, description.size
        self._places: dict[int, tuple[Path, int]] = {}  # the file of a line, and where it begins
        for path in meta_files(folder):
            self._places |= _find_lines(path)
        self.indices = sorted(self._places)
        if not self.indices:
            raise InputError(f"{folder} holds no sample; expected a data set that `parastitch generate` wrote")

    def __getitem__(self, index: int) -> StoredSample:
        """Read one sample. Raises InputError where it is damaged, KeyError where it is not there."""
        return read_sample(self._folder, self._record(index))

    def pair(self, index: int) -> PairArrays:
        """Read what training needs of a sample: half of the time. Clean pictures where they are stored.

        Raises InputError where the sample is damaged or of another size than its line says, or has no fundamental
        matrix; KeyError where it is not there.
        """
        record = self._record(index)
        members, name = read_files(self._folder, record), f"{self._folder}, sample {record.name}"
        size, canvas = record.sizes["target"], record.sizes["stitched"]
        first, second, stitched = (
            ("clean1.png", "clean2.png", "clean_stitched.png")
            if "clean_stitched.png" in members
            else ("input1.jpg", "input2.jpg", "stitched.png")
        )
        return PairArrays(
            index=record.index,
            pictures=(decode_image(members, first, size, name), decode_image(members, second, size, name)),
            warp=decode_warp(members, "target", size, name),
            mask=decode_image(members, "mask.png", size, name),
            stitched=decode_image(members, stitched, canvas, name),
            origin=record.origin,
            fundamental=record.fundamental,
            segments=record.segments,
        )

    def _record(self, index: int) -> Record:
        path, offset = self._places[index]
        with open_file(path.parent, path.name) as file:
            file.seek(offset)
            try:
                record = read_line(file.readline(MAX_LINE))
            except ValueError as error:
                advice = f"see parastitch generate --verify {self._folder}"
                raise InputError(f"{path}, line of sample {index}: damaged ({error}); {advice}") from error
        check_size(record, self._size)
        return record


def _find_lines(path: Path) -> dict[int, tuple[Path, int]]:
    """Index -> place of the complete lines of a meta file."""
    places, offset = {}, 0
    with open_file(path.parent, path.name) as file:
        for line in bounded_lines(file):
            number = line[len(_BEFORE_INDEX) :].split(b",", 1)[0] if line.startswith(_BEFORE_INDEX) else b""
            if line.endswith(b"\n") and number.isdigit() and len(number) < 7:
                places[int(number)] = path, offset
            offset = file.tell()
    return places
