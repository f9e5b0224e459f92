"""Files of exported graphs, without torch: what is opened, what is refused, where it computes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from stitching.errors import InputError, JobError
from stitching.network.interface import MATCHING, SIGMO, Planes
from stitching.network.runtime import checked_file
from stitching.network.runtime.checked_file import CHECKSUMS, checksum_line, read_checked
from stitching.network.runtime.onnx_runtime import FORMAT, VERSION, OnnxRuntime, _session_options


def small_model(**metadata: str) -> bytes:
    """A graph with SIGMo's names: its weight is the target's mask plus 1, its gain the target plus 2."""
    nodes = [
        helper.make_node("Constant", [], ["one"], value=helper.make_tensor("", TensorProto.FLOAT, (), [1])),
        helper.make_node("Constant", [], ["two"], value=helper.make_tensor("", TensorProto.FLOAT, (), [2])),
        helper.make_node("Add", ["target", "two"], ["gain"]),
        helper.make_node("Add", ["target_valid", "one"], ["weight"]),
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, c, "h", "w"]) for name, c in planes.items()]
        for planes in (SIGMO.inputs, dict(reversed(SIGMO.outputs.items())))
    )
    graph = helper.make_graph(nodes, "small", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {"format": FORMAT, "version": VERSION, "graph": "sigmo", **metadata})
    return bytes(model.SerializeToString())


def write(folder: Path, contents: dict[str, bytes]) -> None:
    """Files and their checksums, as `parastitch export` writes them."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / CHECKSUMS).write_text("".join(checksum_line(name, content) for name, content in contents.items()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write(tmp_path, {"sigmo.onnx": small_model(step="7")})
    return tmp_path / "sigmo.onnx"


def planes(h: int = 32, w: int = 40) -> Planes:
    return {name: np.ones((1, channels, h, w), np.float32) for name, channels in SIGMO.inputs.items()}


def test_a_file_describes_itself(file: Path) -> None:
    assert OnnxRuntime.open(SIGMO, file, "cpu").facts["step"] == "7"


def test_outputs_are_matched_by_name(file: Path) -> None:
    """The file has them in another order than the interface."""
    found = OnnxRuntime.open(SIGMO, file, "cpu")(planes())
    assert list(found) == ["weight", "gain"]
    assert (found["weight"] == 2).all()
    assert (found["gain"] == 3).all()


def test_outputs_that_are_no_numbers_are_refused(file: Path) -> None:
    """Here they come from the inputs, else from damaged weights."""
    with pytest.raises(JobError, match="sigmo, output gain: not finite"):
        OnnxRuntime.open(SIGMO, file, "cpu")(planes() | {"target": np.full((1, 3, 32, 40), np.nan, np.float32)})


def test_wrong_inputs_are_refused(file: Path) -> None:
    with pytest.raises(InputError, match="sigmo: inputs reference; expected reference, target"):
        OnnxRuntime.open(SIGMO, file, "cpu")({"reference": planes()["reference"]})


BAD = {
    "text": (b"no graph", "ONNX Runtime cannot use it"),
    "other": (small_model(format="x"), f"format x, version 2; .* {FORMAT}, version 2"),
    "older": (small_model(version="1"), "version 1; this program reads"),
    "flipped": (small_model(), "damaged, or not the file that belongs to its SHA256SUMS"),
    "cut": (small_model(), "damaged, or not the file that belongs to its SHA256SUMS"),
    "empty": (small_model(), "damaged, or not the file that belongs to its SHA256SUMS"),
    "missing": (small_model(), "No such file"),
    "folder": (small_model(), "cannot read .*directory"),
}  # content as exported, and the message after `damage`


def damage(folder: Path) -> None:
    """What happens to files after they were written."""
    content = small_model()
    (folder / "flipped.onnx").write_bytes(content.replace(b"target", b"tarket", 1))
    (folder / "cut.onnx").write_bytes(content[:-9])
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "missing.onnx").unlink()
    (folder / "folder.onnx").unlink()
    (folder / "folder.onnx").mkdir()


