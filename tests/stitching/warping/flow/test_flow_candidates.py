"""Which of several flows is taken at each pixel."""

import numpy as np
from moved_plane import EVERYWHERE, H, W, constant, error, views

from stitching.warping.flow.candidates import propagate, select_best


def test_of_several_flows_the_right_one_is_chosen_everywhere():
    start, end = views(12, -4)
    left, right, wrong = constant(12, -4), constant(12, -4), constant(-5, 8)
    left[:, 200:], right[:, :200] = wrong[:, 200:], wrong[:, :200]
    fused = select_best(start, end, EVERYWHERE, [wrong, left, right], [-wrong, -left, -right]).flow
    chosen = error(fused, 12, -4) < 0.01
    assert chosen[:, :150].mean() > 0.99
    assert chosen[:, 170:].mean() > 0.99


def test_a_flow_that_ends_where_there_is_no_picture_is_not_chosen():
    """Beside its border a picture is filled with the other one, in which everything is found at its own place."""
    start, end = views(12, -4)
    end[:, 300:] = start[:, 300:]
    still, right = constant(0, 0), constant(-40, 0)
    end[:, 300 - 40 : 340 - 40] = start[:, 300:340]
    in_picture = np.broadcast_to(np.arange(W) < 300, (H, W))
    chosen = {
        valid is EVERYWHERE: select_best(start, end, valid, [still, right], [still, -right]).flow[40:-40, 310:330, 0]
        for valid in (EVERYWHERE, in_picture)
    }
    assert (chosen[True] == 0).all()
    assert (chosen[False] == -40).all()


def test_a_lone_flow_is_chosen():
    start, end = views(0, 0)
    flow = constant(3, 3)
    assert np.array_equal(select_best(start, end, EVERYWHERE, [flow], [-flow]).flow, flow)


def test_a_darker_picture_changes_no_choice():
    start, end = views(12, -4)
    right, wrong = constant(12, -4), constant(-5, 8)
    fused = select_best(start, end // 3, EVERYWHERE, [wrong, right], [-wrong, -right]).flow
    assert (error(fused, 12, -4) < 0.01).mean() > 0.99


def test_it_makes_no_difference_whether_flows_compete_at_once_or_in_turn():
    start, end = views(12, -4)
    flows = [constant(-5, 8), constant(12, -4), constant(12, 20)]
    backs = [-flow for flow in flows]
    at_once = select_best(start, end, EVERYWHERE, flows, backs)
    first = select_best(start, end, EVERYWHERE, flows[:1], backs[:1])
    in_turn = select_best(start, end, EVERYWHERE, flows[1:], backs[1:], first)
    assert np.array_equal(at_once.flow, in_turn.flow)
    assert np.array_equal(at_once.cost, in_turn.cost)
    assert np.array_equal(first.flow, flows[0])


# --- flow of neighbours ---


def test_a_wrong_part_takes_the_right_flow_from_beside_it():
    start, end = views(12, -4)
    flow, consistent = constant(12, -4), EVERYWHERE.copy()
    flow[80:120, 100:200], consistent[80:120, 100:200] = [-30, 20], False
    repaired = propagate(start, end, EVERYWHERE, flow, -constant(12, -4), consistent)
    assert np.linalg.norm(repaired - np.float32([12, -4]), axis=2)[80:120, 100:200].max() < 0.01


def test_consistent_flow_does_not_change():
    start, end = views(12, -4)
    wrong = constant(3, 3)
    half = np.broadcast_to(np.arange(W) < W // 2, (H, W))
    assert np.array_equal(propagate(start, end, EVERYWHERE, wrong, -wrong, half)[half], wrong[half])
    nothing = np.zeros((H, W), bool)
    assert np.array_equal(propagate(start, end, EVERYWHERE, wrong, -wrong, nothing), wrong)


def test_what_has_no_match_keeps_its_flow():
    """Where the end shows something else, the neighbours' flow fits no better than by chance."""
    start, end = views(12, -4)
    end[80:130] = np.random.default_rng(0).integers(0, 256, end[80:130].shape, np.uint8)
    consistent = np.broadcast_to(((np.arange(H) < 70) | (np.arange(H) >= 140))[:, None], (H, W))
    flow = constant(12, -4)
    flow[70:140] = [3, 3]
    repaired = propagate(start, end, EVERYWHERE, flow, -constant(12, -4), consistent)
    hidden = slice(92, 124), slice(40, -40)
    assert (repaired[hidden] == [3, 3]).all(axis=2).mean() > 0.99


def test_of_two_surfaces_a_pixel_takes_the_flow_of_its_own():
    """A gap between a part that moves and one that does not: each half of the gap moves like its side."""
    start, end = views(0, 0)
    start[:, 150:] = views(25, 0)[1][:, 150:]  # what is right of column 150 moves by -25 px
    flow, consistent = constant(0, 0), EVERYWHERE.copy()
    flow[:, 150:] = [-25, 0]
    consistent[:, 130:170] = False
    lost = flow.copy()
    lost[:, 130:170] = [60, 60]
    repaired = propagate(start, end, EVERYWHERE, lost, -flow, consistent)[40:-40]
    assert (repaired[:, 130:145, 0] == 0).mean() > 0.95
    assert (repaired[:, 155:170, 0] == -25).mean() > 0.9
