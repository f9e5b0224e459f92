"""The exported graphs compute what torch does, whatever the window; what their outputs mean."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from stitching.errors import InputError, JobError
from stitching.network.interface import GRAPHS, MATCHING, MULTIPLE, PWM, SIGMO, GraphInterface, Planes, Runtime
from stitching.network.runtime import onnx_export as export
from stitching.network.runtime.network_files import load_runtime
from stitching.network.runtime.onnx_export import export_network, random_inputs
from stitching.network.runtime.onnx_runtime import OnnxRuntime
from stitching.network.runtime.torch_graphs import torch_graph
from stitching.network.runtime.torch_runtime import TorchRuntime
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import open_network

TRAINED = Path(export.__file__).parents[2] / "weights" / "network.safetensors"
FILES = {"SHA256SUMS", *(f"{graph.name}.onnx" for graph in GRAPHS)}

Graphs = Mapping[GraphInterface, tuple[Runtime, Runtime]]  # graph -> in torch, exported


def random_network() -> StitchingNetwork:
    """Random weights, those of the output heads too, which are almost zero at first."""
    torch.manual_seed(0)
    network = StitchingNetwork()
    with torch.no_grad():
        for head in (network.warping.move, network.warping.see, *list(network.generating.children())[-3:]):
            head.weight.normal_(std=0.05)
    return network


@pytest.fixture(scope="module", params=["random", "trained"])
def graphs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    network = open_network(TRAINED) if request.param == "trained" else random_network()
    folder = tmp_path_factory.mktemp("exported") / "new folder"
    export_network(network, folder, {"weights": request.param})
    return {
        graph: (TorchRuntime(torch_graph(graph, network), "cpu"), load_runtime(graph, str(folder), "cpu"))
        for graph in GRAPHS
    }


def check_same(graphs: Graphs, graph: GraphInterface, planes: Planes) -> None:
    expected, found = (runtime(planes) for runtime in graphs[graph])
    assert found.keys() == expected.keys() == graph.outputs.keys()
    for name in graph.outputs:
        assert np.isfinite(found[name]).all(), name
        off = np.abs(found[name] - expected[name])
        if graph is MATCHING:
            assert np.median(off) < 1e-3, name
            assert (off > 1e-2).mean() < 0.01, name  # of two matches as good as each other, rounding chooses
        else:
            assert off.max() < 1e-3, name


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
@pytest.mark.parametrize(("h", "w"), [(72, 104), (104, 56), (32, 128), (256, 320)])
def test_files_compute_what_torch_does(graphs: Graphs, graph: GraphInterface, h: int, w: int) -> None:
    """At other sizes than the traced one, upright ones and odd numbers of cells too."""
    check_same(graphs, graph, random_inputs(graph, h, w, seed=h))


@pytest.mark.parametrize("name", ["reference_valid", "target_valid", "trusted"])
def test_masks_may_be_empty(graphs: Graphs, name: str) -> None:
    for graph in GRAPHS:
        planes = random_inputs(graph, 72, 88)
        if name in planes:
            planes[name][:] = 0
            check_same(graphs, graph, planes)


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_shapes_and_ranges_are_as_documented(graphs: Graphs, graph: GraphInterface) -> None:
    found = graphs[graph][1](random_inputs(graph, 40, 72))
    stride = MULTIPLE if graph is MATCHING else 1
    for name, field in found.items():
        assert field.shape == (1, graph.outputs[name], 40 // stride, 72 // stride), name
        assert field.dtype == np.float32
        if "confidence" in name or name == "weight":
            assert 0 <= field.min() <= field.max() <= 1 + 1e-6, name


def test_pwm_extrapolates_the_start_and_does_not_put_it_back(graphs: Graphs) -> None:
    planes = random_inputs(PWM, 72, 88)
    residual = graphs[PWM][1](planes)["residual"]
    assert np.abs(residual - planes["start"]).max() > 0.1
    planes["start"] += 100
    assert np.median(graphs[PWM][1](planes)["residual"] - residual) == pytest.approx(100, abs=20)


def test_backward_matches_are_forward_matches_of_the_exchanged_pictures(graphs: Graphs) -> None:
    planes = random_inputs(MATCHING, 72, 88)
    exchanged = {
        a + suffix: planes[b + suffix]
        for a, b in (("reference", "target"), ("target", "reference")) for suffix in ("", "_valid")
    }  # fmt: skip
    forward, backward = graphs[MATCHING][1](exchanged), graphs[MATCHING][1](planes)
    assert np.abs(forward["forward_confidence"] - backward["backward_confidence"]).max() < 1e-4
    assert np.median(np.abs(forward["forward_matches"] - backward["backward_matches"])) < 1e-3


def test_sigmo_shows_the_one_picture_that_is_valid(graphs: Graphs) -> None:
    planes = random_inputs(SIGMO, 64, 80)
    weight = graphs[SIGMO][1](planes)["weight"]
    reference, target = planes["reference_valid"] > 0, planes["target_valid"] > 0
    assert (weight[reference & ~target] == 1).all()
    assert (weight[target & ~reference] == 0).all()


# --- writing ---


def test_half_precision_halves_the_files_and_the_network_stays_as_it_is(tmp_path: Path) -> None:
    network = random_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    differences = export_network(network, tmp_path, {"step": 7}, "fp16")
    assert {file.name for file in tmp_path.iterdir()} == FILES
    weights = sum(value.numel() for value in before.values())  # 2 bytes each; the backbone is in all three files
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2.7 * weights
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert {name: {*off} for name, off in differences.items()} == {g.name: {*g.outputs} for g in GRAPHS}
    assert 1e-5 < differences["pwm"]["residual"] < 0.1  # px: weights are rounded
    runtime = OnnxRuntime.open(PWM, tmp_path / "pwm.onnx", "cpu")
    assert runtime.facts["precision"] == "fp16"
    assert runtime.facts["architecture"] == '{"step": 7}'
    with torch.no_grad():
        network.warping.move.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(InputError, match=r"warping\.move\.weight does not fit into half precision; use .* fp32"):
        export_network(network, tmp_path, {}, "fp16")


@pytest.mark.parametrize("broken", ["limit", "nan"])
def test_where_one_graph_computes_something_else_none_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    network = random_network()
    old = b"old  matching.onnx\n"  # is a line of checksums, too
    for name in FILES:
        (tmp_path / name).write_bytes(old)
    if broken == "limit":
        monkeypatch.setattr(export, "MAX_DIFFERENCE", 1e-9)
    else:
        with torch.no_grad():
            network.warping.move.weight.fill_(torch.nan)
    words = r"\.onnx: not written, it would differ from torch by .*'" if broken == "limit" else "not finite"
    with pytest.raises(JobError, match=words):
        export_network(network, tmp_path, {})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == dict.fromkeys(FILES, old)


# --- weights in torch ---


def test_weights_of_a_training_run_in_torch(tmp_path: Path) -> None:
    planes = random_inputs(SIGMO, 64, 80)
    expected = TorchRuntime(torch_graph(SIGMO, open_network(TRAINED)), "cpu")(planes)
    assert np.array_equal(load_runtime(SIGMO, str(TRAINED), "cpu")(planes)["weight"], expected["weight"])
    with pytest.raises(InputError, match="no such file"):
        TorchRuntime.open(SIGMO, tmp_path / "none.safetensors")


def test_a_failure_in_torch_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = TorchRuntime(torch_graph(SIGMO, StitchingNetwork()), "cpu")

    def fails(*_: object) -> None:
        raise torch.OutOfMemoryError("no room\nfor 9 GB")

    monkeypatch.setattr(runtime.module.network, "generate", fails)
    with pytest.raises(JobError, match=r"the network failed on cpu \(no room for 9 GB\)"):
        runtime(random_inputs(SIGMO, 32, 32))


def test_a_gpu_that_torch_does_not_find_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="--device cuda: expected cpu; torch finds no GPU here"):
        load_runtime(SIGMO, str(TRAINED), "cuda")
