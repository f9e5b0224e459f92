"""Time and memory of the networks on a pair, beside OpenCV's DIS flow, and how fast they train.

    python benchmarks/network_cost.py [--sizes 512x384 640x512] [--repeat 5] [--threads 1]

A pair: PWM (from its own matches or from a classical start), SIGMo, and both, with random weights, which cost what
trained ones do; in float32 and in bfloat16 (autocast), on the CPU and on a GPU where there is one. Compared with dense
inverse search of OpenCV (preset medium; fine: the same down to the full size) and, where ptlflow is installed, its
raft_small; all on pictures of one size. They take turns, so that other load slows all alike; the median of the runs
counts. Memory: on the CPU the largest resident memory of a process of its own that does it once, and what of that the
process had before; on a GPU the largest memory that torch allocated there. Linux.

Training: examples a second of forward and backward of the trainer's losses at 320 x 256, 8 at once, from memory. How
long training waits for examples is in the log of every run: "speed/share of time waiting for examples".
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
from dead_leaves import make_pair
from environment import describe_environment

from datasets.examples.windows import choose_window, coarse_alignment, draw_pair
from stitching.io.picture import to_grey
from stitching.warping.estimators.classical import classical
from stitching.warping.warp import CanvasPair

if TYPE_CHECKING:  # torch would make the memory of OpenCV's processes larger
    from stitching.network.pair_tensors import PairTensors

TRAINING_SIZE, BATCH = (320, 256), 8  # px (w, h); as `parastitch train` has them
RAFT = "ptlflow's raft_small"
PEERS = "DIS medium", "DIS fine", RAFT
PRECISIONS = {"float32": False, "bfloat16": True}

Call = Callable[[], object]
Size = tuple[int, int]  # (w, h) px


@dataclass(frozen=True)
class Case:
    """A method, its device and its precision."""

    method: str
    device: str = "cpu"
    precision: str = ""


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=_size, nargs="*", default=[(512, 384), (640, 512)], help="WxH, px")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each method at each size")
    parser.add_argument("--threads", type=int, default=1, help="of torch and OpenCV on the CPU")
    options = parser.parse_args()
    _use_threads(options.threads)
    print(f"{describe_environment('torch')}, {options.threads} threads")
    gpu = _gpu()
    print(f"GPU: {gpu or 'none'}; {RAFT}: " + ("measured" if find_spec("ptlflow") else "not installed"))
    devices = ["cpu", "cuda"] if gpu else ["cpu"]
    for size in options.sizes:
        _print_pair(size, devices, options.repeat, options.threads)
    _print_training(devices, options.repeat)


def _size(text: str) -> Size:
    width, height = (int(side) for side in text.split("x"))
    return width, height


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _gpu() -> str:
    """Its name; empty where there is none."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def _print_pair(size: Size, devices: list[str], repeat: int, threads: int) -> None:
    pair = _aligned(size)
    calls: dict[Case, Call] = dict(_calls(pair, devices))
    peers = [case for case in calls if case.method in PEERS and case.precision in ("", "float32")]
    for call in calls.values():
        call()  # warm-up
    seconds: dict[Case, list[float]] = {case: [] for case in calls}
    for _, (case, call) in product(range(repeat), calls.items()):
        start = time.perf_counter()
        call()
        seconds[case].append(time.perf_counter() - start)
    milliseconds = {case: 1e3 * median(runs) for case, runs in seconds.items()}
    print(f"\n{size[0]} x {size[1]} px:\n{'':43}      ms  peak MiB (before)  times " + ", ".join(map(_name, peers)))
    for case, call in calls.items():
        ratios = "  ".join(f"{milliseconds[case] / milliseconds[peer]:7.2f}" for peer in peers)
        memory = _allocated(call) if case.device == "cuda" else _resident(size, case, threads)
        print(f"  {_name(case):41} {milliseconds[case]:7.1f}  {memory:17}  {ratios}", flush=True)


def _name(case: Case) -> str:
    return " ".join(filter(None, (case.method, case.precision, case.device if case.device != "cpu" else "")))


def _aligned(size: Size) -> CanvasPair:
    """A synthetic pair on a window, the target coarsely aligned."""
    reference, target = make_pair(size[0] * size[1] / 1e6)
    homography, matches = coarse_alignment(reference, target)
    window = choose_window(homography, (target.shape[1], target.shape[0]), size)
    return draw_pair(reference, target, window, matches)


def _calls(pair: CanvasPair, devices: list[str]) -> Iterator[tuple[Case, Call]]:
    """Everything that is measured on a pair."""
    yield from ((Case(name), call) for name, call in _classical_calls(pair).items())
    for device, (precision, half) in product(devices, PRECISIONS.items()):
        for name, call in (_network_calls(pair, device, half) | _raft_calls(pair, device, half)).items():
            yield Case(name, device, precision), call


def _classical_calls(pair: CanvasPair) -> dict[str, Call]:
    target, reference = to_grey(pair.target), to_grey(pair.reference)
    medium, fine = (cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM) for _ in range(2))
    fine.setFinestScale(0)
    return {
        "DIS medium": lambda: medium.calc(target, reference, None),  # type: ignore[call-overload]
        "DIS fine": lambda: fine.calc(target, reference, None),  # type: ignore[call-overload]
        "classical warp, both ways": lambda: classical(pair),
    }


