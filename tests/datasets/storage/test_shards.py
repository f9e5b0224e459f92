"""WebDataset shards: the `webdataset` package reads them, a cut one gives what is left of it."""

import gc
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_renderer import contents, open_fake

from datasets.options import SampleOptions
from datasets.storage.description import describe, write_description
from datasets.storage.paths import shard_path
from datasets.storage.reading import read_records, read_samples
from datasets.storage.samples import EncodedSample, encode_sample
from datasets.storage.shards import ShardWriter
from stitching.errors import InputError

OPTIONS = SampleOptions(size=(96, 64))
COUNT, SIZE = 7, 3


def write(folder: Path, indices: range = range(COUNT), most: int = COUNT) -> list[int]:
    """Write what is missing, at most so many samples; returns their indices."""
    renderer = open_fake(OPTIONS, 0)
    write_description(folder, describe(OPTIONS, COUNT, 0, SIZE))
    written = []
    with ShardWriter(folder, indices, SIZE) as writer:
        for index in [index for part in writer.todo for index in part][:most]:
            writer.write(encode_sample(renderer(index), OPTIONS, shard_path))
            written.append(index)
    return written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_them(folder: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    paths = [str(path) for path in sorted(folder.glob("*.tar"))]
    assert [Path(path).name for path in paths] == ["shard-000000.tar", "shard-000001.tar", "shard-000002.tar"]
    samples = list(webdataset.WebDataset(paths, shardshuffle=False).decode())
    gc.collect()  # webdataset leaves the last shard open
    assert [sample["__key__"] for sample in samples] == [f"{index:06d}" for index in range(COUNT)]
    for index, sample in enumerate(samples):
        known = open_fake(OPTIONS, 0)(index)
        assert sample["json"]["index"] == index
        assert sample["json"]["facts"] == known.facts
        assert np.abs(np.cumsum(sample["warp.npz"]["target"], axis=1) / 256 - known.target.warp).max() <= 1 / 512
        picture = cv2.imdecode(np.frombuffer(sample["input2.jpg"], np.uint8), cv2.IMREAD_COLOR)
        assert cv2.absdiff(picture, known.target.picture).mean() < 2


def test_shards_are_read_back(folder: Path) -> None:
    assert [record.index for record in read_records(folder)] == list(range(COUNT))
    (sample,) = read_samples(folder, {4})
    known = open_fake(OPTIONS, 0)(4)
    assert sample.record.facts == known.facts
    assert (sample.arrays.target.mask == known.target.mask).all()
    assert (sample.arrays.stitched == known.stitched).all()


def test_an_interrupted_run_continues_with_the_first_incomplete_shard(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert write(other, most=5) == [0, 1, 2, 3, 4]
    assert set(contents(other)) == {"dataset.json", "shard-000000.tar"}
    (other / ".shard-000001.tar.part").write_bytes(b"what a killed run leaves" * 1000)
    assert write(other) == [3, 4, 5, 6]
    assert write(other) == []
    assert contents(other) == {name: data for name, data in contents(folder).items() if "/" not in name}


def test_parts_add_up_to_the_data_set(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, range(6, 7))
    write(other, range(0, 6))
    assert contents(other) == {name: data for name, data in contents(folder).items() if "/" not in name}


def test_no_dates_and_owners(folder: Path) -> None:
    with tarfile.open(folder / "shard-000000.tar") as archive:
        assert {(member.mtime, member.uid, member.gid, member.uname) for member in archive} == {(0, 0, 0, "")}


def test_two_writers_of_one_shard_are_refused(tmp_path: Path) -> None:
    sample = EncodedSample(0, {}, b"{}\n")
    with ShardWriter(tmp_path, range(3), SIZE) as one, ShardWriter(tmp_path, range(3), SIZE) as two:
        one.write(sample)
        with pytest.raises(InputError, match="another process"):
            two.write(sample)


def test_cut_shard_gives_what_is_left_and_says_so(folder: Path) -> None:
    path = folder / "shard-000000.tar"
    with tarfile.open(path) as archive:
        middle = archive.getmember("000002.stitched.png").offset_data + 10
    path.write_bytes(path.read_bytes()[:middle])
    samples = read_samples(folder)
    assert [next(samples).record.index, next(samples).record.index] == [0, 1]
    with pytest.raises(InputError, match=r"sample 000002: json missing"):
        next(samples)


def test_samples_after_a_damaged_header_are_found(folder: Path) -> None:
    path = folder / "shard-000000.tar"
    with tarfile.open(path) as archive:
        place = archive.getmember("000001.input1.jpg").offset
    data = bytearray(path.read_bytes())
    data[place : place + 512] = b"\xff" * 512
    path.write_bytes(data)
    samples = read_samples(folder)
    assert next(samples).record.index == 0
    with pytest.raises(InputError, match=r"sample 000001: input1\.jpg"):
        next(samples)


@pytest.mark.parametrize("content", [b"", b"no tar file" * 100])
def test_other_files_are_refused(folder: Path, content: bytes) -> None:
    (folder / "shard-000001.tar").write_bytes(content)
    with pytest.raises(InputError, match=r"shard-000001\.tar"):
        read_records(folder)
