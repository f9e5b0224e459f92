"""Samples as files in memory and back."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from fake_renderer import open_fake

from datasets.options import SampleOptions
from datasets.storage.encoding import decode, encode
from stitching.errors import InputError, JobError

OPTIONS = SampleOptions(size=(96, 64), keep_clean=True, geometry=True)
SAMPLE = open_fake(OPTIONS, 0)(7)
SIZES = {"reference": (96, 64), "target": (96, 64), "stitched": SAMPLE.stitched.shape[1::-1]}


def test_decoding_returns_the_encoded_arrays() -> None:
    read = decode(encode(SAMPLE, OPTIONS), SIZES, "sample")
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
    read = decode(encode(sample, OPTIONS), SIZES, "sample").target.geometry
    assert read is not None
    assert np.isposinf(read.depth).all()


def test_what_was_not_asked_for_is_not_stored() -> None:
    members = encode(SAMPLE, replace(OPTIONS, keep_clean=False, geometry=False))
    assert not [member for member in members if member.startswith(("clean", "geometry"))]
    read = decode(members, SIZES, "sample")
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


def test_the_largest_coordinates_are_exact() -> None:
    warp = np.full_like(SAMPLE.target.warp, 32768 - 1 / 256)
    sample = replace(SAMPLE, target=replace(SAMPLE.target, warp=warp))
    assert (decode(encode(sample, OPTIONS), SIZES, "sample").target.warp == warp).all()


@pytest.mark.parametrize("member", ["input1.jpg", "mask.png", "warp.npz", "geometry.npz"])
def test_damaged_and_missing_files_are_named(member: str) -> None:
    members = encode(SAMPLE, OPTIONS)
    with pytest.raises(InputError, match=member):
        decode(members | {member: members[member][:20]}, SIZES, "sample")
    if member != "geometry.npz":
        with pytest.raises(InputError, match=member):
            decode({key: data for key, data in members.items() if key != member}, SIZES, "sample")