@pytest.mark.parametrize("ships", [False, True])
def test_bad_files_are_refused_with_how_to_get_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], ships: bool
) -> None:
    write(tmp_path, {f"{name}.onnx": content for name, (content, _) in BAD.items()})
    damage(tmp_path)
    if ships:
        monkeypatch.setattr(checked_file, "SHIPPED", tmp_path)
    for name, (_, words) in BAD.items():
        path = tmp_path / f"{name}.onnx"
        with pytest.raises(InputError, match=words) as caught:
            OnnxRuntime.open(SIGMO, path, "cpu")
        message = str(caught.value)
        assert str(path) in message
        assert ("reinstall parastitch" if ships else "parastitch export") in message
        assert "\n" not in message
    assert capfd.readouterr() == ("", "")


def test_a_file_without_its_checksum_is_refused(file: Path) -> None:
    assert read_checked(file) == small_model(step="7")
    checksums = file.with_name(CHECKSUMS)
    for content in (b"0" * 64 + b"  sigmo.onnx\n", b"\xff\xfe", b""):
        checksums.write_bytes(content)
        with pytest.raises(InputError, match="damaged, or not the file that belongs to its SHA256SUMS"):
            read_checked(file)
    checksums.unlink()
    with pytest.raises(InputError, match=r"cannot read .*SHA256SUMS: No such file.*; write it again"):
        read_checked(file)


def test_a_file_with_another_graph_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match=r"sigmo\.onnx: holds the graph sigmo; expected matching"):
        OnnxRuntime.open(MATCHING, file, "cpu")


def test_a_gpu_that_is_not_there_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match=r"^--device cuda: .*onnxruntime-gpu.* or use --device cpu"):
        OnnxRuntime.open(SIGMO, file, "cuda")
    runtime = OnnxRuntime.open(SIGMO, file, "auto")
    assert runtime.device == "cpu"
    assert runtime(planes())


def test_the_device_is_the_one_that_is_used_not_one_that_could_be(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package knows CUDA, the machine has none: ONNX Runtime goes on with the CPU."""
    import onnxruntime

    known = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: known)
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime, "InferenceSession",
        lambda content, options, providers: session(content, options, providers=["CPUExecutionProvider"]),
    )  # fmt: skip
    assert OnnxRuntime.open(SIGMO, file, "auto").device == "cpu"
    with pytest.raises(InputError, match="--device cuda: ONNX Runtime cannot use a GPU"):
        OnnxRuntime.open(SIGMO, file, "cuda")


def test_a_gpu_that_fails_is_not_taken_for_a_damaged_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is too old, or CUDA is not installed: ONNX Runtime raises where it was asked for the GPU."""
    import onnxruntime

    known = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: known)
    session = onnxruntime.InferenceSession

    def without_driver(content: bytes, options: Any, providers: list[str]) -> Any:
        if "CUDAExecutionProvider" in providers:
            raise RuntimeError("CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version")
        return session(content, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", without_driver)
    assert OnnxRuntime.open(SIGMO, file, "auto")(planes())
    with pytest.raises(InputError, match=r"^--device cuda: .*CUDA failure 35.* or use --device cpu$"):
        OnnxRuntime.open(SIGMO, file, "cuda")


def test_as_many_threads_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert _session_options().intra_op_num_threads == 3
    monkeypatch.setattr("cv2.getNumThreads", lambda: 5)
    for nothing in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", nothing)
        assert _session_options().intra_op_num_threads == 5


def test_an_exported_network_runs_without_torch(file: Path) -> None:
    script = f"""if True:
        import sys, numpy as np
        from stitching.network.interface import SIGMO
        from stitching.network.runtime.network_files import load_runtime
        assert "onnxruntime" not in sys.modules
        runtime = load_runtime(SIGMO, {str(file.parent)!r}, "cpu")
        planes = {{name: np.zeros((1, c, 32, 32), np.float32) for name, c in SIGMO.inputs.items()}}
        assert runtime(planes)["weight"].all()
        assert "onnxruntime" in sys.modules
        print(*{{"torch", "onnx", "safetensors", "scipy"}} & {{*sys.modules}})
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == done.stderr.strip() == ""


def test_checksums_that_are_a_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "sigmo.onnx").write_bytes(small_model())
    os.mkfifo(tmp_path / CHECKSUMS)
    with pytest.raises(InputError, match="a pipe or a device"):
        read_checked(tmp_path / "sigmo.onnx")


def test_a_network_that_ships_leaves_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    program = (
        "from stitching.network.interface import SIGMO\n"
        "from stitching.network.runtime.network_files import load_runtime\n"
        "load_runtime(SIGMO)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert not list(tmp_path.iterdir())
