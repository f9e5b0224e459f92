"""The networks: what is shared, what is a task's own, and what task norms change."""

import sys
from importlib.util import find_spec
from types import ModuleType

import pytest
import torch
from benchmark_toys import LABELS, SIZE, TASKS

from apps.benchmarking.experiment.choices import NETWORKS, SCALABLE_NETWORKS
from apps.benchmarking.networks.multi_task_network import SCALABLE, TRUNKS, build_network
from datasets.labels import Labels
from stitching.errors import InputError

CHANNELS = {"segmentation": 3, "depth": 1, "normals": 3, "edges": 1}
ENCODERS = "resnet18", "hrnet18", "vit-tiny"


def images(size=SIZE):
    return torch.rand(2, 3, size[1], size[0], generator=torch.Generator().manual_seed(0))


def check_answers(network, size=SIZE):
    answers = network(images(size), TASKS)
    shapes = {task: (2, channels, size[1], size[0]) for task, channels in CHANNELS.items()}
    assert {task: tuple(answer.shape) for task, answer in answers.items()} == shapes
    return answers


@pytest.mark.parametrize("norms", [False, True])
@pytest.mark.parametrize("name", ["small", "segnet"])
def test_every_task_gets_an_answer_of_the_size_of_the_picture(name, norms):
    check_answers(build_network(name, LABELS, norms, 0).eval(), (64, 32))


@pytest.mark.parametrize("name", ["small", "segnet"])
def test_of_pairs_both_pictures_are_looked_at(name):
    network = build_network(name, LABELS, True, 0, channels=6)
    first, black = images(), torch.zeros(images().shape)
    pair, alone = (network(torch.cat((first, other), 1), TASKS) for other in (first.flip(3), black))
    assert not torch.equal(pair["depth"], alone["depth"])
    assert network.shared_layers(SIZE)


def test_networks_of_timm_take_single_pictures_only():
    with pytest.raises(InputError, match="pictures of 6 channels: expected 3; small"):
        build_network("resnet18", LABELS, False, 0, channels=6)


@pytest.mark.parametrize("norms", [False, True])
def test_every_parameter_is_either_shared_or_one_tasks_own(norms):
    network = build_network("small", LABELS, norms, 0)
    split = network.split_parameters()
    assert len(list(split)) == len(set(split)) == len(list(network.parameters()))
    for task in TASKS:
        network.zero_grad()
        network(images(), [task])[task].sum().backward()
        reached = {parameter for parameter in network.parameters() if parameter.grad is not None}
        assert reached <= {*split.shared, *split.tasks[task]}
        assert set(split.tasks[task]) <= reached
    assert (len(split.tasks["depth"]) > len(list(network.heads["depth"].parameters()))) == norms


def test_with_task_norms_a_task_does_not_depend_on_the_norms_of_others():
    network = build_network("small", LABELS, True, 0).eval()
    before = check_answers(network)
    with torch.no_grad():
        for parameter in network.split_parameters().tasks["depth"]:
            parameter.mul_(2)
    after = check_answers(network)
    assert not torch.equal(after["depth"], before["depth"])
    assert all(torch.equal(after[task], before[task]) for task in TASKS if task != "depth")


def test_task_norms_begin_with_the_same_network():
    plain, normed = (build_network("small", LABELS, norms, 0).eval() for norms in (False, True))
    for task, answer in check_answers(plain).items():
        torch.testing.assert_close(check_answers(normed)[task], answer)


@pytest.mark.parametrize("name", ["digits", "small"])
def test_heads_for_whole_pictures_see_where_something_is(name):
    labels = {"left": Labels("category", 10), "number": Labels("number")}
    pictures = torch.zeros(2, 3, 16, 16)
    pictures[0, :, 2:6, 2:6], pictures[1, :, 2:6, 10:14] = 1, 1
    answers = build_network(name, labels, False, 0, 0.5)(pictures, list(labels))
    assert {task: tuple(answer.shape) for task, answer in answers.items()} == {"left": (2, 10), "number": (2, 1)}
    assert all(float((answer[0] - answer[1]).abs().max().detach()) > 0.01 for answer in answers.values())


@pytest.mark.parametrize("size", [(12, 12), (8, 16)])
def test_the_network_for_digits_can_be_read_for_priorities(size):
    network = build_network("digits", {"digit": Labels("category", 10)}, True, 0, 0.25)
    assert [layer.weight.shape[0] for layer in network.shared_layers(size)] == [4, 8, 8, 8]


def test_looking_for_layers_changes_nothing():
    network = build_network("small", LABELS, True, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert len(network.shared_layers(SIZE)) == 15  # all convolutions of the trunk
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_weights_depend_on_the_seed_alone():
    first, again, other = (build_network("small", LABELS, False, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["trunk.stem.0.weight"], other["trunk.stem.0.weight"])


def test_the_names_are_those_of_the_command_line():
    assert set(NETWORKS) == {*SCALABLE, *TRUNKS}
    assert set(SCALABLE_NETWORKS) == set(SCALABLE)


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is here")
def test_without_timm_its_networks_say_what_to_install():
    with pytest.raises(InputError, match=r"pip install 'parastitch\[encoders\]'"):
        build_network("resnet18", LABELS, False, 0)


@pytest.mark.parametrize(
    ("error", "words"),
    [(RuntimeError("no torchvision::nms"), "timm cannot be used.*nms"), (OSError("no net"), "weights .*no net")],
)
def test_where_timm_fails_the_network_is_named(monkeypatch, error, words):
    class Timm(ModuleType):
        def __getattr__(self, name):
            if name != "create_model":
                raise AttributeError(name)
            if isinstance(error, RuntimeError):
                raise error
            return self.fail

        def fail(self, *_, **__):
            raise error

    monkeypatch.setattr("apps.benchmarking.networks.timm_encoders.find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "timm", Timm("timm"))
    with pytest.raises(InputError, match=f"--network.*{words}"):
        build_network("resnet18-imagenet", LABELS, False, 0)


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is not here")
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_of_timm_answer_every_task(name):
    check_answers(build_network(name, LABELS, True, 0).eval(), (64, 32))
    assert build_network(name, LABELS, True, 0).shared_layers((64, 32))
