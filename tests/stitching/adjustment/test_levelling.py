"""The horizon of turning cameras."""

import numpy as np
import pytest
from turned_pictures import rotation

from stitching.adjustment.cameras.levelling import levelling

RING = [(yaw, 0.0) for yaw in range(0, 360, 45)]


def down_of(reference, *others):
    """What the levelled frame has below, as the world sees it; angles are (yaw, pitch[, roll]), degrees."""
    first = rotation(*reference)
    rotations = np.stack([rotation(*angles) @ first.T for angles in (reference, *others)])
    return first.T @ levelling(rotations) @ [0, 1, 0]


@pytest.mark.parametrize("pitch", [-50, -45, 0, 30, 45, 50])
def test_the_horizon_of_a_ring_is_level_wherever_the_reference_looks(pitch):
    upper = [(yaw, pitch) for yaw in range(60, 360, 60)]

    assert down_of((0, pitch), *upper, *RING) == pytest.approx([0, 1, 0], abs=1e-3)


def test_cameras_held_on_their_sides_have_the_same_horizon():
    assert down_of((0, 5), (20, 0, 90), (40, 3), (60, -4, -90), (80, 2, 90)) == pytest.approx([0, 1, 0], abs=0.02)


def test_pictures_of_one_direction_keep_the_upright_of_the_reference():
    reference = 0, 20
    own = rotation(*reference).T @ [0, 1, 0]

    assert down_of(reference, (3, 18, 4), (1, 15, 88)) == pytest.approx(own, abs=1e-9)
