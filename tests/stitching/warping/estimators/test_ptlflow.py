"""Flow networks of ptlflow: names, weights, and the warp from their flow; mostly with stand-ins."""

import sys
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from synthetic import SIZE, two_planes
from torch import nn

from stitching import InputError, Options, stitch
from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import align
from stitching.errors import JobError
from stitching.geometry.pixel_maps import pixel_grid, remap, rescale
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import as_picture, to_grey
from stitching.network.pair_tensors import PairTensors
from stitching.warping.canvas_pictures import draw_canvas_pair
from stitching.warping.estimators.classical import fill_outside
from stitching.warping.estimators.ptlflow import MIN_SIDE, PtlflowWarping, create_network, warp_by_network
from stitching.warping.estimators.registry import ESTIMATORS, find_estimator
from stitching.warping.flow.dense_inverse_search import dense_inverse_search
from stitching.warping.warp import CanvasPair

NO_POINTS = np.zeros((0, 2))
ADDRESS = "https://nowhere.example/tiny-things.ckpt"


class Tiny(nn.Module):
    """A stand-in: a flow from one convolution."""

    def __init__(self):
        super().__init__()
        self.pretrained_checkpoints = {"things": ADDRESS}
        self.convolution = nn.Conv2d(6, 2, 3, padding=1)
        self.extra_params = {}
        self.images = []

    def forward(self, inputs):
        self.images.append(inputs["images"].detach())
        flow = self.convolution(inputs["images"].flatten(1, 2))  # (b, 2, 3, h, w) -> (b, 6, h, w)
        return {"flows": flow[:, None]}

    def add_extra_param(self, name, value):
        self.extra_params[name] = value


class Search(nn.Module):
    """A stand-in that finds flow as a function of two grey pictures does."""

    def __init__(self, find):
        super().__init__()
        self.find = find

    def forward(self, inputs):
        first, second = (to_grey((p.permute(1, 2, 0) * 255).byte().numpy()) for p in inputs["images"][0])
        return {"flows": torch.from_numpy(self.find(first, second)).permute(2, 0, 1)[None, None]}


@pytest.fixture
def package(monkeypatch):
    """A package ptlflow with one network, `tiny`, and one that cannot be made here, `greedy`."""

    def get_model(name):
        if name == "greedy":
            raise OSError("there is no net\nto get parts from")
        return Tiny()

    known = SimpleNamespace(get_model_names=lambda: ["greedy", "tiny"], get_model=get_model)
    monkeypatch.setitem(sys.modules, "ptlflow", known)
    monkeypatch.setattr("stitching.warping.estimators.registry.find_spec", lambda name: name)


def tensors(height, width, batch=1):
    random = torch.Generator().manual_seed(0)
    pictures = [torch.rand(batch, 3, height, width, generator=random) for _ in range(2)]
    return PairTensors(*pictures, *(torch.ones(batch, 1, height, width) for _ in range(2)))


