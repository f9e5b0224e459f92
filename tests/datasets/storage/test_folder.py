"""Data sets as folders: written, interrupted, continued, read."""

from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from fake_renderer import contents, open_fake

from datasets.options import SampleOptions
from datasets.sample import Sample
from datasets.storage.description import describe, write_description
from datasets.storage.folder import FolderWriter
from datasets.storage.paths import folder_path
from datasets.storage.reading import read_records, read_samples
from datasets.storage.samples import encode_sample
from stitching.errors import InputError


def write(folder: Path, indices: range, count: int, *, part: bool = False) -> None:
    """The samples that `indices` still lacks, `count` of them."""
    options = SampleOptions(size=(96, 64))
    renderer = open_fake(options, 0)
    write_description(folder, describe(options, 5, 0, None))
    with FolderWriter(folder, indices, part) as writer:
        (todo,) = writer.todo
        for index in todo[:count]:
            writer.write(encode_sample(renderer(index), options, folder_path))


def test_folder_is_read_as_udis_d_is(tmp_path: Path) -> None:
    write(tmp_path, range(3), 3)
    ones, twos = (sorted(tmp_path.glob(f"input{number}/*.jpg")) for number in (1, 2))
    assert [path.name for path in ones] == [path.name for path in twos] == ["000000.jpg", "000001.jpg", "000002.jpg"]
    for index, sample in enumerate(read_samples(tmp_path)):
        known: Sample = open_fake(SampleOptions(size=(96, 64)), 0)(index)
        assert cv2.absdiff(cv2.imread(str(ones[index])), known.reference.picture).mean() < 2
        assert cv2.absdiff(cv2.imread(str(twos[index])), known.target.picture).mean() < 2
        assert (sample.record.index, sample.record.facts) == (index, known.facts)
        assert (sample.arrays.stitched == known.stitched).all()


@pytest.mark.parametrize("kept", [0, 1, 5, 1000, -2, -1])
def test_an_incomplete_line_is_written_again(tmp_path: Path, kept: int) -> None:
    write(tmp_path / "whole", range(4), 4)
    write(tmp_path / "torn", range(4), 2)
    meta = tmp_path / "torn" / "meta.jsonl"
    lines = meta.read_bytes().splitlines(keepends=True)
    meta.write_bytes(lines[0] + lines[1][:kept])
    assert [record.index for record in read_records(tmp_path / "torn")][:1] == [0]
    write(tmp_path / "torn", range(4), 4)
    assert contents(tmp_path / "torn") == contents(tmp_path / "whole")


def test_what_a_kill_leaves_behind_is_gone_after_the_next_run(tmp_path: Path) -> None:
    write(tmp_path / "whole", range(4), 4)
    write(tmp_path / "killed", range(4), 2)
    (tmp_path / "killed" / "warp" / ".000002.npz.part").write_bytes(b"half")
    (tmp_path / "killed" / "input1" / "000002.jpg").write_bytes(b"of a sample without a line")
    write(tmp_path / "killed", range(4), 4)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_parts_are_read_as_one(tmp_path: Path) -> None:
    write(tmp_path, range(3, 5), 2, part=True)
    write(tmp_path, range(0, 4), 4, part=True)  # sample 3 twice, the same
    assert [record.index for record in read_records(tmp_path)] == [0, 1, 2, 3, 4]
    assert [sample.record.index for sample in read_samples(tmp_path, {1, 4})] == [1, 4]
    options = SampleOptions(size=(96, 64))
    sample = replace(open_fake(options, 0)(3), facts={"other": 1})
    (tmp_path / "meta-000003-000004.jsonl").write_bytes(encode_sample(sample, options, folder_path).line)
    with pytest.raises(InputError, match="differs from another line of sample 3"):
        read_records(tmp_path)


def test_two_writers_of_one_part_are_refused(tmp_path: Path) -> None:
    with (
        FolderWriter(tmp_path, range(4), part=False),
        pytest.raises(InputError, match="another process"),
        FolderWriter(tmp_path, range(4), part=False),
    ):
        pass


def test_writer_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    with FolderWriter(tmp_path / "new", range(4), part=False):
        pass
    assert not (tmp_path / "new").exists()
