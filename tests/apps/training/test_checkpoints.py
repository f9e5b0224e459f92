"""Training states as files."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from apps.training import checkpoints
from apps.training.checkpoints import load_state, save_state
from stitching.errors import InputError, JobError
from stitching.network.weights import save_weights


def make_state():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.randn(2, 3, 5, 5)).square().mean().backward()
    optimizer.step()
    return {
        "step": 3,
        "network": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "best": None,
        "settings": ("warp", 0.1, True),
    }


def test_a_training_state_comes_back_the_same(tmp_path):
    state = make_state()
    save_state(tmp_path / "state.pt", state)
    found = load_state(tmp_path / "state.pt")
    assert found.keys() == state.keys()
    assert all(found[name] == state[name] for name in ("step", "best", "settings"))
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
    contents = bytearray(Path("flipped").read_bytes())
    contents[len(contents) // 2] ^= 1
    Path("flipped").write_bytes(contents)
    save_weights("weights", {"weight": torch.ones(2)}, {"network": "small"})
    torch.save({"state": Trap()}, "trap")
    torch.save({"epoch": 3}, "foreign")
    torch.save([3], "list")
    torch.save({"format": "parastitch-training-state", "version": 1}, "older")
    refused = {
        "short": "damaged or cut short",
        "flipped": "damaged or cut short",
        "weights": "no training state",
        "trap": "holds pickled objects, which could run code",
        "foreign": "format None; expected 'parastitch-training-state'",
        "list": "format None",
        "older": "version 1 of its format",
        "missing": "no such file",
    }
    for name, words in refused.items():
        with pytest.raises(InputError, match=words) as caught:
            load_state(name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    ("error", "expected"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), JobError)]
)
def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch, error, expected):
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1})
    old = path.read_bytes()

    def crash(self, contents):
        with self.open("wb") as file:
            file.write(bytes(contents)[:10])
        raise error

    monkeypatch.setattr(checkpoints.Path, "write_bytes", crash)
    with pytest.raises(expected):
        save_state(path, {"step": 2})
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        save_state(tmp_path / "gone" / "file", {})


def test_a_pipe_in_the_place_of_a_state_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "state.pt")
    with pytest.raises(InputError, match="a pipe"):
        load_state(tmp_path / "state.pt")
