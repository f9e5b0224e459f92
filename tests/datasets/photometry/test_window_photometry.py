"""Photometry on batches of windows: as strong as asked, nothing outside of a picture, one tone for the true stitch."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.photometry.block_compression import compress
from datasets.photometry.windows import Looks, Windows, apply_looks, apply_tones, draw_looks, photograph_windows


def scene(count: int = 1, height: int = 64, width: int = 96) -> Tensor:
    """Smooth colours of medium brightness, (b, 3, h, w)."""
    rough = np.random.default_rng(1).normal(size=(height, width, 3)).astype(np.float32)
    soft = cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 4), None, 0.1, 0.8, cv2.NORM_MINMAX)
    return torch.from_numpy(soft).permute(2, 0, 1).repeat(count, 1, 1, 1)  # (h, w, 3) -> (b, 3, h, w)


def neutral(count: int = 1) -> Looks:
    ones, zeros = torch.ones(count, 1, 1, 1), torch.zeros(count, 1, 1, 1)
    return Looks(ones.expand(-1, 3, -1, -1), ones, ones, zeros, zeros, zeros, zeros, zeros)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def windows(count: int) -> Windows:
    """The left third of the reference and the right third of the target are empty."""
    valid = torch.ones(count, 1, 64, 96)
    first, second = valid.clone(), valid.clone()
    first[..., :32] = 0
    second[..., -32:] = 0
    return Windows(scene(count) * first, scene(count) * second, scene(count), first, second)


def test_a_neutral_look_changes_nothing() -> None:
    valid = torch.ones(1, 1, 64, 96)
    torch.testing.assert_close(apply_looks(scene(), valid, neutral(), seeded()), scene(), rtol=0, atol=1e-5)


def test_the_state_of_the_generator_decides_all_and_inputs_stay() -> None:
    clean = windows(4)
    first, again, other = (photograph_windows(clean, seeded(seed)) for seed in (1, 1, 2))
    for name in ("reference", "target", "stitched"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))
    assert torch.equal(clean.reference, windows(4).reference)


def test_pictures_stay_black_where_they_are_not_and_in_range_where_they_are() -> None:
    done = photograph_windows(windows(32), seeded())
    for picture, valid in ((done.reference, done.reference_valid), (done.target, done.target_valid)):
        assert not (picture * (1 - valid)).any()
        assert picture.min() >= 0
        assert picture.max() <= 1
        brightness = picture.sum((1, 2, 3)) / (3 * valid.sum((1, 2, 3)))
        assert brightness.min() > 0.1
        assert brightness.max() < 0.95
        assert brightness.std() > 0.05


def test_blur_does_not_darken_the_border_of_a_picture() -> None:
    even = windows(1)
    valid = even.reference_valid
    blurred = apply_looks(
        0.5 * valid.repeat(1, 3, 1, 1), valid, replace(neutral(), blur=torch.full((1, 1, 1, 1), 2.0)), seeded()
    )
    torch.testing.assert_close(blurred[valid.expand(-1, 3, -1, -1) > 0], torch.full((3 * 64 * 64,), 0.5))


def test_the_stitch_has_the_tone_of_the_reference_and_nothing_else() -> None:
    clean = windows(3)
    generator = seeded(7)
    looks = draw_looks(clean.reference, clean.reference_valid, generator)
    assert torch.equal(photograph_windows(clean, seeded(7)).stitched, apply_tones(clean.stitched, looks))


def test_tone_is_monotonic_and_keeps_black() -> None:
    ramp = torch.linspace(0, 1, 256).view(1, 1, 16, 16).repeat(200, 3, 1, 1)
    toned = apply_tones(ramp, draw_looks(ramp, torch.ones(200, 1, 16, 16), seeded())).flatten(2)
    assert (toned.diff(dim=2) >= -1e-6).all()
    assert not toned[..., 0].any()


def test_exposure_is_a_factor_on_light() -> None:
    stop = replace(neutral(), factors=torch.full((1, 3, 1, 1), 2 ** (-1 / 2.2)))
    grey = apply_tones(torch.ones(1, 3, 8, 8), stop)
    assert grey[0, 0, 0, 0] * 255 == pytest.approx(188, abs=3)  # sRGB 188 is half of the light of 255


def test_vignetting_darkens_the_corners_only() -> None:
    even, valid = torch.full((1, 3, 65, 97), 0.5)[..., :64, :96], torch.ones(1, 1, 64, 96)
    dark = apply_looks(even, valid, replace(neutral(), vignetting=torch.full((1, 1, 1, 1), 0.36)), seeded())
    assert dark[0, 0, 32, 48] == pytest.approx(0.5, abs=0.001)
    assert dark[0, 0, 0, 0] == pytest.approx(0.5 * 0.64 ** (1 / 2.2), abs=0.001)


def test_noise_is_as_strong_as_asked_and_independent() -> None:
    even, valid = torch.full((2, 3, 64, 96), 0.5), torch.ones(2, 1, 64, 96)
    looks = replace(neutral(2), noise=torch.full((2, 1, 1, 1), 0.02))
    first, second = apply_looks(even, valid, looks, seeded()) - 0.5
    assert first.std() == pytest.approx(0.02, rel=0.05)
    assert abs((first * second).mean()) < 2e-5


@pytest.mark.parametrize("quality", [40, 75, 95])
def test_compression_loses_as_much_as_jpeg(quality: int) -> None:
    rough = (scene() + 0.1 * torch.randn(1, 3, 64, 96, generator=seeded())).clamp(0, 1)
    picture = (rough[0] * 255).round().permute(1, 2, 0).byte().numpy()
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    jpeg = cv2.imdecode(cv2.imencode(".jpg", picture, options)[1], cv2.IMREAD_COLOR).astype(np.float32)
    exact = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255  # (1, 3, h, w)
    ours = (compress(exact, torch.tensor([float(quality)]))[0] * 255).permute(1, 2, 0).numpy()
    loss = np.abs(jpeg - picture).mean()
    assert np.abs(ours - picture).mean() == pytest.approx(loss, rel=0.15)
    assert np.abs(ours - jpeg).mean() < 0.4 * loss + 0.5


def test_only_chosen_pictures_are_compressed() -> None:
    pictures = torch.rand(3, 3, 16, 24, generator=seeded())
    done = compress(pictures, torch.tensor([0.0, 50.0, 0.0]))
    assert torch.equal(done[[0, 2]], pictures[[0, 2]])
    assert not torch.equal(done[1], pictures[1])
