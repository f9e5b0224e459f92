"""Doing a task for many indices: in processes of this machine, or on a Ray cluster. Results come in order."""

import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from stitching.errors import InputError, JobError

Result = TypeVar("Result")
Task = Callable[[int], Result]  # can be pickled; what it returns, too

AHEAD = 4  # results for each process that may wait for the one before them


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def failure(what: str, error: Exception) -> JobError:
    """A defect in one line that says where; `what` cannot be made, e.g. "sample 7"."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    words = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
    return JobError(f"{what} cannot be made: {' '.join(words.split())}")


def run_local(task: Task[Result], indices: Iterable[int], processes: int) -> Generator[Result, None, None]:
    """task(i) of each index, in order, made by that many processes; `close` ends them.

    A process ends when this one does, however that ends. Raises JobError where one of them dies.
    """
    with _no_interrupts():  # which Ctrl-C sends to the children too
        workers = [_Worker(task) for _ in range(processes)]
    free: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def ask(index: int) -> Any:
        worker = free.get()
        try:
            return worker.ask(index)
        finally:
            free.put(worker)

    threads = ThreadPoolExecutor(processes)
    try:
        yield from _in_order(lambda index: threads.submit(ask, index), Future.result, indices, AHEAD * processes)
    finally:
        for worker in workers:
            worker.process.terminate()  # a thread that waits for it gets an error, which nobody asks for
        threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.process.join(1)


def do_each(work: Task[Result], indices: Iterable[int], workers: int) -> Generator[Result, None, None]:
    """work(i) of each index, in order, by that many processes, by none in this one; raises what goes wrong.

    A defect of the work becomes a JobError that names the index.
    """
    here = (_Trying(work)(index) for index in indices)
    with closing(run_local(_Trying(work, threads=1), indices, workers) if workers else here) as results:
        for result in results:
            if isinstance(result, InputError | JobError):
                raise result
            yield result


@dataclass(frozen=True)
class _Trying(Generic[Result]):
    """Does the work for an index in whatever process; what goes wrong is returned, not raised."""

    work: Task[Result]
    threads: int | None = None  # of torch; None: as they are

    def __call__(self, index: int) -> Result | InputError | JobError:
        import torch

        if self.threads and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)  # a process each core is faster than threads
        try:
            return self.work(index)
        except (InputError, JobError) as error:
            return error
        except Exception as error:
            return failure(f"sample {index}", error)


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, task: Task[Any]) -> None:
        spawn = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
        self._pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs, task), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, index: int) -> Any:
        try:
            self._pipe.send(index)
            return self._pipe.recv()
        except (EOFError, OSError):
            self.process.join(1)
            raise JobError(
                f"sample {index}: its process ended with code {self.process.exitcode}; if memory ran out, "
                "use fewer processes (--jobs); run the same command again, it continues where it stopped"
            ) from None


def _serve(pipe: Connection, task: Task[Any]) -> None:
    """Answer until the other end of the pipe is gone."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported; a process each core is faster than threads
    try:
        while True:
            pipe.send(task(pipe.recv()))
    except (EOFError, OSError):
        return


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let processes started inside ignore Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():  # others cannot set it
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check_ray() -> None:
    """Raise InputError where Ray is not installed."""
    if find_spec("ray") is None:
        raise InputError("--engine ray needs the package ray: pip install 'parastitch[cluster]'")


def run_ray(task: Task[Result], indices: Iterable[int], device: str) -> Iterator[Result]:
    """task(i) of each index, in order, made by the Ray cluster at hand (RAY_ADDRESS), else by one on this machine.

    Each takes one core and, on a device other than the CPU, one GPU. Raises JobError where the cluster fails.
    """
    check_ray()
    ray: Any = import_module("ray")
    resource = "CPU" if device == "cpu" else "GPU"
    mine = not ray.is_initialized()
    try:
        if mine:
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
        remote = ray.remote(num_cpus=1, num_gpus=0 if device == "cpu" else 1)(lambda index: task(index))
        slots = int(ray.cluster_resources().get(resource, 0)) or 1
        yield from _in_order(remote.remote, ray.get, indices, AHEAD * slots)
    except (ray.exceptions.RayError, ConnectionError) as error:
        words = str(error).strip().splitlines()[-1]  # of a traceback, what went wrong
        raise JobError(f"the Ray cluster failed: {words}; run the same command again, it continues") from error
    finally:
        if mine:
            ray.shutdown()


def _in_order(
    submit: Callable[[int], Any], result: Callable[[Any], Result], indices: Iterable[int], window: int
) -> Iterator[Result]:
    """Results in the order of the indices; at most `window` are asked for and not yet taken."""
    waiting: deque[Any] = deque()
    for index in indices:
        waiting.append(submit(index))
        if len(waiting) == window:
            yield result(waiting.popleft())
    while waiting:
        yield result(waiting.popleft())
