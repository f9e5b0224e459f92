"""Files of weights."""

import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stitching.errors import InputError
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import check_fits, load_into, load_weights, save_weights

FACTS = {"network": {"name": "small", "channels": [3, 4]}, "trained": ["warp"], "step": 7}


def make_net(channels=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels))


def saved(folder):
    path = folder / "last.safetensors"
    save_weights(path, make_net().state_dict(), FACTS)
    return path


def flip_a_byte(path, place):
    contents = bytearray(path.read_bytes())
    contents[place] ^= 1
    path.write_bytes(contents)


def test_weights_come_back_bit_for_bit_with_their_types_and_facts(tmp_path):
    path = tmp_path / "best.safetensors"
    shared = torch.randn(6)
    weights = {
        "half": torch.randn(3, 2).bfloat16(),
        "count": torch.tensor(5),
        "odd": torch.tensor([float("nan"), -0.0, float("inf")]),
        "transposed": torch.randn(2, 3).T,
        "last_channels": torch.randn(1, 3, 2, 2).to(memory_format=torch.channels_last),
        "tied": shared,
        "tied_too": shared,
        "trained": nn.Parameter(torch.randn(2)),
        "empty": torch.zeros(0, 3),
    }
    save_weights(path, weights, FACTS)
    found = load_weights(path)
    assert found.architecture == FACTS
    assert found.name == str(path)
    assert found.weights.keys() == weights.keys()
    for name, tensor in weights.items():
        assert found.weights[name].dtype == tensor.dtype
        assert torch.equal(found.weights[name].nan_to_num(9), tensor.nan_to_num(9))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_loaded_weights_make_the_same_network_and_outlive_the_file(tmp_path):
    path = saved(tmp_path)
    net = make_net()
    nn.init.zeros_(net[0].weight)
    found = load_weights(path)
    path.write_bytes(b"")
    load_into(net, found)
    expected = make_net().state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in net.state_dict().items())


def test_another_architecture_is_named_with_what_differs_and_changes_nothing(tmp_path):
    found = load_weights(saved(tmp_path))
    check_fits(make_net(), found)
    wider = make_net(channels=5)
    before = wider[0].weight.clone()
    with pytest.raises(InputError) as caught:
        load_into(wider, found)
    message = str(caught.value)
    assert '"name": "small"' in message
    assert "Sequential" in message
    assert "6 of another shape: 0.weight (4, 3, 3, 3) for (5, 3, 3, 3), 0.bias (4,) for (5,)" in message
    assert message.endswith("belong together")
    assert torch.equal(wider[0].weight, before)
    with pytest.raises(InputError, match=r"2 missing: weight, bias; 7 unknown: 0\.bias, 0\.weight, .*\.\.\.;"):
        check_fits(nn.Linear(1, 1), found)


def test_weights_of_an_earlier_version_are_said_to_be_that(tmp_path):
    network = StitchingNetwork()
    weights = {name: value for name, value in network.state_dict().items() if "encoder" not in name}
    save_weights(tmp_path / "old.safetensors", weights, {"network": "StitchingNetwork", "flow": "pwm"})
    with pytest.raises(InputError, match=r"old\.safetensors: weights of another version of Parastitch") as caught:
        check_fits(network, load_weights(tmp_path / "old.safetensors"))
    assert "\n" not in str(caught.value)


def damaged_files(folder):
    """Files that hold no weights, and what is said about them."""
    weights = {"weight": torch.ones(2, 3)}
    torch.save(weights, folder / "pickled.safetensors")
    torch.save(weights, folder / "old.safetensors", _use_new_zipfile_serialization=False)
    for name in ("short", "flipped"):
        save_weights(folder / name, weights, FACTS)
    whole = (folder / "short").read_bytes()
    (folder / "short").write_bytes(whole[:-5])
    (folder / "head").write_bytes(whole[:20])
    (folder / "empty").write_bytes(b"")
    flip_a_byte(folder / "flipped", -2)
    save_file(weights, folder / "foreign")
    save_file(weights, folder / "newer", {"format": "parastitch-weights", "version": "2"})
    save_file(weights, folder / "no architecture", {"format": "parastitch-weights", "version": "1"})
    deep = {"format": "parastitch-weights", "version": "1", "architecture": "[" * 100_000}
    save_file(weights, folder / "deep", deep)
    return {
        "pickled.safetensors": "pickled weights, which could run code when opened; save them as safetensors",
        "old.safetensors": "pickled weights",
        "short": "cut short",
        "head": "cut short",
        "empty": "cut short",
        "flipped": "its content has changed",
        "foreign": "format None; expected 'parastitch-weights'",
        "newer": "version 2 of its format; this program reads version 1",
        "deep": "its metadata lacks the architecture",
        "no architecture": "its metadata lacks the architecture",
        "missing": "no such file",
        ".": "cannot read",
    }


def test_files_that_hold_no_weights_are_refused_with_their_name(tmp_path):
    for name, words in damaged_files(tmp_path).items():
        with pytest.raises(InputError, match=words) as caught:
            load_weights(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(InputError, match="a pipe or a device"):
        load_weights(tmp_path / "pipe.safetensors")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        save_weights(tmp_path / "gone" / "file", {}, FACTS)
