"""Networks of ptlflow by name, and their weights; with stand-ins."""

from collections import OrderedDict
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from flow_stand_ins import ADDRESS, NETWORKS, Tiny, refused, use_stand_ins
from safetensors.torch import save_file
from torch import nn

from stitching.network.flow_networks.ptlflow_package import create_network
from stitching.network.flow_networks.ptlflow_warping import PtlflowStitchingNetwork
from stitching.network.weights import open_network, save_weights


@pytest.fixture(autouse=True)
def _package(monkeypatch):
    use_stand_ins(monkeypatch)


def weights(seed=0):
    torch.manual_seed(seed)
    return Tiny().state_dict()


def save_checkpoint(path, state):
    """As ptlflow trains: a Lightning checkpoint."""
    torch.save({"state_dict": OrderedDict(state), "hyper_parameters": {"extra_params": {"mean": [0.3, 0.4]}}}, path)


def save_trained(path, state):
    """As `parastitch train flow --flow ptlflow:tiny` writes."""
    network = PtlflowStitchingNetwork(Tiny())
    network.warping.network.load_state_dict(state)
    save_weights(path, network.state_dict(), {"flow": "ptlflow:tiny"})


def test_an_unknown_network_is_refused_with_the_known_ones():
    message = refused(lambda: create_network("huge"))
    assert all(word in message for word in ("'huge'", "greedy", *NETWORKS))


def test_a_network_that_cannot_be_created_is_reported_with_its_reason():
    assert "there is no net to get parts from" in refused(lambda: create_network("greedy"))


def test_without_weights_a_network_is_random():
    torch.manual_seed(5)
    assert torch.equal(create_network("tiny").convolution.weight, weights(5)["convolution.weight"])


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("w.safetensors", lambda path, state: save_file(state, path)),
        ("trained.safetensors", save_trained),
        ("w.ckpt", save_checkpoint),
        ("w.pth", lambda path, state: torch.save(state, path)),
    ],
)
def test_weights_are_those_of_the_file(tmp_path, name, save):
    expected = weights(7)
    save(tmp_path / name, expected)
    network = create_network("tiny", str(tmp_path / name))
    assert all(torch.equal(value, expected[key]) for key, value in network.state_dict().items())
    assert network.extra_params == ({"mean": [0.3, 0.4]} if name == "w.ckpt" else {})


def test_a_pickled_object_is_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "owned",)

    torch.save({"state_dict": weights(), "more": Attack()}, tmp_path / "evil.ckpt")
    assert "pickled" in refused(lambda: create_network("tiny", str(tmp_path / "evil.ckpt")))
    assert not (tmp_path / "owned").exists()


def test_files_that_are_no_weights_are_refused(tmp_path):
    (tmp_path / "text.ckpt").write_text("this is no checkpoint")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "text.safetensors").write_text("this is no checkpoint")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    for path in tmp_path.iterdir():
        message = refused(lambda path=path: create_network("tiny", str(path)))
        assert str(path) in message
        assert "expected a .safetensors file" in message


def test_weights_of_another_network_are_refused(tmp_path):
    save_file(nn.Conv2d(3, 3, 3).state_dict(), tmp_path / "other.safetensors")
    torch.save({"state_dict": 5}, tmp_path / "five.ckpt")
    for path in tmp_path.iterdir():
        message = refused(lambda path=path: create_network("tiny", str(path)))
        assert f"{path} does not hold the weights of ptlflow's tiny" in message


def test_a_trained_file_says_which_network_it_holds(tmp_path):
    """Asked for as another network of ptlflow, or as PWM."""
    path = tmp_path / "trained.safetensors"
    save_trained(path, weights())
    for call in (lambda: create_network("pyramid", str(path)), lambda: open_network(path)):
        message = refused(call)
        assert f"{path} holds the flow network ptlflow:tiny" in message
        assert f"--warp ptlflow:tiny:{path}" in message


def test_a_file_of_pwm_is_refused(tmp_path):
    save_weights(tmp_path / "pwm.safetensors", weights(), {"network": "StitchingNetwork"})
    message = refused(lambda: create_network("tiny", str(tmp_path / "pwm.safetensors")))
    assert "holds the flow network pwm, not ptlflow:tiny" in message


def test_unknown_names_of_weights_are_refused_with_the_offered_ones():
    message = refused(lambda: create_network("tiny", "sintel"))
    assert all(word in message for word in ("'sintel'", "things", "ptlflow:tiny:FILE"))


def test_a_failed_download_is_reported_with_the_address(monkeypatch):
    asked = []

    def load(address, **settings):
        asked.append((address, settings["weights_only"]))
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", load)
    message = refused(lambda: create_network("tiny", "things"))
    assert all(word in message for word in ("no route to host", ADDRESS, "ptlflow:tiny:FILE"))
    assert asked == [(ADDRESS, True)]


def test_offered_weights_are_downloaded(monkeypatch):
    expected = weights(3)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: {"state_dict": expected})
    network = create_network("tiny", "things")
    assert all(torch.equal(value, expected[key]) for key, value in network.state_dict().items())
