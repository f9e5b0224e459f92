"""Values between the pixels of maps."""

import torch

from apps.training.losses.sampling import sample, sample_points
from stitching.network.tensor_maps import pixel_xy

B, H, W = 2, 32, 48
MAPS = torch.randn(B, 3, H, W, generator=torch.Generator().manual_seed(0))


def test_sampling_maps_and_points_agree():
    points = torch.rand(B, 2, 7, 9, generator=torch.Generator().manual_seed(1)) * 60 - 6
    values, within = sample(MAPS, points)
    point_values, inside = sample_points(MAPS, torch.arange(B), points.flatten(2).transpose(1, 2))
    assert torch.allclose(values.flatten(2).transpose(1, 2), point_values, atol=1e-4)
    assert torch.equal(within.flatten(1), inside)


def test_sampling_at_the_pixels_gives_the_pixels():
    values, within = sample(MAPS, pixel_xy(MAPS).expand(B, -1, -1, -1))
    assert torch.allclose(values, MAPS, atol=1e-4)
    assert within.all()


def test_between_pixels_values_are_bilinear_and_outside_those_of_the_border():
    ramp = pixel_xy(torch.zeros(1, 1, H, W))
    points = torch.tensor([[3.25, 7.5], [40.0, 30.75], [-5.0, 11.0], [W + 9.0, H + 9.0]])
    values, within = sample_points(ramp, torch.tensor([0]), points[None])
    expected = torch.tensor([[3.25, 7.5], [40.0, 30.75], [0.0, 11.0], [W - 1.0, H - 1.0]])
    assert torch.allclose(values[0], expected)
    assert within[0].tolist() == [True, True, False, False]
