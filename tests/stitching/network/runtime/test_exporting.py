"""The exported network computes what torch does, whatever the window, and only what is asked for."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stitching.errors import InputError, JobError
from stitching.geometry.pixel_maps import pixel_grid
from stitching.network.runtime import export as exporting
from stitching.network.runtime.export import ExportedNetwork, export_network
from stitching.network.runtime.onnx_runtime import INPUTS, OUTPUTS, PARTS, OnnxRunner, open_runner
from stitching.network.runtime.torch_runtime import TorchRunner
from stitching.network.splatting import LEAST_COVERAGE
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import open_network

TRAINED = Path(exporting.__file__).parents[2] / "weights" / "network.safetensors"
FINE = "warp", "free", "confidence", "weight", "gain", "fill"

Planes = dict[str, NDArray[np.float32]]


def random_network() -> StitchingNetwork:
    """Random, yet its heads say something."""
    torch.manual_seed(0)
    network = StitchingNetwork()
    with torch.no_grad():
        for head in (network.warping.move, network.warping.see, *list(network.generating.children())[-3:]):
            head.weight.normal_(std=0.05)
    return network


@dataclass(frozen=True)
class Both:
    """A network in torch and its file."""

    torch: TorchRunner
    onnx: OnnxRunner


@pytest.fixture(scope="module", params=["random", "trained"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    network = open_network(TRAINED) if request.param == "trained" else random_network()
    path = tmp_path_factory.mktemp("exported") / f"{request.param}.onnx"
    export_network(network, path, {"weights": request.param})
    return Both(TorchRunner(ExportedNetwork(network), torch.device("cpu")), OnnxRunner.open(path, "cpu"))


def window(h: int, w: int, seed: int = 0) -> Planes:
    """A random picture and the same moved, each with a side that is not seen; a start, trusted in spots."""
    noise = np.random.default_rng(seed)

    def smooth(channels: int, cell: int) -> NDArray[np.float32]:
        small = noise.random((h // cell, w // cell, channels), np.float32)
        return cv2.resize(small, (w, h)).reshape(h, w, channels).transpose(2, 0, 1)[None]

    picture = 0.7 * smooth(3, 8) + 0.3 * smooth(3, 3)
    reference_valid, target_valid = np.ones((2, 1, 1, h, w), np.float32)
    reference_valid[..., 2 * w // 3 :], target_valid[..., : w // 5] = 0, 0
    moved = 0.8 * np.roll(picture, (2, -4), (2, 3))
    trusted = (smooth(1, 8) > 0.5).astype(np.float32)
    made = picture * reference_valid, moved * target_valid, reference_valid, target_valid, 9 * smooth(2, 8) - 4, trusted
    return {name: np.ascontiguousarray(plane, np.float32) for name, plane in zip(INPUTS, made, strict=True)}


def check_same(both: Both, planes: Planes) -> None:
    expected, found = both.torch(OUTPUTS, planes), both.onnx(OUTPUTS, planes)
    for name in FINE:
        assert np.abs(found[name] - expected[name]).max() < 1e-3, name
    assert np.abs(found["coverage"] - expected["coverage"]).max() < 1e-3
    covered = expected["coverage"] > 2 * LEAST_COVERAGE
    assert (np.abs(found["backward"] - expected["backward"]) * covered).max() < 1e-3
    for part in ("match", "match_back"):
        for name in PARTS[part]:
            assert np.median(np.abs(found[name] - expected[name])) < 1e-3, name
            # Of two places that match as well, rounding chooses.
            assert (np.abs(found[name] - expected[name]) > 1e-2).mean() < 0.01, name


@pytest.mark.parametrize(("h", "w"), [(72, 104), (104, 56), (32, 128), (256, 320)])
def test_files_compute_what_torch_does(both: Both, h: int, w: int) -> None:
    """Of other sizes than the one that was traced, upright ones and odd numbers of cells too."""
    check_same(both, window(h, w, seed=h))


@pytest.mark.parametrize("name", ["reference_valid", "target_valid", "trusted"])
def test_nothing_seen_is_nothing_special(both: Both, name: str) -> None:
    planes = window(72, 88)
    planes[name][:] = 0
    check_same(both, planes)
    for found in both.onnx(OUTPUTS, planes).values():
        assert np.isfinite(found).all()


def test_shapes_are_as_documented(both: Both) -> None:
    found = both.onnx(OUTPUTS, window(40, 72))
    channels = dict.fromkeys(OUTPUTS, 1) | dict.fromkeys(("matches", "back_matches", "warp", "free", "backward"), 2)
    channels |= {"gain": 3, "fill": 3}
    for name, field in found.items():
        size = (5, 9) if name in PARTS["match"] + PARTS["match_back"] else (40, 72)
        assert field.shape == (1, channels[name], *size), name
        assert field.dtype == np.float32
    for name in ("match_confidence", "back_confidence", "confidence", "weight", "fill"):
        assert 0 <= found[name].min() <= found[name].max() <= 1 + 1e-6, name


def test_the_start_stays_where_it_is_trusted(both: Both) -> None:
    planes = window(72, 88)
    found = both.onnx(["warp", "free"], planes)
    trusted = np.broadcast_to(planes["trusted"] == 1, found["warp"].shape)
    assert 0.2 < trusted.mean() < 0.8
    assert np.array_equal(found["warp"][trusted], planes["start"][trusted])
    assert np.abs(found["free"] - planes["start"])[trusted].max() > 0.1
    assert np.abs(found["warp"] - planes["start"])[~trusted].max() > 0.1


def test_matches_back_are_matches_with_the_roles_swapped(both: Both) -> None:
    planes = window(72, 88)
    swapped = {name: planes[name] for name in ("start", "trusted")}
    for mine, other in (("reference", "target"), ("target", "reference")):
        swapped |= {mine: planes[other], f"{mine}_valid": planes[f"{other}_valid"]}
    there, back = both.onnx(PARTS["match"], swapped), both.onnx(PARTS["match_back"], planes)
    assert np.abs(there["match_confidence"] - back["back_confidence"]).max() < 1e-4
    assert np.median(np.abs(there["matches"] - back["back_matches"])) < 1e-3


def test_backward_says_where_in_the_target_a_pixel_comes_from(both: Both) -> None:
    """Of a shift, exactly; its own place where nothing landed."""
    planes = window(64, 80)
    planes["start"][:, 0], planes["start"][:, 1], planes["trusted"][:] = 6, -3, 1
    planes["target_valid"][:] = 1
    found = both.onnx(PARTS["splat"], planes)
    place = found["backward"][0].transpose(1, 2, 0) - pixel_grid(64, 80)
    covered = np.zeros((64, 80), bool)
    covered[:-3, 6:] = True
    assert found["coverage"][0, 0][covered] == pytest.approx(1, abs=1e-5)
    assert not found["coverage"][0, 0][~covered].any()
    assert place[covered] == pytest.approx(np.broadcast_to([-6, 3], (covered.sum(), 2)), abs=1e-4)
    assert not place[~covered].any()


def test_what_is_not_asked_for_is_not_computed(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    planes = window(64, 80)
    off = {part: np.array(False) for part in PARTS}
    assert all(found.size == 0 for found in both.onnx.session.run(list(OUTPUTS), planes | off))
    whole = both.onnx(OUTPUTS, planes)
    for part, names in PARTS.items():
        alone = both.onnx(names[-1:], planes)
        assert alone.keys() == {*names[-1:]}, part
        assert np.allclose(alone[names[-1]], whole[names[-1]], atol=1e-5)
    monkeypatch.setattr(both.torch.network.network.generating, "forward", lambda *_: pytest.fail("computed"))
    assert both.torch(["warp", "coverage"], planes).keys() == {"warp", "coverage"}


def test_trained_weights_are_run_as_they_are(tmp_path: Path) -> None:
    planes = window(64, 80)
    expected = TorchRunner(ExportedNetwork(open_network(TRAINED)), torch.device("cpu"))(["weight"], planes)
    assert np.array_equal(open_runner(TRAINED, "cpu")(["weight"], planes)["weight"], expected["weight"])
    with pytest.raises(InputError, match="No such file"):
        open_runner(tmp_path / "none.safetensors")


def test_half_precision_halves_the_file_and_the_network_stays_as_it_is(tmp_path: Path) -> None:
    network, path = random_network(), tmp_path / "half.onnx"
    before = {name: value.clone() for name, value in network.state_dict().items()}
    differences = export_network(network, path, {"step": 7}, "fp16")
    assert path.stat().st_size < 9e6
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert differences.keys() == {*OUTPUTS}
    assert 1e-5 < differences["free"] < 0.1  # px: weights are rounded
    runner = OnnxRunner.open(path, "cpu")
    assert runner.facts["precision"] == "fp16"
    assert runner.facts["architecture"] == '{"step": 7}'
    with torch.no_grad():
        network.warping.move.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(InputError, match=r"warping\.move\.weight does not fit into half precision; use .* fp32"):
        export_network(network, path, {}, "fp16")


@pytest.mark.parametrize("broken", ["limit", "nan"])
def test_a_file_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    network, path = random_network(), tmp_path / "old.onnx"
    path.write_bytes(b"old")
    if broken == "limit":
        monkeypatch.setattr(exporting, "LIMIT", 1e-9)
    else:
        with torch.no_grad():
            network.warping.move.weight.fill_(torch.nan)
    with pytest.raises(JobError, match=r"old\.onnx: not written, it would differ from torch by .*'free'"):
        export_network(network, path, {})
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with pytest.raises(InputError, match="does not exist; create it first"):
        export_network(network, tmp_path / "none" / "x.onnx", {})


def test_what_torch_cannot_do_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = TorchRunner(ExportedNetwork(StitchingNetwork()), torch.device("cpu"))

    def fields(*_: object) -> None:
        raise torch.OutOfMemoryError("no room\nfor 9 GB")

    monkeypatch.setattr(runner.network, "fields", fields)
    with pytest.raises(JobError, match=r"the network failed on cpu \(no room for 9 GB\)"):
        runner(["gain"], {"target": np.zeros((1, 3, 32, 32), np.float32)})


def test_a_gpu_that_torch_does_not_find_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="--device cuda: this machine has no such device"):
        open_runner(TRAINED, "cuda")
