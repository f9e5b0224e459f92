"""Flow networks of ptlflow as estimators: names, and the warp from their flow; mostly with stand-ins."""

from urllib.error import URLError

import numpy as np
import pytest
import torch
from flow_stand_ins import ADDRESS, NO_POINTS, Failing, Search, Tiny, refused, strips, use_stand_ins
from safetensors.torch import save_file
from synthetic import SIZE, two_planes

from stitching import Options, stitch
from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import align
from stitching.errors import JobError
from stitching.geometry.pixel_maps import pixel_grid, remap, rescale
from stitching.io.picture import as_picture, to_grey
from stitching.network.flow_networks.ptlflow_warping import PtlflowWarping
from stitching.warping.canvas_pictures import draw_canvas_pair
from stitching.warping.estimators.ptlflow import warp_by_network
from stitching.warping.estimators.registry import ESTIMATORS, find_estimator
from stitching.warping.flow.dense_inverse_search import dense_inverse_search
from stitching.warping.warp import CanvasPair


@pytest.fixture
def package(monkeypatch):
    use_stand_ins(monkeypatch)


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


def test_without_a_file_the_usual_weights_are_wanted_never_random_ones(package, monkeypatch):
    def load(address, **_):
        raise URLError(f"no route to {address}")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", load)
    assert ADDRESS in refused(lambda: find_estimator("ptlflow:tiny")(strips()))


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


# --- devices ---


def test_a_device_that_is_not_here_is_refused_and_never_replaced(package, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    save_file(Tiny().state_dict(), tmp_path / "w.safetensors")
    estimate = find_estimator(f"ptlflow:tiny:{tmp_path / 'w.safetensors'}", "cuda")
    assert "--device cuda: expected cpu; torch finds no GPU here" in refused(lambda: estimate(strips()))


def test_network_and_pictures_are_on_the_device():
    found = []

    class Observed(Failing):
        def forward(self, inputs):
            found.extend([self.weight.device.type, inputs["images"].device.type])
            return super().forward(inputs)

    with pytest.raises(JobError, match="failed on meta"):
        warp_by_network(strips(), PtlflowWarping(Observed()), "meta")
    assert found == ["meta", "meta"]
    assert warp_by_network(strips(), PtlflowWarping(Tiny())).device == "cpu"
