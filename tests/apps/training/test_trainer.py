"""A run learns, each mode its own modules."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from banks import small_bank
from photo_pairs import write_pairs
from safetensors.torch import load_file
from training_runs import (
    MODULES,
    assert_same_weights,
    curves,
    modules_with_gradient,
    quiet,
    table,
    train_interrupted,
)

from apps.training.checkpoints import BEST, LAST, STATE
from apps.training.prediction import pair_of, start_of
from apps.training.trainer import train
from apps.training.validation import score_of
from stitching.network.stitching_network import STITCH, WARP, StitchingNetwork
from stitching.network.weights import load_weights, save_weights

MATCHING_MODULES = {"warping.matching"}


def unused_modules(points):
    """From a classical start nothing is matched, and no update refines."""
    return set() if "loss/matching" in points else {"warping.matching", "warping.update"}


@pytest.mark.slow
def test_the_matching_is_learned_first_then_all_modules(options, tmp_path):
    some = replace(options, batch_size=2, steps=14, matching_steps=12, validate_every=7, overfit_batch=True)
    lines = []
    metrics = train("joint", tmp_path / "run", some, lines.append)
    steps = list(curves(tmp_path / "run").values())
    assert len(steps) == len([line for line in lines if line.startswith("step ")]) == 14
    losses = [points["loss/matching"] for points in steps[:12]]
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])
    for points in steps[:12]:
        assert "loss/sequence" not in points
        assert modules_with_gradient(points) == MATCHING_MODULES
    assert ["loss/matching" in points for points in steps[12:]] == [False, True]  # classical start, own matches
    for points in steps[12:]:
        assert modules_with_gradient(points) == set(MODULES) - unused_modules(points)
        assert {f"loss/{name}" for name in ("sequence", "epipolar", "line", "visibility", "stitch")} <= set(points)
    assert len([line for line in lines if line.startswith("validation")]) == 2
    assert {"classical/ov", "matches/nov", "baseline/ov", "classical/PSNR true"} <= metrics.keys()
    assert all(np.isfinite(value) for value in metrics.values())
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {BEST, LAST, STATE}
    weights = load_weights(tmp_path / "run" / LAST)
    assert weights.architecture["step"] == 14
    StitchingNetwork().load_state_dict(weights.weights)


@pytest.mark.parametrize("mode", ["flow", "blend"])
def test_a_mode_trains_its_own_module_alone(options, tmp_path, mode):
    metrics = train(mode, tmp_path, replace(options, steps=2, matching_steps=0), quiet)
    for points in curves(tmp_path).values():
        expected = {"backbone", "generating"} if mode == "blend" else set(MODULES) - {"generating"}
        assert modules_with_gradient(points) == expected - unused_modules(points)
    assert ("classical/ov" in metrics) == (mode == "flow")
    assert any("PSNR" in name for name in metrics) == (mode == "blend")


@pytest.mark.slow
def test_a_single_batch_can_be_learned(options, tmp_path):
    some = replace(
        options, batch_size=2, steps=80, matching_steps=20, rate=1e-3, overfit_batch=True, classical_start=0.0,
        ema=0.9, validate_every=40, save_every=80,
    )  # fmt: skip
    train("flow", tmp_path, some, quiet)
    first, last = table(tmp_path)
    assert float(last["matches/ov"]) < 0.7 * float(first["matches/ov"])  # validated on the same batch
    errors = [points["loss/sequence"] for points in curves(tmp_path).values() if "loss/sequence" in points]
    assert len(errors) == 60
    assert np.mean(errors[-5:]) < 0.2 * np.mean(errors[:2])


def test_the_score_counts_what_can_be_measured():
    """Validation pairs may have no NOV, or a classical warp without any error."""
    metrics = {"classical/ov": 1.0, "baseline/ov": 2.0, "classical/nov": 3.0, "baseline/nov": 4.0}
    assert score_of(metrics) == pytest.approx(0.5 + 0.75)
    assert score_of({"classical/ov": 1.0, "baseline/ov": 2.0}) == pytest.approx(0.5)
    assert np.isfinite(score_of({"classical/ov": 1.0, "baseline/ov": 0.0}))
    assert score_of({"classical/PSNR true": 30.0}) < score_of({"classical/PSNR true": 20.0})


# --- photographed pairs ---


@pytest.fixture
def with_pairs(options, tmp_path):
    pairs = write_pairs(tmp_path / "pairs", 3)
    return replace(options, pairs=pairs, cache=None, matching_steps=0, steps=2, batch_size=2)


@pytest.mark.parametrize("mode", ["flow", "blend"])
def test_a_run_with_pairs_trains_on_photographs_in_every_second_step(with_pairs, tmp_path, mode):
    metrics = train(mode, tmp_path / "run", with_pairs, quiet)
    steps = curves(tmp_path / "run").values()
    assert [any(name.startswith("loss/pairs/") for name in points) for points in steps] == [False, True]
    expected = {
        "flow": {"pairs/baseline", "pairs/matches", "pairs/classical"},
        "blend": {"pairs/gain", "pairs/seam", "pairs/ghost"},
    }
    assert {name for name in metrics if name.startswith("pairs/")} == expected[mode]
    assert np.isfinite(score_of(metrics))


@pytest.mark.slow
def test_a_joint_run_with_pairs_is_resumed_exactly(with_pairs, tmp_path, monkeypatch):
    some = replace(with_pairs, steps=3)
    train("joint", tmp_path / "uninterrupted", some, quiet)
    train_interrupted(monkeypatch, 1, "joint", tmp_path / "interrupted", some)
    train("joint", tmp_path / "interrupted", some, quiet)
    assert_same_weights(tmp_path / "interrupted", tmp_path / "uninterrupted")


def test_a_run_generates_its_examples_where_there_is_no_data_set(options, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.sample_renderer.load_bank", lambda folder: small_bank())
    some = replace(options, data=None, validation=None, cache=None, steps=1, matching_steps=0)
    assert "matches/PSNR true" in train("blend", tmp_path, some, quiet)


# --- initial weights ---


@pytest.fixture(scope="module")
def initial(tmp_path_factory):
    path = tmp_path_factory.mktemp("initial") / "weights.safetensors"
    torch.manual_seed(1)
    save_weights(path, StitchingNetwork().state_dict(), {"network": "StitchingNetwork"})
    return path


def test_training_starts_from_the_given_weights(options, initial, tmp_path):
    train("flow", tmp_path, replace(options, begin_from=initial, steps=1, matching_steps=0, rate=1e-9), quiet)
    before, after = load_file(initial), load_file(tmp_path / LAST)
    moved = [(after[name] - before[name]).abs().max() for name in before if "weight" in name]
    assert 0 < max(moved) < 1e-6


@pytest.mark.parametrize(
    ("mode", "module", "tasks"),
    [("flow", "warping", {WARP}), ("blend", "generating", {STITCH}), ("joint", "", {WARP, STITCH})],
)
def test_convolutions_of_a_frozen_backbone_stay_and_all_else_learns(options, initial, tmp_path, mode, module, tasks):
    """To the bit, in the matching stage too: what learns are the norms of the tasks and their own modules."""
    some = replace(options, freeze_backbone=True, begin_from=initial, steps=3, matching_steps=1)
    train(mode, tmp_path, some, quiet)
    before, after = load_weights(initial).weights, load_weights(tmp_path / LAST).weights
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    backbone = {name for name in before if name.startswith("backbone.")}
    norms = {name for name in backbone if "norms." in name}
    assert {name for name in backbone if before[name].ndim == 4} == backbone - norms
    assert moved & backbone == {name for name in norms if any(f"norms.{task}." in name for task in tasks)}
    encoder = StitchingNetwork().warping.matching.encoder
    late = {id(p) for p in encoder.late_parameters()}
    fixed = {f"warping.matching.encoder.{name}" for name, p in encoder.named_parameters() if id(p) not in late}
    assert moved - backbone == {name for name in before.keys() - backbone - fixed if name.startswith(module)}


@pytest.mark.parametrize("frozen", [True, False])
def test_only_with_a_frozen_backbone_blending_leaves_the_warp_as_it_was(options, batch, initial, tmp_path, frozen):
    def warps(path):
        """All outputs of PWM, from its own matches and from the classical warp."""
        network = StitchingNetwork().eval()
        network.load_state_dict(load_weights(path).weights)
        with torch.no_grad():
            found = network.warp(pair_of(batch)), network.warp(pair_of(batch), start_of(batch))
        return [*found[0].sequence, found[0].visibility, found[0].matching, *found[1].sequence, found[1].visibility]

    some = replace(options, freeze_backbone=frozen, begin_from=initial, steps=1, matching_steps=0)
    train("blend", tmp_path, some, quiet)
    same = [torch.equal(*pair) for pair in zip(warps(initial), warps(tmp_path / LAST), strict=True)]
    assert all(same) == frozen
