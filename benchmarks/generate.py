"""How many training pairs a second?

    python benchmarks/generate.py [--count 64] [--textures DIR] [--device cuda]

Runs `parastitch generate` with its default number of processes into a temporary folder, at 320 x 256 and 640 x 512 px
with 2 x 2 rays a pixel: pairs per second once all processes run, and with their start, milliseconds
of each stage for a pair in its process, bytes of a pair. With --device cuda also batches straight from the GPU
(`datasets.streaming.stream`) and how many times the CPU's pairs per second that is.
"""

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path

from environment import describe_environment

from datasets.engines import usable_cores
from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions

SIZES = (320, 256), (640, 512)  # px
BATCH = 64  # pairs that a GPU renders together


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=64, help="pairs of each size on the CPU")
    parser.add_argument("--textures", type=Path, help="folder of photographs; default: those of scikit-image")
    parser.add_argument("--device", default="cpu", help="cuda: measure this GPU, too")
    arguments = parser.parse_args()
    print(describe_environment("torch"))
    for size in SIZES:
        options = SampleOptions(size=size, textures=arguments.textures)
        print(f"{size[0]} x {size[1]}:", flush=True)
        rate = _generate(options, arguments.count)
        if arguments.device != "cpu":
            _stream(options, arguments.device, rate)


def _generate(options: SampleOptions, count: int) -> float:
    """Print what `parastitch generate` takes on the CPU; returns pairs a second without the start."""
    finished: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        job = GenerateJob(Path(folder) / "pairs", count)
        report = generate(options, job, progress=lambda done, total: finished.append(time.perf_counter()))
    skipped = min(2 * usable_cores(), count - 1)  # while the processes are starting
    rate = (count - skipped) / (finished[-1] - finished[skipped])
    with_start, megabytes = count / report.seconds, report.bytes / count / 1e6
    print(f"  generate, CPU: {rate:.2f} pairs/s ({with_start:.2f} with the start), {megabytes:.2f} MB a pair")
    stages = ((stage, seconds / count * 1e3) for stage, seconds in report.stages.items() if stage != "open")
    print("  ms a pair: " + ", ".join(f"{stage} {milliseconds:.0f}" for stage, milliseconds in stages), flush=True)
    return rate


def _stream(options: SampleOptions, device: str, cpu_rate: float) -> None:
    import torch

    from datasets.streaming import stream

    batches = stream(options, 0, BATCH, device)
    list(islice(batches, 3))  # the start, and what a GPU does once
    torch.cuda.synchronize()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 30:
        count += len(next(batches).indices)
    torch.cuda.synchronize()
    rate = count / (time.perf_counter() - start)
    name = torch.cuda.get_device_name(device)
    print(
        f"  stream, {name}: {rate:.1f} pairs/s in batches of {BATCH}, {rate / cpu_rate:.1f} times the CPU", flush=True
    )


if __name__ == "__main__":
    main()
