"""What the cameras make of a rendered pair: looks of their own, one tone for the ideal stitch."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from datasets.photometry.pictures import Look, apply_look, apply_tone, draw_look, photograph


def scene(shape=(96, 128), seed=1):
    """Smooth colours of medium brightness, (h, w, 3) BGR."""
    rough = np.random.default_rng(seed).normal(size=(*shape, 3)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 5), None, 20, 200, cv2.NORM_MINMAX).astype(np.uint8)


def looks(n=300, picture=None):
    rng = np.random.default_rng(1)
    return [draw_look(scene() if picture is None else picture, rng) for _ in range(n)]


def test_the_default_look_changes_nothing():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    for picture in (scene(), ramp):
        assert np.array_equal(apply_look(picture, Look()), picture)
        assert np.array_equal(apply_tone(picture, Look()), picture)


def test_same_generator_state_same_bytes_and_inputs_stay():
    picture, canvas = scene(), scene((120, 200))
    first = photograph(picture, picture, canvas, np.random.default_rng(5))
    second = photograph(picture, picture, canvas, np.random.default_rng(5))
    other = photograph(picture, picture, canvas, np.random.default_rng(6))
    for name in ("reference", "target", "stitched"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert first.facts == second.facts
    assert np.array_equal(picture, scene())
    assert np.array_equal(canvas, scene((120, 200)))


def test_each_view_has_its_own_look_and_the_facts_tell_it():
    pair = photograph(scene(), scene(), scene(), np.random.default_rng(5))
    facts = json.loads(json.dumps(pair.facts))
    assert facts["reference"] != facts["target"]
    retold = Look(**{**facts["target"], "white_balance": tuple(facts["target"]["white_balance"])})
    assert np.array_equal(apply_look(scene(), retold), pair.target)


def test_stitched_has_the_tone_of_the_reference_and_nothing_else():
    canvas = scene((120, 200))
    reference = canvas[10:106, 20:148]
    pair = photograph(reference, reference, canvas, np.random.default_rng(3))
    look = Look(**{**pair.facts["reference"], "white_balance": tuple(pair.facts["reference"]["white_balance"])})
    ideal = replace(look, vignetting=0.0, blur=0.0, noise=0.0, jpeg_quality=None)
    assert np.array_equal(pair.stitched[10:106, 20:148], apply_look(reference, ideal))
    assert not np.array_equal(pair.stitched, canvas)


def test_exposure_is_in_stops_of_linear_light():
    grey = np.full((32, 32, 3), 188, np.uint8)  # sRGB 188 is half of the light of 255
    assert np.all(np.abs(apply_tone(grey, Look(stops=1.0)).astype(int) - 255) <= 1)
    assert np.all(np.abs(apply_tone(np.full_like(grey, 255), Look(stops=-1.0)).astype(int) - 188) <= 1)


def test_white_balance_acts_on_its_channel_and_gamma_darkens():
    blue, green, red = apply_tone(scene(), Look(white_balance=(1.1, 1.0, 0.9))).mean(axis=(0, 1)) - scene().mean(
        axis=(0, 1)
    )
    assert blue > 2
    assert green == 0
    assert red < -2
    assert apply_tone(scene(), Look(gamma=1.2)).mean() < scene().mean() - 5


def test_vignetting_darkens_the_corners_only():
    even = np.full((96, 128, 3), 180, np.uint8)
    dark = apply_look(even, Look(vignetting=0.36))
    assert dark[48, 64, 0] == 180
    assert dark[0, 0, 0] == pytest.approx(180 * 0.8, abs=2)
    assert np.all(np.diff(dark[48, 64:, 0].astype(int)) <= 0)


def test_blur_noise_and_jpeg_are_as_strong_as_asked():
    even = np.full((128, 128, 3), 120, np.uint8)
    assert (apply_look(even, Look(noise=4.0)) - 120.0).std() == pytest.approx(4.0, rel=0.1)
    point = np.zeros((33, 33, 3), np.uint8)
    point[16, 16] = 255
    spread = apply_look(point, Look(blur=1.0))[..., 0] / 255
    assert spread[16, 16] == pytest.approx(1 / (2 * np.pi), abs=0.01)
    rough = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    compressed = [apply_look(rough, Look(jpeg_quality=quality)) for quality in (98, 70)]
    losses = [np.abs(picture - rough.astype(float)).mean() for picture in compressed]
    assert 0 < losses[0] < losses[1]


def test_noise_of_the_two_views_is_independent():
    even = np.full((64, 64, 3), 120, np.uint8)
    first, second = (apply_look(even, Look(noise=5.0, noise_seed=seed)).astype(float) - 120 for seed in (1, 2))
    assert abs((first * second).mean()) < 1.5


def test_drawn_looks_are_moderate_and_spread():
    drawn = looks()
    stops = np.array([look.stops for look in drawn])
    assert stops.std() > 0.25
    assert np.mean(np.abs(stops) < 0.75) > 0.75
    balance = np.array([look.white_balance for look in drawn])
    assert np.all(np.abs(balance - 1) <= 0.1)
    assert np.all(balance[:, 1] == 1)
    assert {look.jpeg_quality is None for look in drawn} == {True, False}


@pytest.mark.parametrize("level", [4, 245])
def test_exposure_neither_saturates_nor_blackens_a_picture(level):
    extreme = np.full((64, 64, 3), level, np.uint8)
    extreme[:, ::2] += 6
    for look in looks(50, extreme):
        valid = apply_tone(extreme, replace(look, white_balance=(1.0, 1.0, 1.0), gamma=1.0))
        assert np.mean(valid == 255) <= 0.6
        assert valid.max() >= 4


def test_black_and_white_pictures_pass_without_a_warning():
    for level in (0, 255):
        even = np.full((40, 48, 3), level, np.uint8)
        pair = photograph(even, even, even, np.random.default_rng(1))
        assert pair.reference.shape == even.shape
        assert pair.stitched.dtype == np.uint8
