"""The description of a data set and the lines of its samples."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_renderer import open_fake

from datasets.options import SampleOptions
from datasets.storage.description import check_agreement, describe, write_description
from datasets.storage.paths import MEMBERS, folder_path
from datasets.storage.reading import read_records
from datasets.storage.records import read_line, write_line
from stitching.errors import InputError, JobError

OPTIONS = SampleOptions(size=(96, 64), keep_clean=True, geometry=True)
SAMPLE = open_fake(OPTIONS, 0)(7)
FILES = {folder_path("000007", member): b"contents" for member in MEMBERS}
DIGEST = "d1b2a59fbea7e20077af9f91b27e95e865061b270be03ff539ab3b73587882e8"


def test_a_line_holds_the_facts_of_the_sample() -> None:
    line = write_line(SAMPLE, FILES)
    record = read_line(line)
    assert (record.index, record.name, record.origin, record.facts) == (7, "000007", SAMPLE.origin, SAMPLE.facts)
    assert record.sizes == {"reference": (96, 64), "target": (96, 64), "stitched": SAMPLE.stitched.shape[1::-1]}
    assert record.segments == pytest.approx(SAMPLE.segments, abs=1 / 512)
    assert record.segments_visible.shape == (2, 2)
    assert json.loads(line)["files"]["mask/000007.png"] == DIGEST
    assert record.files == dict.fromkeys(MEMBERS, DIGEST)


def test_sample_without_segments() -> None:
    sample = replace(SAMPLE, segments=np.zeros((0, 2, 2, 2), np.float32), segments_visible=np.zeros((0, 2), np.float32))
    assert read_line(write_line(sample, FILES)).segments.shape == (0, 2, 2, 2)


def test_changed_line_is_noticed() -> None:
    line = write_line(SAMPLE, {})
    for place in range(0, len(line) - 1, 37):
        with pytest.raises(ValueError, match=r"digest differs|codec"):
            read_line(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :])


@pytest.mark.parametrize("bad", [float("nan"), np.float32(1), object()])
def test_facts_that_are_not_json_name_the_sample(bad: object) -> None:
    with pytest.raises(JobError, match="sample 7: its facts"):
        write_line(replace(SAMPLE, facts={"fov": bad}), {})


@pytest.mark.parametrize(
    ("options", "count", "seed", "shard_size", "named"),
    [
        (SampleOptions(fov=(50, 60)), 5, 0, None, "fov"),
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


def test_a_data_set_may_grow_but_not_shrink(tmp_path: Path) -> None:
    write_description(tmp_path, describe(SampleOptions(), 5, 0, None))
    check_agreement(tmp_path, describe(SampleOptions(), 6, 0, None))
    with pytest.raises(InputError, match="a data set of 5 samples, now asked for 4: none are taken away"):
        check_agreement(tmp_path, describe(SampleOptions(), 4, 0, None))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "parastitch-pairs", "version": 2}', '{"format": 1'])
def test_a_file_that_is_no_description_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=r"dataset\.json"):
        read_records(tmp_path)
