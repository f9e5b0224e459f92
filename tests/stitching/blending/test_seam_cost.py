import numpy as np

from stitching.blending.seam_cost import UNTRUSTED_COST, seam_cost

SHAPE = 40, 60
EVERYWHERE = np.ones(SHAPE, bool)


def noise(seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (*SHAPE, 3)).astype(np.float32)


def test_pictures_that_are_the_same_cost_nothing():
    assert not seam_cost(noise(), noise(), EVERYWHERE).any()


def test_a_difference_of_brightness_costs_its_grey_levels():
    flat = np.full((*SHAPE, 3), 100, np.float32)
    assert np.allclose(seam_cost(flat, flat + 7, EVERYWHERE), 7, atol=1e-4)


def test_an_edge_in_one_picture_only_costs_more_than_its_colours():
    edge = np.full((*SHAPE, 3), 100, np.float32)
    flat = edge.copy()
    edge[:, 30:] += 20
    row = seam_cost(edge, flat, EVERYWHERE)[20]
    assert row[:27].max() < 1e-3
    assert np.allclose(row[34:], 20, atol=1e-3)
    assert row[29:31].max() > 25


def test_where_the_target_is_not_trusted_a_constant_is_added():
    trusted = EVERYWHERE.copy()
    trusted[10:20, 10:20] = False
    added = seam_cost(noise(), noise(1), trusted) - seam_cost(noise(), noise(1), EVERYWHERE)
    assert np.allclose(added, np.where(trusted, 0, UNTRUSTED_COST), atol=1e-3)
