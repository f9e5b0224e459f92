"""Straight segments agree with cameras and warps, and are trimmed to what the target shows."""

import numpy as np
import pytest
from sample_views import SIZE as SAMPLE_SIZE
from sample_views import nearest, three_of_every_recipe
from worlds import bank_of, box, camera, make_pair, make_scene, plain, square

from datasets.options import SampleOptions
from datasets.sample import Visibility

SIZE = (96, 64)
TARGET = camera(size=SIZE)


@pytest.fixture(scope="module")
def samples():
    """Three of every recipe."""
    return three_of_every_recipe()


def project(view, points):
    on_film = points @ view.rotation[0].numpy().T + view.translation[0].numpy()
    on_film = on_film @ view.intrinsics[0].numpy().T
    return on_film[..., :2] / on_film[..., 2:]


def segments_of(*segments, reference=None, screen=None):
    """Sample of a wall at z = 5 with segments on it; a screen stands before it."""
    wall = square((0, 0, 5), (30, 0, 0), (0, 30, 0))
    bodies = (wall,) if screen is None else (wall, screen)
    scene, reference = make_scene(*bodies, segments=segments), reference or camera((0.4, 0, 0), (0, 0, 5), 60, SIZE)
    options = SampleOptions(size=SIZE, photometry=False, supersampling=1)
    return make_pair(scene, reference, TARGET, bank_of(plain()), options)[1]


def test_a_visible_segment_is_given_from_end_to_end():
    ends = np.array([[-1.0, 0.5, 5], [1.2, -0.7, 5]])
    reference = camera((0.6, 0.1, -0.5), (0, 0, 5), 60, SIZE, roll=10)
    sample = segments_of(ends, reference=reference)
    assert sample.segments.shape == (1, 2, 2, 2)
    np.testing.assert_allclose(sample.segments[0, 0], project(TARGET, ends), atol=1e-3)
    np.testing.assert_allclose(sample.segments[0, 1], project(reference, ends), atol=1e-3)
    np.testing.assert_array_equal(sample.segments_visible, [[1, 1]])


def test_a_segment_is_trimmed_to_the_picture():
    sample = segments_of([[-1.0, 0.5, 5], [20.0, 0.5, 5]])
    start, end = sample.segments[0, 0]
    np.testing.assert_allclose(start, project(TARGET, np.array([-1.0, 0.5, 5])), atol=1e-3)
    assert SIZE[0] - 0.5 - 0.5 * SIZE[0] < end[0] < SIZE[0] - 0.5  # to the last visible one of the tested points


def test_invisible_and_short_segments_are_left_out():
    unseen = [[20.0, 0, 5], [25.0, 0, 5]]
    behind = [[0.0, 0, -5], [1.0, 0, -5]]
    speck = [[0.0, 0, 5], [0.02, 0, 5]]
    sample = segments_of(unseen, behind, speck)
    assert sample.segments.shape == (0, 2, 2, 2)
    assert sample.segments_visible.shape == (0, 2)


def test_a_screen_hides_its_share_of_a_segment():
    # Visibility from the target it covers x from 0 to 0.6 of the segment's -1.5 .. 1.5; from the reference none of it.
    screen = square((0.12, 0.5, 2), (0.12, 0, 0), (0, 0.15, 0))
    ends = [[-1.5, 1.25, 5], [1.5, 1.25, 5]]
    sample = segments_of(ends, screen=screen, reference=camera((0, -3, 0), (0, 0, 5), 60, SIZE))
    ((in_target, in_reference),) = sample.segments_visible
    assert in_target == pytest.approx(0.8, abs=0.07)
    assert in_reference == 1
    np.testing.assert_allclose(sample.segments[0, 0], project(TARGET, np.array(ends)), atol=1e-3)
    hidden = segments_of([[0.05, 1.25, 5], [0.55, 1.25, 5]], screen=screen)
    assert len(hidden.segments) == 0


def test_a_segment_behind_the_reference_is_left_out():
    ends = [[-1.0, 0.5, 5], [1.2, -0.7, 5]]
    sample = segments_of(ends, screen=box((-9, -9, -9), (9, 9, -8)), reference=camera((0, 0, 0), (0, 0, -1), 60, SIZE))
    assert (sample.target.mask == Visibility.BEHIND).all()
    assert len(sample.segments) == 0


def test_segments_join_corresponding_points(samples):
    lengths = [np.linalg.norm(s.segments[:, 0, 1] - s.segments[:, 0, 0], axis=1) for s in samples]
    assert np.concatenate(lengths).min() >= 12 * SAMPLE_SIZE[0] / 512 - 1e-3
    assert len(np.concatenate(lengths)) > 500
    for sample in samples:
        matrix = np.array(sample.facts["fundamental"])
        target, reference = (np.insert(sample.segments[:, k].astype(float), 2, 1, axis=2) for k in (0, 1))
        lines = target @ matrix.T
        distance = np.abs((lines * reference).sum(2)) / np.hypot(lines[..., 0], lines[..., 1])
        # Points far outside are known to single precision.
        assert (distance < 1e-3 * (1 + np.abs(reference).max(2) / 1000)).all()
        assert (sample.segments_visible >= 0).all()
        assert (sample.segments_visible <= 1).all()
        assert (sample.segments_visible[:, 0] >= 0.5).all()


def test_segments_agree_with_the_warp(samples):
    ends, middles = [], []
    for sample in samples:
        target, reference = np.moveaxis(sample.segments.astype(float), 1, 0)  # (m, end, 2)
        clear = (sample.segments_visible == 1).all(1)
        steps = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1)), 2).reshape(-1, 1, 2)

        def warped(points, sample=sample, steps=steps):
            """(9, m, 2) warps of the pixels around points (m, 2), extrapolated linearly to the points."""
            pixels = np.clip(np.rint(points) + steps, 0, np.array(SAMPLE_SIZE) - 1)
            step = np.clip(pixels + 1, 0, np.array(SAMPLE_SIZE) - 1)
            start = nearest(sample.target.warp, pixels)
            across = nearest(sample.target.warp, np.stack([step[..., 0], pixels[..., 1]], 2)) - start
            down = nearest(sample.target.warp, np.stack([pixels[..., 0], step[..., 1]], 2)) - start
            rest = points - pixels
            return start + across * rest[..., :1] + down * rest[..., 1:]

        for end in (0, 1):
            found = warped(target[clear, end])
            ends.append(np.linalg.norm(found - reference[clear, end], axis=2).min(0))
        along = reference[clear, 1] - reference[clear, 0]
        normal = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
        found = warped(target[clear].mean(1))
        middles.append(np.abs(((found - reference[clear, 0]) * normal).sum(2)).min(0))
    ends, middles = np.concatenate(ends), np.concatenate(middles)
    assert len(middles) > 100
    assert (ends < 0.5).mean() > 0.9
    assert (middles < 0.5).mean() > 0.9
