"""Records of sets and the files that hold them."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from apps.batching.set_record import RECORDS, TABLE, RecordFiles, SetRecord, read_records
from stitching.errors import InputError

RECORD = SetRecord(
    name="a\udcff",
    status="doubtful",
    pictures=5,
    used=4,
    seconds=1.5,
    panorama="a\udcff.png",
    report="a\udcff.html",
    width=640,
    height=480,
    warnings=('a "b", c', "d"),
    digest="0123",
)
FAILED = SetRecord("b", "failed", 2, error="its process ended")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_records_are_kept_as_they_come(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path, [])
    files.add(FAILED)
    files.add(RECORD)
    assert read_records(tmp_path) == {"b": FAILED, "a\udcff": RECORD}
    first, second = table(tmp_path)
    assert (first["name"], first["error"], first["width"]) == ("b", "its process ended", "0")
    assert (second["warnings"], second["used"]) == ('a "b", c; d', "4")
    files.add(again := replace(FAILED, status="ok", error=""))
    assert read_records(tmp_path)["b"] == again
    files.write_all([RECORD, again])
    assert list(read_records(tmp_path).values()) == [RECORD, again]
    assert [row["status"] for row in table(tmp_path)] == ["doubtful", "ok"]


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    (tmp_path / RECORDS).write_text(f"{RECORD.line()}\n{FAILED.line()[:30]}")
    assert read_records(tmp_path) == {RECORD.name: RECORD}


@pytest.mark.parametrize(
    "changes",
    [
        {"panorama": "../a.png"},
        {"panorama": "photo.png"},
        {"report": "index.html"},
        {"status": "fine"},
        {"used": float("inf")},
        {"warnings": 5},
    ],
)
def test_records_that_we_do_not_write_are_not_believed(tmp_path: Path, changes: dict[str, object]) -> None:
    (tmp_path / RECORDS).write_text(f"{FAILED.line()}\n{_changed(changes)}\n")
    assert read_records(tmp_path) == {"b": FAILED}


def _changed(changes: dict[str, object]) -> str:
    import json

    return json.dumps(json.loads(RECORD.line()) | changes)


def test_folders_of_something_else_are_refused(tmp_path: Path) -> None:
    assert read_records(tmp_path / "new") == {}
    assert read_records(tmp_path) == {}
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InputError, match=r"holds files, but no summary\.jsonl of a batch; expected a new folder"):
        read_records(tmp_path)
    (tmp_path / RECORDS).write_text('{"name": "somebody"}\n')
    with pytest.raises(InputError, match=r"holds no records of a batch"):
        read_records(tmp_path)
