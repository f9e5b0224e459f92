"""Stitching one set of pictures, in whatever process: always a record, whatever goes wrong."""

import errno
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import cv2

from apps.batching.picture_sets import PictureSet
from apps.batching.set_record import SetRecord
from apps.command.freed_memory import keep_freed_memory
from apps.stitching_command.many import stitch_set
from apps.stitching_command.outputs import Outputs
from apps.stitching_command.pair import is_pair, stitch_pair
from datasets.digests import digest, file_digest
from datasets.engines import job_error
from stitching.errors import InputError, JobError, is_out_of_memory
from stitching.input_files import expand_inputs
from stitching.io.file_conflicts import named_weights
from stitching.io.files import check_readable
from stitching.io.picture_writer import check_output
from stitching.mosaic.summary import MosaicSummary
from stitching.options import Options
from stitching.summary import Summary

_DISK_FULL = errno.ENOSPC, errno.EDQUOT


@dataclass(frozen=True)
class SetTask:
    """Stitches a set and writes its files into a folder; the task of every process of a batch.

    Attributes:
        output: absolute path of the folder, which is there.
        extension: of panoramas, without the dot.
        report: write a page for each set, too.
        options: of the stitch.
        earlier: records of the sets that an earlier run ended, by name.
    """

    output: Path
    extension: str
    report: bool
    options: Options
    earlier: dict[str, SetRecord]

    def __call__(self, pictures: PictureSet) -> SetRecord:
        """What was done; the earlier record where the same would be done again.

        Raises:
            JobError: the disk is full, so that all other sets would fail, too.
        """
        before = self.earlier.get(pictures.name)
        record = SetRecord(pictures.name, "failed", 0)
        start = time.perf_counter()
        try:
            inputs = expand_inputs(pictures.inputs)
            record = replace(record, pictures=len(inputs))
            record = replace(record, digest=self._digest(inputs))
            if before and before.digest == record.digest and before.is_there(self.output):
                return before
            if before:  # else, after an interruption, its panorama might be another one than the record says
                before.remove_files(self.output)
            record = self._stitched(record, inputs)
        except Exception as error:
            if _is_disk_full(error):
                raise
            record = _ended_by(error, record)
        return replace(record, seconds=round(time.perf_counter() - start, 3))

    def files_of(self, name: str) -> list[Path]:
        """The files that are written for a set: the panorama, and the page if it was asked for."""
        names = [f"{name}.{self.extension}"] + ([f"{name}.html"] if self.report else [])
        return [self.output / one for one in names]

    def _digest(self, inputs: Sequence[Path]) -> str:
        """A hash of all that decides the result. Raises InputError where a picture cannot be read."""
        for path in inputs:
            check_readable(path, "a picture")
        weights = named_weights("--warp", self.options.warp) + named_weights("--blend", self.options.blend)
        files = (*inputs, *(Path(path) for _, path in weights))
        what = version("parastitch"), self.extension, str(self.report), repr(self.options)
        return digest(*what, *map(file_digest, files))

    def _stitched(self, record: SetRecord, inputs: Sequence[Path]) -> SetRecord:
        """Stitch and write; returns the record of that."""
        keep_freed_memory()
        cv2.setNumThreads(1)
        panorama, *pages = self.files_of(record.name)
        check_output(panorama)
        outputs = Outputs(report=pages[0] if pages else None, quiet=True)
        if is_pair(inputs, self.options, outputs):
            reference, target = inputs
            pair = stitch_pair(reference, target, panorama, self.options, outputs).summary
            done: Summary | MosaicSummary = pair
            used, doubtful = 2, pair.verdict != "right"
        else:
            done = many = stitch_set(inputs, panorama, self.options, outputs, reference=None, strict=False)
            used, doubtful = len(many.pictures), bool(many.warnings)
        return replace(
            record,
            status="doubtful" if doubtful else "ok",
            used=used,
            panorama=panorama.name,
            report=pages[0].name if pages else "",
            width=done.panorama_size[0],
            height=done.panorama_size[1],
            warnings=tuple(done.warnings),
        )


def _ended_by(error: Exception, record: SetRecord) -> SetRecord:
    """The record of a set that an error ended. Without its digest it is done again by the next run."""
    if isinstance(error, InputError) and not is_out_of_memory(error):
        return replace(record, status="refused", error=str(error))
    known = isinstance(error, JobError) and not is_out_of_memory(error)
    return replace(record, digest="", error=str(error) if known else str(job_error("the panorama", error)))


def _is_disk_full(error: BaseException | None) -> bool:
    return error is not None and (getattr(error, "errno", None) in _DISK_FULL or _is_disk_full(error.__cause__))
