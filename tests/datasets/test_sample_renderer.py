"""A sample depends on its seed and its number alone."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import torch
from worlds import CPU, gentle_bank

from datasets.options import SampleOptions
from datasets.sample_renderer import SampleRenderer, open_renderer
from stitching.errors import InputError

OPTIONS = SampleOptions(size=(48, 40), photometry=False, geometry=True, supersampling=1)


def content(value):
    """All that a sample holds, bytes of arrays."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value):
        return tuple(content(getattr(value, field.name)) for field in fields(value))
    return value


def test_a_sample_is_the_same_bytes_in_any_order():
    options = replace(OPTIONS, photometry=True)
    first, second = (SampleRenderer(options, 3, CPU, gentle_bank()) for _ in range(2))
    forwards = [content(first(index)) for index in (0, 5)]
    backwards = [content(second(index)) for index in (5, 0)]
    assert forwards == backwards[::-1]
    assert len({sample[2] for sample in forwards}) == 2
    other = content(SampleRenderer(options, 4, CPU, gentle_bank())(0))
    assert other[2] != forwards[0][2]


def test_samples_rendered_together_are_those_rendered_alone():
    renderer = SampleRenderer(OPTIONS, 3, CPU, gentle_bank())
    together = renderer.render([renderer.sample_scene(index) for index in (4, 0)])
    for sample in together:
        alone = renderer(sample.index)
        assert alone.facts["scene"] == sample.facts["scene"]
        assert alone.origin == sample.origin
        for name in ("reference", "target"):
            one, other = getattr(alone, name), getattr(sample, name)
            assert (one.mask == other.mask).mean() > 0.998
            assert (np.abs(one.warp - other.warp).max(2) < 1e-3).mean() > 0.998
            assert (np.abs(one.clean.astype(int) - other.clean).max(2) <= 1).mean() > 0.998


@pytest.mark.parametrize(("device", "gpus"), [("cuda", 0), ("cuda:1", 1), ("cuda:x", 1), ("auto", 1), ("mps", 1)])
def test_a_device_that_is_not_there_is_refused(monkeypatch, device, gpus):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(InputError, match=f"--device {device}: expected cpu"):
        open_renderer(OPTIONS, 0, device)
