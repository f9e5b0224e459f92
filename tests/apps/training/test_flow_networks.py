"""Training of flow networks of ptlflow in PWM's place; mostly with stand-ins."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from flow_stand_ins import Tiny, strips, use_stand_ins
from safetensors.torch import save_file
from training_runs import assert_same_run, curves, quiet, train_interrupted

from apps.training.checkpoints import BEST, LAST
from apps.training.objectives import Objectives
from apps.training.options import FLOW_TASKS, TrainOptions
from apps.training.trainer import train
from stitching.errors import InputError, JobError
from stitching.network.flow_networks.ptlflow_package import create_network
from stitching.network.flow_networks.ptlflow_warping import PtlflowStitchingNetwork
from stitching.network.weights import load_weights, save_weights
from stitching.warping.estimators.registry import find_estimator


@pytest.fixture
def package(monkeypatch):
    use_stand_ins(monkeypatch)


@pytest.fixture
def flow_options(options):
    return replace(options, flow="ptlflow:tiny", matching_steps=2, steps=3)


@pytest.mark.parametrize("model", ["tiny", "pyramid"])
def test_a_flow_network_is_trained_and_stitches(package, flow_options, tmp_path, model):
    torch.manual_seed(flow_options.seed)
    some = replace(flow_options, flow=f"ptlflow:{model}")
    metrics = train("flow", tmp_path, some, quiet)
    for points in curves(tmp_path).values():  # from the first step on: it has no matching to train first
        assert {"loss/sequence", "loss/epipolar", "loss/line"} <= points.keys()
        assert points["gradient/warping.network"] > 0
        assert points["gradient/backbone"] == points["gradient/generating"] == 0
        assert not {"loss/matching", "loss/visibility"} & points.keys()
    assert {"flow/ov", "flow/over 3", "baseline/ov"} <= metrics.keys()
    assert all(np.isfinite(value) for value in metrics.values())
    for name in (BEST, LAST):
        assert load_weights(tmp_path / name).flow == f"ptlflow:{model}"
        warp = find_estimator(f"ptlflow:{model}:{tmp_path / name}")(strips())
        assert np.isfinite(warp.residual).all()


def test_a_killed_run_ends_with_the_same_state_and_weights(package, flow_options, tmp_path, monkeypatch):
    train("flow", tmp_path / "uninterrupted", flow_options, quiet)
    train_interrupted(monkeypatch, 1, "flow", tmp_path / "interrupted", flow_options)
    train("flow", tmp_path / "interrupted", flow_options, quiet)
    assert_same_run(tmp_path / "interrupted", tmp_path / "uninterrupted")


def test_a_run_begins_from_the_weights_that_the_flow_names(package, flow_options, tmp_path):
    torch.manual_seed(3)
    network = Tiny()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    some = replace(flow_options, flow=f"ptlflow:tiny:{tmp_path / 'w.safetensors'}", rate=1e-12, weight_decay=0.0)
    train("flow", tmp_path / "run", some, quiet)
    trained = create_network("tiny", str(tmp_path / "run" / LAST))
    assert torch.allclose(trained.convolution.weight, network.convolution.weight)


def test_the_loss_falls_where_the_flow_comes_nearer_to_the_truth(batch):
    """Visible and hidden pixels count; what lies outside the reference's view does not."""

    class Known(torch.nn.Module):
        def __init__(self, flow):
            super().__init__()
            self.flow = flow

        def forward(self, _):
            below, right = (256 - side for side in self.flow.shape[2:])
            return {"flows": torch.nn.functional.pad(self.flow, (0, right, 0, below))[:, None]}

    asked = batch.truth.visible + batch.truth.occluded
    assert (batch.truth.outside > 0).any()
    right = torch.where(asked > 0, batch.truth.residual, 1e3)
    losses = []
    for off in (0, 1, 2):
        network = PtlflowStitchingNetwork(Known(right + off))
        found, _ = Objectives(network, half=False)(batch, FLOW_TASKS, False)
        assert found.keys() == set(FLOW_TASKS)
        losses.append(float(found["warp"]))
    assert losses == pytest.approx([0, 2 / 16, 4 / 16], abs=1e-5)  # of |dx| + |dy| px


# --- what does not go together ---


@pytest.mark.parametrize(
    ("mode", "changes", "words"),
    [
        ("joint", {}, "train joint with --flow ptlflow:tiny: expected train flow"),
        ("blend", {}, "train blend with --flow ptlflow:tiny: expected train flow"),
        ("flow", {"pairs": "."}, "--pairs with --flow"),
        ("flow", {"validate_matches": "."}, "--validate-matches with --flow"),
        ("flow", {"strategy": "task-priority"}, "--strategy task-priority with --flow"),
        ("flow", {"flow": "ptlflow:huge"}, "no network called 'huge'"),
        ("flow", {"flow": "ptlflow:"}, "no network called ''"),
        ("flow", {"flow": "ptlflow:tiny:lost.ckpt"}, "no weights 'lost.ckpt' for ptlflow's tiny"),
    ],
)
def test_what_does_not_go_with_a_flow_network_is_refused(package, flow_options, tmp_path, mode, changes, words):
    with pytest.raises(InputError, match=words):
        train(mode, tmp_path, replace(flow_options, **changes), quiet)


def test_an_unknown_kind_of_flow_network_is_refused():
    with pytest.raises(InputError, match="--flow raft: expected pwm or ptlflow:MODEL"):
        TrainOptions(flow="raft")


def test_weights_of_another_flow_network_are_no_beginning(package, flow_options, options, tmp_path):
    save_weights(tmp_path / "tiny.safetensors", PtlflowStitchingNetwork(Tiny()).state_dict(), {"flow": "ptlflow:tiny"})
    for some in (options, replace(flow_options, flow="ptlflow:pyramid")):
        with pytest.raises(InputError, match=r"tiny\.safetensors: holds ptlflow:tiny; expected"):
            train("flow", tmp_path / "run", replace(some, begin_from=tmp_path / "tiny.safetensors"), quiet)


def test_a_network_that_cannot_be_trained_ends_the_run_with_its_reason(package, flow_options, tmp_path):
    with pytest.raises(JobError, match="it wants four pictures"):
        train("flow", tmp_path, replace(flow_options, flow="ptlflow:failing"), quiet)


# --- the real package ---


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what ptlflow imports
def test_a_network_of_ptlflow_is_trained_and_stitches(options, tmp_path, capfd):
    pytest.importorskip("ptlflow", reason="pip install 'parastitch[train,ptlflow]', in an environment of its own")
    some = replace(options, flow="ptlflow:rapidflow_it1", steps=2, matching_steps=0, precision="bf16")
    before = create_network("rapidflow_it1").state_dict()
    capfd.readouterr()
    metrics = train("flow", tmp_path, some, quiet)
    assert np.isfinite(metrics["flow/ov"])
    trained = create_network("rapidflow_it1", str(tmp_path / LAST)).state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in trained.items())
    warp = find_estimator(f"ptlflow:rapidflow_it1:{tmp_path / LAST}")(strips())
    assert np.isfinite(warp.residual).all()
    assert capfd.readouterr().out == ""
    with pytest.raises(InputError, match="use --warp ptlflow:rapidflow_it1:"):
        create_network("raft_small", str(tmp_path / LAST))
