import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from apps.training import checkpoints
from apps.training.checkpoints import load_state, save_state
from stitching.errors import InputError, JobError
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
    save_file(weights, folder / "silent", {"format": "parastitch-weights", "version": "1"})
    return {
        "pickled.safetensors": "pickled weights, which could run code when opened; save them as safetensors",
        "old.safetensors": "pickled weights",
        "short": "cut short",
        "head": "cut short",
        "empty": "cut short",
        "flipped": "its content has changed",
        "foreign": "format None; expected 'parastitch-weights'",
        "newer": "version 2 of its format; this program reads version 1",
        "silent": "does not say what network it is for",
        "missing": "No such file",
        ".": "cannot read",
    }


def test_files_that_hold_no_weights_are_refused_with_their_name(tmp_path):
    for name, words in damaged_files(tmp_path).items():
        with pytest.raises(InputError, match=words) as caught:
            load_weights(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


def make_state():
    net = make_net()
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.randn(2, 3, 5, 5)).square().mean().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    return {
        "step": 3,
        "network": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": {name: value for name, value in schedule.state_dict().items() if not callable(value)},
        "random": torch.get_rng_state(),
        "best": None,
        "seen": ("warp", 0.1, True),
    }


def test_a_training_state_comes_back_the_same(tmp_path):
    state = make_state()
    save_state(tmp_path / "state.pt", state)
    found = load_state(tmp_path / "state.pt")
    assert found.keys() == state.keys()
    assert all(found[name] == state[name] for name in ("step", "schedule", "best", "seen"))
    assert torch.equal(found["random"], state["random"])
    for name, tensor in state["network"].items():
        assert torch.equal(found["network"][name], tensor)
    for number, moments in state["optimizer"]["state"].items():
        assert all(torch.equal(found["optimizer"]["state"][number][name], moments[name]) for name in moments)


def test_a_state_that_could_not_be_loaded_is_not_written(tmp_path):
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1})
    with pytest.raises(TypeError, match="cannot be loaded safely"):
        save_state(path, {"step": 2, "folder": Path("runs")})
    assert load_state(path) == {"step": 1}


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_files_that_hold_no_training_state_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("short", "flipped"):
        save_state(name, make_state())
    Path("short").write_bytes(Path("short").read_bytes()[:-100])
    flip_a_byte(Path("flipped"), Path("flipped").stat().st_size // 2)
    save_weights("weights", make_net().state_dict(), FACTS)
    torch.save({"state": Trap()}, "trap")
    torch.save({"epoch": 3}, "foreign")
    torch.save([3], "list")
    torch.save({"format": "parastitch-training-state", "version": 1}, "newer")
    refused = {
        "short": "damaged or cut short",
        "flipped": "damaged or cut short",
        "weights": "no training state",
        "trap": "holds pickled objects, which could run code",
        "foreign": "format None; expected 'parastitch-training-state'",
        "list": "format None",
        "newer": "version 1 of its format",
        "missing": "No such file",
    }
    for name, words in refused.items():
        with pytest.raises(InputError, match=words) as caught:
            load_state(name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not Path("sprung").exists()


@pytest.mark.parametrize("save", [save_weights, save_state])
@pytest.mark.parametrize(
    ("error", "expected"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), JobError)]
)
def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch, save, error, expected):
    path = tmp_path / "file"
    facts = [FACTS] if save is save_weights else []
    save(path, {"weight": torch.ones(2)}, *facts)
    old = path.read_bytes()

    def crash(self, contents):
        with self.open("wb") as file:
            file.write(bytes(contents)[:10])
        raise error

    monkeypatch.setattr(checkpoints.Path, "write_bytes", crash)
    with pytest.raises(expected):
        save(path, {"weight": torch.zeros(2)}, *facts)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("save", [save_weights, save_state])
def test_a_folder_that_does_not_exist_is_named(tmp_path, save):
    with pytest.raises(InputError, match="does not exist"):
        save(tmp_path / "gone" / "file", {}, *([FACTS] if save is save_weights else []))
