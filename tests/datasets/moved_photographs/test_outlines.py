"""Outlines: distances to shapes that lie wholly on their map."""

import torch

from datasets.moved_photographs.outlines import COUNT, SIDE, draw_outlines


def test_outlines_are_signed_distances_to_shapes_of_many_sizes() -> None:
    distances = draw_outlines().float()[:, 0]
    assert distances.shape == (COUNT, SIDE, SIDE)
    share = (distances > 0).float().mean((1, 2))
    assert (share > 0.002).all()
    assert share.min() < 0.05  # thin ones
    assert share.max() > 0.3
    sides = torch.cat([distances[:, [0, -1]].flatten(1), distances[:, :, [0, -1]].flatten(1)], 1)
    assert (sides < 0).all()
    assert (distances.diff(dim=1).abs() < 1.5).all()  # no steps