def strips():
    """A pair of which the reference sees the left, the target the right; darker, with a rim that nobody sees."""
    random = np.random.default_rng(0)
    height, width = 140, 200
    columns, inner = np.arange(width), np.zeros((height, width), bool)
    inner[10:-10] = True
    reference_valid, target_valid = (columns < 150) & inner, (columns >= 60) & inner
    scene = random.integers(60, 256, (height, width, 3), np.uint8)
    reference = np.where(reference_valid[..., None], scene, 0).astype(np.uint8)
    target = np.where(target_valid[..., None], scene // 2, 0).astype(np.uint8)
    return CanvasPair(reference, target, reference_valid, target_valid, NO_POINTS, NO_POINTS)


def refused(call):
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- names ---


@pytest.mark.parametrize("name", ["ptlflow", "ptlflow:", "ptlflow::file.ckpt", "raft", "PTLFLOW:raft"])
def test_an_unknown_warp_is_refused_with_the_known_ones(package, name):
    message = refused(lambda: find_estimator(name))
    assert all(word in message for word in (repr(name), *ESTIMATORS, "ptlflow:MODEL"))


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("stitching.warping.estimators.registry.find_spec", lambda name: None)
    assert "pip install 'parastitch[ptlflow]'" in refused(lambda: find_estimator("ptlflow:raft"))


def test_a_missing_file_is_reported_before_anything_is_read(package, tmp_path):
    options = Options(warp=f"ptlflow:tiny:{tmp_path / 'lost.ckpt'}")
    assert "lost.ckpt" in refused(lambda: stitch("nowhere.jpg", "nowhere.jpg", options))


def test_a_tilde_behind_the_colon_is_the_home_folder(package, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_file(Tiny().state_dict(), tmp_path / "w.safetensors")
    warp = find_estimator("ptlflow:tiny:~/w.safetensors")(strips())
    assert np.isfinite(warp.residual).all()


def test_an_unknown_network_is_refused_with_the_known_ones(package):
    message = refused(lambda: create_network("huge", "things"))
    assert all(word in message for word in ("'huge'", "greedy", "tiny"))


def test_a_network_that_cannot_be_created_is_reported_with_its_reason(package):
    assert "there is no net to get parts from" in refused(lambda: create_network("greedy", "things"))


# --- weights ---


def weights(seed=0):
    torch.manual_seed(seed)
    return Tiny().state_dict()


def save_checkpoint(path, state):
    """As ptlflow trains: a Lightning checkpoint."""
    torch.save({"state_dict": OrderedDict(state), "hyper_parameters": {"extra_params": {"mean": [0.3, 0.4]}}}, path)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("w.safetensors", lambda path, state: save_file(state, path)),
        ("w.ckpt", save_checkpoint),
        ("w.pth", lambda path, state: torch.save(state, path)),
    ],
)
def test_weights_are_those_of_the_file(package, tmp_path, name, save):
    expected = weights(7)
    save(tmp_path / name, expected)
    network = create_network("tiny", str(tmp_path / name))
    assert all(torch.equal(value, expected[key]) for key, value in network.state_dict().items())
    assert network.extra_params == ({"mean": [0.3, 0.4]} if name == "w.ckpt" else {})


def test_a_pickled_object_is_not_run(package, tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "owned",)

    torch.save({"state_dict": weights(), "more": Attack()}, tmp_path / "evil.ckpt")
    assert "pickled" in refused(lambda: create_network("tiny", str(tmp_path / "evil.ckpt")))
    assert not (tmp_path / "owned").exists()


def test_files_that_are_no_weights_are_refused(package, tmp_path):
    (tmp_path / "text.ckpt").write_text("this is no checkpoint")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "text.safetensors").write_text("this is no checkpoint")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    for path in tmp_path.iterdir():
        message = refused(lambda path=path: create_network("tiny", str(path)))
        assert str(path) in message
        assert "expected a .safetensors file" in message


def test_weights_of_another_network_are_refused(package, tmp_path):
    save_file(nn.Conv2d(3, 3, 3).state_dict(), tmp_path / "other.safetensors")
    torch.save({"state_dict": 5}, tmp_path / "five.ckpt")
    for path in tmp_path.iterdir():
        message = refused(lambda path=path: create_network("tiny", str(path)))
        assert f"{path} does not hold the weights of ptlflow's tiny" in message


def test_unknown_names_of_weights_are_refused_with_the_offered_ones(package):
    message = refused(lambda: create_network("tiny", "sintel"))
    assert all(word in message for word in ("'sintel'", "things", "--warp ptlflow:tiny:FILE"))


def test_a_failed_download_is_reported_with_the_address(package, monkeypatch):
    """Without a file the usual weights are wanted, never random ones."""
    asked = []

    def load(address, **settings):
        asked.append((address, settings["weights_only"]))
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", load)
    message = refused(lambda: find_estimator("ptlflow:tiny")(strips()))
    assert all(word in message for word in ("no route to host", ADDRESS, "--warp ptlflow:tiny:FILE"))
    assert asked == [(ADDRESS, True)]


def test_offered_weights_are_downloaded(package, monkeypatch):
    expected = weights(3)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: {"state_dict": expected})
    network = create_network("tiny", "things")
    assert all(torch.equal(value, expected[key]) for key, value in network.state_dict().items())


# --- the module ---


