"""A run learns, each mode its own part."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_runs import PARTS, SIZE, figures_of, quiet

from apps.training.checkpoints import BEST, LAST, STATE
from apps.training.data import FromFolder
from apps.training.objectives import pair_of, start_of
from apps.training.run import score_of, train
from datasets.examples.batch import collate_examples
from stitching.network.stitching_network import STITCH, WARP, StitchingNetwork
from stitching.network.weights import load_weights, save_weights


def unused_parts(step):
    """From a given start nothing is matched, and no step refines."""
    return set() if "matching" in step else {"warping.correlation", "warping.update"}


def test_matching_is_learned_first_then_everything_learns(options, tmp_path):
    """And the log shows it: the loss of the matching falls, then no part's gradient is 0, but from a given start."""
    lines = []
    some = replace(options, batch_size=2, steps=14, matching_steps=12, validate_every=7)
    figures = train("joint", tmp_path / "run", some, lines.append)
    steps = [figures_of(line) for line in lines if line.startswith("step ")]
    assert len(steps) == 14
    losses = [step["matching"] for step in steps[:12]]
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])
    for step in steps[:12]:
        assert "sequence" not in step
        assert {name for name in PARTS if step[f"gradient/{name}"]} == {"backbone", "warping.correlation"}
    assert ["matching" in step for step in steps[12:]] == [False, True]  # classical start, own matches
    for step in steps[12:]:
        assert {name for name in PARTS if not step[f"gradient/{name}"]} == unused_parts(step)
        assert {"sequence", "epipolar", "line", "visibility", "stitch"} <= step.keys()
    assert [line for line in lines if line.startswith("validation")][1:] == [lines[-1]]
    assert {"classical/ov", "matches/nov", "baseline/ov", "classical/PSNR true"} <= figures.keys()
    assert all(np.isfinite(value) for value in figures.values())
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {BEST, LAST, STATE}
    assert any(path.name.startswith("events.out.tfevents") for path in (tmp_path / "run").iterdir())
    weights = load_weights(tmp_path / "run" / LAST)
    assert weights.architecture["step"] == 14
    StitchingNetwork().load_state_dict(weights.weights)


@pytest.mark.parametrize("mode", ["flow", "blend"])
def test_a_mode_trains_its_own_part_alone(options, tmp_path, mode):
    lines = []
    some = replace(options, steps=3, matching_steps=0)
    figures = train(mode, tmp_path, some, lines.append)
    steps = [figures_of(line) for line in lines if line.startswith("step ")]
    for step in steps:
        others = {"generating"} | unused_parts(step) if mode == "flow" else set(PARTS) - {"backbone", "generating"}
        assert {name for name in PARTS if not step[f"gradient/{name}"]} == others
    assert ("classical/ov" in figures) == (mode == "flow")
    assert any("PSNR" in name for name in figures) == (mode == "blend")


@pytest.mark.slow
def test_a_batch_can_be_learned_by_heart(options, tmp_path):
    """The warp's error falls to a fifth."""
    lines = []
    some = replace(
        options, batch_size=2, steps=80, matching_steps=20, rate=1e-3, overfit_batch=True, classical_start=0.0,
        validate_every=80,
    )  # fmt: skip
    train("flow", tmp_path, some, lines.append)
    errors = [figures_of(line)["sequence"] for line in lines if "sequence" in line]
    assert len(errors) == 60
    assert np.mean(errors[-5:]) < 0.2 * np.mean(errors[:2])


def test_the_score_counts_what_can_be_measured():
    """Validation pairs without NOV, or without any error of the classical warp."""
    whole = {"classical/ov": 1.0, "baseline/ov": 2.0, "classical/nov": 3.0, "baseline/nov": 4.0}
    assert score_of(whole) == pytest.approx(0.5 + 0.75)
    assert score_of({"classical/ov": 1.0, "baseline/ov": 2.0}) == pytest.approx(0.5)
    assert np.isfinite(score_of({"classical/ov": 1.0, "baseline/ov": 0.0}))
    assert score_of({"classical/PSNR true": 30.0}) < score_of({"classical/PSNR true": 20.0})


# --- a frozen backbone ---


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Weights to begin with."""
    path = tmp_path_factory.mktemp("begun") / "weights.safetensors"
    torch.manual_seed(1)
    save_weights(path, StitchingNetwork().state_dict(), {"network": "StitchingNetwork"})
    return path


@pytest.mark.parametrize(
    ("mode", "module", "tasks"),
    [("flow", "warping", {WARP}), ("blend", "generating", {STITCH}), ("joint", "", {WARP, STITCH})],
)
def test_convolutions_of_a_frozen_backbone_stay_and_all_else_learns(options, begun, tmp_path, mode, module, tasks):
    """To the bit, in the first lesson too: what learns are the norms of the tasks at hand and their own modules."""
    some = replace(options, freeze_backbone=True, begin_from=begun, steps=3, matching_steps=1)
    train(mode, tmp_path, some, quiet)
    before, after = load_weights(begun).weights, load_weights(tmp_path / LAST).weights
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    backbone = {name for name in before if name.startswith("backbone.")}
    norms = {name for name in backbone if "norms." in name}
    assert {name for name in backbone if before[name].ndim == 4} == backbone - norms
    assert moved & backbone == {name for name in norms if any(f"norms.{task}." in name for task in tasks)}
    assert moved - backbone == {name for name in before.keys() - backbone if name.startswith(module)}


def test_blending_with_a_frozen_backbone_leaves_the_warp_as_it_was(options, folder, begun, tmp_path):
    """To the bit; with a backbone that is not frozen it is another one."""
    source = FromFolder(folder, SIZE, jitter_alignment=False)
    batch = collate_examples([source(index) for index in source.indices])

    def warps(path):
        """All that PWM says, from its own matches and from the classical warp."""
        network = StitchingNetwork().eval()
        network.load_state_dict(load_weights(path).weights)
        with torch.no_grad():
            made = network.warp(pair_of(batch)), network.warp(pair_of(batch), start_of(batch))
        return [*made[0].sequence, made[0].visibility, made[0].matching, *made[1].sequence, made[1].visibility]

    for frozen in (True, False):
        some = replace(options, freeze_backbone=frozen, begin_from=begun, steps=2, matching_steps=0)
        train("blend", tmp_path / str(frozen), some, quiet)
        kept = [torch.equal(*pair) for pair in zip(warps(begun), warps(tmp_path / str(frozen) / LAST), strict=True)]
        assert all(kept) == frozen
