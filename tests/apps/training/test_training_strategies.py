"""The trainer with multi-task optimizers that do more than add losses up."""

from dataclasses import replace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_runs import PARTS, SIZE, figures_of, quiet, stopping

from apps.training.checkpoints import LAST
from apps.training.data import FromFolder
from apps.training.objectives import Objectives
from apps.training.options import TASKS
from apps.training.per_example import part_of
from apps.training.run import train
from datasets.examples.batch import collate_examples
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import load_weights

SPECS = ["task-priority", "task-groups:beta=0.5,warm_up=1", "uncertainty+instances", "pcgrad", "gradient-norms"]


@pytest.fixture
def some(options):
    """All four tasks from the first step on, each sample once and again."""
    return replace(options, matching_steps=0, steps=6, classical_start=1.0, batch_size=2)


@pytest.mark.parametrize("spec", SPECS)
def test_every_task_is_trained_and_a_killed_run_ends_with_the_same_weights(some, tmp_path, monkeypatch, spec):
    chosen, lines = replace(some, strategy=spec, save_every=3), []
    train("joint", tmp_path / "whole", chosen, lines.append)
    steps = [figures_of(line) for line in lines if line.startswith("step ")]
    for step in steps:
        assert {"sequence", "epipolar", "visibility", "true seam", "stitch", "updates"} <= step.keys()
    moved = {name for step in steps for name in PARTS if step[f"gradient/{name}"]}
    assert moved == set(PARTS) - {"warping.correlation", "warping.update"}
    with monkeypatch.context() as patch:
        stopping(patch, 4, OSError("killed"))
        with pytest.raises(OSError, match="killed"):
            train("joint", tmp_path / "killed", chosen, quiet)
    train("joint", tmp_path / "killed", chosen, quiet)
    weights = [load_weights(tmp_path / run / LAST).weights for run in ("whole", "killed")]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("task-priority", {"channels/warp/stem", "channels/stitch/to_eighth.1.second"}),
        ("task-groups", {"affinity/warp on stitch", "group/geometry", "groups"}),
        ("instances", {"instance weight/stitch/10 %", "instance weight/warp/median"}),
        ("uncertainty+task-groups", {"sigma/warp", "groups"}),
    ],
)
def test_tensorboard_gets_what_the_strategy_decided(some, tmp_path, spec, names):
    train("joint", tmp_path, replace(some, strategy=spec, steps=2), quiet)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert {f"strategy/{name}" for name in names} <= set(events.Tags()["scalars"])


def test_losses_of_each_example_are_those_of_a_batch_of_one(folder):
    source = FromFolder(folder, SIZE, jitter_alignment=False)
    batch = collate_examples([source(index) for index in source.indices[:3]], sample_ids=source.indices[:3])
    torch.manual_seed(0)
    network = StitchingNetwork().eval()  # statistics of a batch would mix the examples
    losses, terms = Objectives(network, half=False, each=True)(batch, TASKS["joint"], True)
    for place in range(3):
        one = part_of(batch, place)
        assert one.sample_ids.tolist() == [source.indices[place]]
        alone, _ = Objectives(network, half=False)(one, TASKS["joint"], True)
        for task, loss in alone.items():
            assert loss.item() == pytest.approx(losses[task][place].item(), rel=1e-4)
    assert terms["sequence"].shape == ()


def test_instances_are_the_samples_of_the_data_set(some, folder, tmp_path):
    """A sample that the data set lacks is no reason to mistake others for it."""
    from apps.training import data

    loader = data.training_batches(some, 0, torch.device("cpu"))
    first, second = (next(loader).sample_ids.tolist() for _ in range(2))
    loader.close()
    assert sorted(first + second) == FromFolder(folder, SIZE, jitter_alignment=True).indices