@pytest.mark.parametrize(("height", "width"), [(MIN_SIDE, MIN_SIDE + 24), (72, 300), (51, 33)])
def test_small_pictures_are_padded_for_the_network(height, width):
    network = Tiny()
    assert PtlflowWarping(network)(tensors(height, width, batch=2)).shape == (2, 2, height, width)
    assert network.images[0].shape == (2, 2, 3, max(height, MIN_SIDE), max(width, MIN_SIDE))


def test_pictures_are_filled_as_for_the_classical_estimator():
    pair, network = strips(), Tiny()
    warp_by_network(pair, PtlflowWarping(network))
    expected = fill_outside(pair.crop(Rectangle(28, 0, 182, 140)))[::-1]  # the overlap and 32 px
    valid = network.images[0][0, :, :, :140, :154].permute(0, 2, 3, 1).numpy() * 255
    for picture, truth in zip(valid, expected, strict=True):
        assert np.abs(picture - truth).max() <= 1.01  # bytes are cut off, not rounded


# --- from flow to warp ---


def test_a_good_flow_is_a_good_warp():
    """On the synthetic pair with a stand-in that finds flow: places, frames and directions are the right ones."""
    scene, scale = two_planes(), 0.9
    alignment = align(to_grey(scene.target), to_grey(scene.reference))
    coarse = plan_coarse_warp(alignment, SIZE, SIZE)
    pair, places = draw_canvas_pair(as_picture(scene.reference), as_picture(scene.target), alignment, coarse, scale)
    warp = warp_by_network(pair, PtlflowWarping(Search(dense_inverse_search)))
    true_places = remap(scene.map_xy.astype(np.float32), places).astype(np.float64)
    truth = rescale(coarse.canvas.from_reference(true_places), scale) - pixel_grid(*pair.target_valid.shape)
    visible = (remap(scene.visible.astype(np.uint8), places) > 0) & pair.target_valid
    error = np.linalg.norm(warp.residual - truth, axis=2)
    trusted = warp.confidence > 0.5
    assert np.median(error[visible]) < 0.5
    assert trusted[visible].mean() > 0.8
    assert np.percentile(error[visible & trusted & pair.overlap], 95) < 2
    assert warp.residual.dtype == warp.confidence.dtype == np.float32


def test_an_inconsistent_flow_is_not_trusted():
    pair = strips()
    both_right = Search(lambda first, _: np.full((*first.shape, 2), 3, np.float32))
    warp = warp_by_network(pair, PtlflowWarping(both_right))
    assert not warp.confidence[pair.overlap].any()
    assert not warp.residual.any()


def test_without_an_overlap_the_network_does_not_run():
    pair = strips()
    apart = CanvasPair(pair.reference, pair.target, pair.reference_valid, ~pair.reference_valid, NO_POINTS, NO_POINTS)
    network = Tiny()
    assert not warp_by_network(apart, PtlflowWarping(network)).residual.any()
    assert not network.images


def test_a_flow_that_is_not_finite_is_refused():
    nowhere = Search(lambda first, _: np.full((*first.shape, 2), np.nan, np.float32))
    assert "no finite flow" in refused(lambda: warp_by_network(strips(), PtlflowWarping(nowhere)))


def test_a_failing_network_is_reported():
    def fail(*_):
        raise RuntimeError("it wants\nfour pictures")

    with pytest.raises(JobError, match="it wants four pictures"):
        warp_by_network(strips(), PtlflowWarping(Search(fail)))


# --- the real package ---


@pytest.mark.filterwarnings("ignore")  # of what ptlflow imports
def test_a_network_of_ptlflow_stitches(tmp_path, capfd):
    ptlflow = pytest.importorskip("ptlflow", reason="pip install 'parastitch[ptlflow]', in an environment of its own")
    torch.manual_seed(0)
    save_file(ptlflow.get_model("raft_small").state_dict(), tmp_path / "random.safetensors")
    capfd.readouterr()
    name = f"ptlflow:raft_small:{tmp_path / 'random.safetensors'}"
    stitched = stitch(two_planes().reference, two_planes().target, Options(warp=name, work_megapix=0.05))
    assert stitched.summary.warp == name
    assert stitched.alpha.any()
    assert capfd.readouterr().out == ""
    assert "raft_small" in refused(lambda: create_network("no_such_network", "things"))
