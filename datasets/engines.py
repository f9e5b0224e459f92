"""Running a task for many indices, in processes of this machine or on a Ray cluster. Results come in order."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from stitching.errors import InputError, JobError, is_out_of_memory, one_line

Index = TypeVar("Index")  # int, or another key; str() of it names it in messages
Result = TypeVar("Result")
Task = Callable[[Index], Result]  # the task, indices and results are pickled

_ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
PENDING_PER_WORKER = 4  # results that a worker may compute ahead of the one that is taken next


class IndexBatch(tuple[int, ...]):
    """Indices of samples that are made together, as one index of a task."""

    def __str__(self) -> str:
        return str(self[0]) if len(self) == 1 else f"{self[0]} to {self[-1]}"


def usable_cores() -> int:
    """Number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def job_error(subject: str, error: Exception) -> JobError:
    """A JobError in one line: "<subject> cannot be made", and what raised which exception, or that memory ran out."""
    if is_out_of_memory(error):
        return JobError(f"{subject} cannot be made: not enough memory; use fewer processes (--jobs)")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = f"{Path(frame.filename).name}, line {frame.lineno}"
    return JobError(f"{subject} cannot be made: {type(error).__name__}: {one_line(error)} ({line})")


def run_local(task: Task[Index, Result], indices: Iterable[Index], processes: int) -> Generator[Result, None, None]:
    """Yield task(i) of each index, in order, computed by worker processes.

    Workers end when the generator is closed, and when this process ends, however it ends.

    Args:
        task: called in a worker, with one torch thread; on a CPU, a process per core is faster than threads.
        indices: read lazily; may be endless.
        processes: number of workers; 0: this process computes, with its own number of threads.

    Raises:
        InputError, JobError: raised by the task. Any other exception of the task becomes a JobError that names the
            index; so does the death of a worker.
    """
    attempt = partial(_attempt, task)
    if not processes:
        yield from _in_order(attempt, lambda result: result, indices, 1)
        return
    with _signals_ignored():  # workers inherit it: Ctrl-C, and often SIGTERM, reaches the whole process group
        workers = [_Worker(attempt) for _ in range(processes)]
    idle: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def compute_on_idle_worker(index: Index) -> Any:
        worker = idle.get()
        try:
            return worker.compute(index)
        finally:
            idle.put(worker)

    threads = ThreadPoolExecutor(processes)
    try:
        pending = PENDING_PER_WORKER * processes
        yield from _in_order(
            lambda index: threads.submit(compute_on_idle_worker, index), Future.result, indices, pending
        )
    finally:
        for worker in workers:
            worker.process.kill()  # threads that wait for its result get an error, which nobody reads
        threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.process.join(1)


def check_ray() -> None:
    """Raise InputError where Ray is not installed."""
    if find_spec("ray") is None:
        raise InputError("--engine ray needs the package ray: pip install 'parastitch[cluster]'")


def run_ray(task: Task[Index, Result], indices: Iterable[Index], device: str) -> Generator[Result, None, None]:
    """Yield task(i) of each index, in order, computed by a Ray cluster: that of RAY_ADDRESS, else one started here.

    Each call of the task takes one core and, on a device other than "cpu", one GPU. Raises as `run_local`, and
    JobError where the cluster fails.
    """
    check_ray()
    ray: Any = import_module("ray")
    resource = "CPU" if device == "cpu" else "GPU"
    starts_cluster = not ray.is_initialized()
    try:
        if starts_cluster:
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
        remote = ray.remote(num_cpus=1, num_gpus=0 if device == "cpu" else 1)(lambda index: _attempt(task, index))
        slots = int(ray.cluster_resources().get(resource, 0)) or 1
        yield from _in_order(remote.remote, ray.get, indices, PENDING_PER_WORKER * slots)
    except (ray.exceptions.RayError, ConnectionError) as error:
        cause = str(error).strip().splitlines()[-1]  # the last line of a remote traceback names the error
        raise JobError(f"the Ray cluster failed: {cause}; run the same command again, it continues") from error
    finally:
        if starts_cluster:
            ray.shutdown()


def _attempt(task: Task[Index, Result], index: Index) -> Result | InputError | JobError:
    """task(index), or the error that it raised: returned, as exceptions lose their class on the way from Ray."""
    try:
        return task(index)
    except (InputError, JobError) as error:
        return error
    except Exception as error:
        return job_error(f"sample {index}", error)


def _in_order(
    submit: Callable[[Index], Any], wait: Callable[[Any], Any], indices: Iterable[Index], max_pending: int
) -> Iterator[Any]:
    """Results in the order of the indices, errors raised; at most `max_pending` are submitted and not yet taken."""
    pending: deque[Any] = deque()
    for index in indices:
        pending.append(submit(index))
        if len(pending) == max_pending:
            yield _result(wait(pending.popleft()))
    while pending:
        yield _result(wait(pending.popleft()))


def _result(result: Any) -> Any:
    if isinstance(result, InputError | JobError):
        raise result
    return result


class _Worker:
    """A process that computes results, and the pipe to it.

    Not concurrent.futures.ProcessPoolExecutor: its workers share one pipe, so that the pool waits forever when one is
    killed while it sends a result; they outlive a killed parent; and what they compute cannot be stopped.
    """

    def __init__(self, task: Task[Any, Any]) -> None:
        spawn = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
        self._pipe, worker_end = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(worker_end, task), daemon=True)
        self.process.start()
        worker_end.close()

    def compute(self, index: Any) -> Any:
        """The worker's result for an index. Raises JobError where the worker is dead."""
        try:
            self._pipe.send(index)
            return self._pipe.recv()
        except (EOFError, OSError):
            self.process.join(1)
            raise JobError(
                f"sample {index}: its process ended with code {self.process.exitcode}; if memory ran out, "
                "use fewer processes (--jobs); run the same command again, it continues where it stopped"
            ) from None


def _serve(pipe: Connection, task: Task[Any, Any]) -> None:
    """Compute the results of received indices until the parent closes its end of the pipe, or dies."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported
    if "torch" in sys.modules:  # imported by the script that started this process
        sys.modules["torch"].set_num_threads(1)
    try:
        while True:
            pipe.send(task(pipe.recv()))
    except (EOFError, OSError):
        return


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore what ends a command, in processes started inside too."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
