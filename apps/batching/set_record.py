"""What was done to a set, and the two files that hold it for all sets: lines of JSON, and a table."""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from apps.tables import write_csv
from stitching.errors import InputError, JobError
from stitching.io.files import atomic_write, check_readable

RECORDS, TABLE = "summary.jsonl", "summary.csv"
EXTENSIONS = "png", "jpg", "tif", "webp"  # of panoramas
Status = Literal["ok", "doubtful", "refused", "failed"]


@dataclass(frozen=True)
class SetRecord:
    """How a set ended.

    Attributes:
        name: of the set.
        status: "ok"; "doubtful": stitched, `warnings` say what may be wrong or is left out; "refused": the pictures
            cannot be used, or do not fit together; "failed": the work failed, disk or memory for example.
        pictures: how many were given.
        used: how many of them the panorama shows.
        seconds: wall-clock time.
        panorama, report: names of the files, empty without one.
        width, height: of the panorama, px.
        warnings: one line each.
        error: why there is no panorama, one line.
        digest: hash of the pictures and of all that decides the result; empty where a run may end in another way.
    """

    name: str
    status: Status
    pictures: int
    used: int = 0
    seconds: float = 0.0
    panorama: str = ""
    report: str = ""
    width: int = 0
    height: int = 0
    warnings: tuple[str, ...] = ()
    error: str = ""
    digest: str = ""

    def line(self) -> str:
        """As a line of JSON, without its end. Bytes of a name that are no UTF-8 are kept as escapes."""
        return json.dumps(asdict(self))

    def row(self) -> dict[str, object]:
        """As a row of the table."""
        return asdict(self) | {"warnings": "; ".join(self.warnings)}

    def is_there(self, folder: Path) -> bool:
        """Whether the files that it names are in the folder of results."""
        return all(path.is_file() for path in self.files(folder))

    def files(self, folder: Path) -> list[Path]:
        """The files that it names."""
        return [folder / name for name in (self.panorama, self.report) if name]

    def remove_files(self, folder: Path) -> None:
        """Remove the files that it names."""
        for path in self.files(folder):
            path.unlink(missing_ok=True)


def read_records(folder: Path) -> dict[str, SetRecord]:
    """What an earlier run left in `folder`, by the sets' names: the last line of each; {} where there was none.

    Lines that are cut short are left out.

    Raises:
        InputError: the folder holds something else than the results of a batch.
    """
    path = folder / RECORDS
    if not path.exists():
        if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise InputError(f"{folder}: holds files, but no {RECORDS} of a batch; expected a new folder")
        return {}
    check_readable(path, "the records of an earlier batch")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [record for record in map(_parsed, lines) if record]
    if lines and not found:
        raise InputError(f"{path}: holds no records of a batch; expected another folder for the results")
    return {record.name: record for record in found}


def _parsed(line: str) -> SetRecord | None:
    """A record, or None where a line is none."""
    try:
        found = json.loads(line)
        record = SetRecord(
            name=str(found["name"]),
            status=found["status"],
            pictures=int(found["pictures"]),
            used=int(found["used"]),
            seconds=float(found["seconds"]),
            panorama=str(found["panorama"]),
            report=str(found["report"]),
            width=int(found["width"]),
            height=int(found["height"]),
            warnings=tuple(map(str, found["warnings"])),
            error=str(found["error"]),
            digest=str(found["digest"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    panoramas = "", *(f"{record.name}.{extension}" for extension in EXTENSIONS)
    names = record.panorama in panoramas and record.report in ("", f"{record.name}.html")  # files that may be removed
    return record if names and record.status in get_args(Status) else None


class RecordFiles:
    """Writes records as they come, so that an interrupted run loses none; in the end both files are in order."""

    def __init__(self, folder: Path, earlier: Iterable[SetRecord]) -> None:
        """Begin both files with the records of earlier runs. Raises JobError where they cannot be written."""
        self._folder = folder
        self.write_all(earlier)

    def add(self, record: SetRecord) -> None:
        """Append a record to both files. Raises JobError where that fails."""
        try:
            with (self._folder / RECORDS).open("a", encoding="utf-8") as lines:
                lines.write(f"{record.line()}\n")
            with (self._folder / TABLE).open("a", encoding="utf-8", errors="backslashreplace", newline="") as table:
                writer = csv.DictWriter(table, list(record.row()))
                if not table.tell():
                    writer.writeheader()
                writer.writerow(record.row())
        except OSError as error:
            raise JobError(f"cannot write to {self._folder}: {error.strerror or error}") from error

    def write_all(self, records: Iterable[SetRecord]) -> None:
        """Put these records into both files, in place of all others. Raises JobError where that fails."""
        kept = list(records)
        with atomic_write(self._folder / RECORDS) as temporary:
            temporary.write_text("".join(f"{record.line()}\n" for record in kept), encoding="utf-8")
        if kept:
            write_csv(self._folder / TABLE, [record.row() for record in kept])
        else:
            (self._folder / TABLE).unlink(missing_ok=True)
