"""Samples as files and back, and the folder that holds them."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_renderer import contents, open_fake

from datasets.options import SampleOptions
from datasets.sample import Sample
from datasets.storage.encoding import decode, encode
from datasets.storage.folder import FolderWriter, folder_path
from datasets.storage.reading import read_records, read_samples
from datasets.storage.records import check_agreement, describe, read_line, write_description, write_line
from datasets.storage.samples import EncodedSample
from stitching.errors import InputError, JobError

OPTIONS = SampleOptions(size=(96, 64), keep_clean=True, geometry=True)
SAMPLE = open_fake(OPTIONS, 0)(7)


def write(folder: Path, indices: range, count: int, *, part: bool = False) -> None:
    """The samples that `indices` still lacks, `count` of them."""
    options = SampleOptions(size=(96, 64))
    renderer = open_fake(options, 0)
    write_description(folder, describe(options, 5, 0, None))
    with FolderWriter(folder, indices, part) as writer:
        (todo,) = writer.todo
        for index in todo[:count]:
            sample = renderer(index)
            files = {folder_path(f"{index:06d}", member): data for member, data in encode(sample, options).items()}
            writer.write(EncodedSample(index, files, write_line(sample, files)))


def test_arrays_come_back() -> None:
    read = decode(encode(SAMPLE, OPTIONS), "sample")
    for view, known in ((read.target, SAMPLE.target), (read.reference, SAMPLE.reference)):
        assert np.abs(view.warp - known.warp).max() <= 1 / 512
        assert view.warp.dtype == np.float32
        assert (view.mask == known.mask).all()
        assert view.clean is not None
        assert (view.clean == known.clean).all()
        assert cv2.absdiff(view.picture, known.picture).mean() < 2
        assert view.geometry is not None
        assert (view.geometry.depth == known.geometry.depth).all()
        assert (view.geometry.surfaces == known.geometry.surfaces).all()
        assert (view.geometry.kinds == known.geometry.kinds).all()
        assert (view.geometry.edges == known.geometry.edges).all()
        assert view.geometry.normals == pytest.approx(known.geometry.normals, abs=5e-4)
    assert (read.stitched == SAMPLE.stitched).all()
    assert (read.stitched_mask == SAMPLE.stitched_mask).all()
    assert read.clean_stitched is not None


def test_infinite_depth_is_kept() -> None:
    geometry = replace(SAMPLE.target.geometry, depth=np.full((64, 96), np.inf, np.float32))
    sample = replace(SAMPLE, target=replace(SAMPLE.target, geometry=geometry))
    read = decode(encode(sample, OPTIONS), "sample").target.geometry
    assert read is not None
    assert np.isposinf(read.depth).all()


def test_what_was_not_asked_for_is_not_stored() -> None:
    members = encode(SAMPLE, replace(OPTIONS, keep_clean=False, geometry=False))
    assert not [member for member in members if member.startswith(("clean", "geometry"))]
    read = decode(members, "sample")
    assert read.target.geometry is None
    assert read.clean_stitched is None


def test_one_sample_has_one_encoding() -> None:
    assert encode(SAMPLE, OPTIONS) == encode(open_fake(OPTIONS, 0)(7), OPTIONS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 32769])
def test_warp_out_of_range_names_the_sample(value: float) -> None:
    warp = SAMPLE.reference.warp.copy()
    warp[3, 5, 1] = value
    with pytest.raises(JobError, match="sample 7: the reference's warp"):
        encode(replace(SAMPLE, reference=replace(SAMPLE.reference, warp=warp)), OPTIONS)


def test_farthest_places_are_exact() -> None:
    warp = np.full_like(SAMPLE.target.warp, 32768 - 1 / 256)
    sample = replace(SAMPLE, target=replace(SAMPLE.target, warp=warp))
    assert (decode(encode(sample, OPTIONS), "sample").target.warp == warp).all()


@pytest.mark.parametrize("member", ["input1.jpg", "mask.png", "warp.npz", "geometry.npz"])
def test_damaged_and_missing_files_are_named(member: str) -> None:
    members = encode(SAMPLE, OPTIONS)
    with pytest.raises(InputError, match=member):
        decode(members | {member: members[member][:20]}, "sample")
    if member != "geometry.npz":
        with pytest.raises(InputError, match=member):
            decode({key: data for key, data in members.items() if key != member}, "sample")


def test_line_holds_what_is_true_of_the_sample() -> None:
    line = write_line(SAMPLE, {"a": b"contents"})
    record = read_line(line)
    assert (record.index, record.name, record.origin, record.facts) == (7, "000007", SAMPLE.origin, SAMPLE.facts)
    assert record.sizes == {"reference": (96, 64), "target": (96, 64), "stitched": SAMPLE.stitched.shape[1::-1]}
    assert record.segments == pytest.approx(SAMPLE.segments, abs=1 / 512)
    assert record.segments_visible.shape == (2, 2)
    assert json.loads(line)["files"] == {"a": "d1b2a59fbea7e20077af9f91b27e95e865061b270be03ff539ab3b73587882e8"}


def test_sample_without_segments() -> None:
    sample = replace(SAMPLE, segments=np.zeros((0, 2, 2, 2), np.float32), segments_visible=np.zeros((0, 2), np.float32))
    assert read_line(write_line(sample, {})).segments.shape == (0, 2, 2, 2)


def test_changed_line_is_noticed() -> None:
    line = write_line(SAMPLE, {})
    for place in range(0, len(line) - 1, 37):
        with pytest.raises(ValueError, match=r"digest differs|codec"):
            read_line(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :])


@pytest.mark.parametrize("bad", [float("nan"), np.float32(1), object()])
def test_facts_that_are_not_json_name_the_sample(bad: object) -> None:
    with pytest.raises(JobError, match="sample 7: its facts"):
        write_line(replace(SAMPLE, facts={"fov": bad}), {})


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
def test_torn_line_is_written_again(tmp_path: Path, kept: int) -> None:
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
    sample = replace(open_fake(SampleOptions(size=(96, 64)), 0)(3), facts={"other": 1})
    (tmp_path / "meta-000003-000004.jsonl").write_bytes(write_line(sample, {}))
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


@pytest.mark.parametrize(
    ("options", "count", "seed", "shard_size", "named"),
    [
        (SampleOptions(fov=(50, 60)), 5, 0, None, "fov"),
        (SampleOptions(), 6, 0, None, "count"),
        (SampleOptions(), 5, 1, None, "seed"),
        (SampleOptions(), 5, 0, 256, "layout"),
        (SampleOptions(textures=Path("/somewhere/photos")), 5, 0, None, "textures"),
    ],
)
def test_folder_of_another_data_set_is_refused(
    tmp_path: Path, options: SampleOptions, count: int, seed: int, shard_size: int | None, named: str
) -> None:
    known = describe(SampleOptions(), 5, 0, None)
    write_description(tmp_path, replace(known, checksum="one"))
    check_agreement(tmp_path, known)
    with pytest.raises(InputError, match=f"data set with {named} .* another folder"):
        check_agreement(tmp_path, describe(options, count, seed, shard_size))
    with pytest.raises(InputError, match="checksum one, now asked for two"):
        check_agreement(tmp_path, replace(known, checksum="two"))


def test_texture_folder_may_lie_elsewhere_on_another_machine(tmp_path: Path) -> None:
    write_description(tmp_path, describe(SampleOptions(textures=Path("/here/photos")), 5, 0, None))
    check_agreement(tmp_path, describe(SampleOptions(textures=Path("/there/photos")), 5, 0, None))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "parastitch-pairs", "version": 2}', '{"format": 1'])
def test_description_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=r"dataset\.json"):
        read_records(tmp_path)