def _network_calls(pair: CanvasPair, device: str, half: bool) -> dict[str, Call]:
    import torch

    from stitching.network.pair_tensors import Start
    from stitching.network.stitching_network import StitchingNetwork

    tensors = _tensors(pair, device)
    network = StitchingNetwork().eval().to(device)
    none = torch.zeros_like(tensors.target[:, :2])
    start = Start(none, tensors.reference_valid * tensors.target_valid)

    def warp_and_stitch() -> object:
        warp = network.warp(tensors)
        assert warp.visibility is not None  # PWM always gives it
        return network.stitch(tensors, warp.residual, warp.visibility)

    calls: dict[str, Call] = {
        "PWM from matches": lambda: network.warp(tensors),
        "PWM from a classical start": lambda: network.warp(tensors, start),
        "SIGMo": lambda: network.stitch(tensors, none, none[:, :1]),
        "PWM from matches and SIGMo": warp_and_stitch,
    }
    return {name: _inferring(call, device, half) for name, call in calls.items()}


def _raft_calls(pair: CanvasPair, device: str, half: bool) -> dict[str, Call]:
    if find_spec("ptlflow") is None:
        return {}
    import ptlflow

    from stitching.network.flow_networks.ptlflow_warping import PtlflowWarping

    tensors = _tensors(pair, device)
    raft = PtlflowWarping(ptlflow.get_model("raft_small")).eval().to(device)
    return {RAFT: _inferring(lambda: raft(tensors), device, half)}


def _tensors(pair: CanvasPair, device: str) -> "PairTensors":
    from stitching.network.pair_tensors import PairTensors, to_tensor

    parts = (pair.reference, pair.target, pair.reference_valid, pair.target_valid)
    return PairTensors(*(to_tensor(part).to(device) for part in parts))


def _inferring(call: Call, device: str, half: bool) -> Call:
    """The call without gradients, waiting for the device."""
    import torch

    def run() -> None:
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=half):
            call()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def _resident(size: Size, case: Case, threads: int) -> str:
    """Largest resident memory of a process that does it once, and before it did."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as processes:
        before, peak = processes.submit(_peaks, size, case, threads).result()
    return f"{peak:8.0f} ({before:.0f})"


def _peaks(size: Size, case: Case, threads: int) -> tuple[float, float]:
    """MiB, in a process of its own; memory does not depend on what the pictures show."""
    noise = np.random.default_rng(0).integers(0, 256, (2, size[1], size[0], 3), np.uint8)
    whole, nothing = np.ones((size[1], size[0]), bool), np.zeros((0, 2))
    pair = CanvasPair(noise[0], noise[1], whole, whole, nothing, nothing)
    if case.precision:
        _use_threads(threads)
        calls = _raft_calls if case.method == RAFT else _network_calls
        call = calls(pair, "cpu", PRECISIONS[case.precision])[case.method]
    else:
        cv2.setNumThreads(threads)
        call = _classical_calls(pair)[case.method]
    before = _peak()
    call()
    return before, _peak()


def _peak() -> float:
    """Largest resident memory so far, MiB. Not ru_maxrss, which begins with that of the process that started this."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) / 2**10


def _allocated(call: Call) -> str:
    """Largest memory on the GPU, MiB."""
    import torch

    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    return f"{torch.cuda.max_memory_allocated() / 2**20:8.0f} ({before / 2**20:.0f})"


def _print_training(devices: list[str], repeat: int) -> None:
    from apps.training.options import TASKS
    from apps.training.prediction import STARTS
    from datasets.examples.batch import collate_examples
    from datasets.examples.example import example_of
    from datasets.options import SampleOptions
    from datasets.sample_renderer import open_renderer

    render = open_renderer(SampleOptions(size=TRAINING_SIZE), 0)
    examples = [example_of(render(index), TRAINING_SIZE) for index in range(BATCH)]
    print(f"\nTraining, {TRAINING_SIZE[0]} x {TRAINING_SIZE[1]} px, {BATCH} at once, forward and backward:")
    for device in devices:
        batch = collate_examples(examples, device)
        steps: Mapping[str, Call] = {
            f"{mode}, {precision}": _training_step(batch, TASKS[mode], half)
            for mode, (precision, half) in product(TASKS, PRECISIONS.items())
        }
        for name, step in steps.items():
            step()
            seconds = median(_timed(step) for _ in range(repeat))
            print(f"  {name:20} {device}: {len(STARTS) * BATCH / seconds:.2f} examples/s", flush=True)


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _training_step(batch: object, tasks: tuple[str, ...], half: bool) -> Call:
    """Forward and backward on a batch, from each start once."""
    import torch

    from apps.training.objectives import Objectives
    from apps.training.prediction import STARTS
    from datasets.examples.batch import ExampleBatch
    from stitching.network.stitching_network import StitchingNetwork

    assert isinstance(batch, ExampleBatch)
    device = batch.reference.device
    network = StitchingNetwork().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    objectives = Objectives(network, half)

    def step() -> None:
        for start_from_classical in STARTS.values():
            for parameter in network.parameters():
                parameter.grad = None
            costs, _ = objectives(batch, tasks, start_from_classical)
            torch.stack(list(costs.values())).sum().backward()  # type: ignore[no-untyped-call]
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


if __name__ == "__main__":
    main()
