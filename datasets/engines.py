"""Running a task for many indices, in processes of this machine or on a Ray cluster."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
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
Lost = Callable[[Index, str], Result]  # of an index, and in words how the process ended that computed it

_ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
MAX_JOBS = 1024  # processes
CONNECTION_TIME = 10.0  # s
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


def run_local(
    task: Task[Index, Result],
    indices: Iterable[Index],
    processes: int,
    *,
    in_order: bool = True,
    lost: Lost[Index, Result] | None = None,
) -> Generator[Result, None, None]:
    """Yield task(i) of each index, computed by worker processes.

    Workers end when the generator is closed, and when this process ends, however it ends.

    Args:
        task: called in a worker, with one thread; on a CPU, a process per core is faster than threads.
        indices: read lazily; may be endless.
        processes: number of workers; 0: this process computes, with its own number of threads.
        in_order: results come in the order of the indices, else as they are ready.
        lost: gives the result of an index whose worker died; another worker takes its place.

    Raises:
        InputError, JobError: raised by the task. Any other exception of the task becomes a JobError that names the
            index; so does the death of a worker, without `lost`.
    """
    attempt = partial(_attempt, task)
    if not processes:
        yield from map(_result, map(attempt, indices))
        return
    workers = _Workers(attempt, processes)
    threads = ThreadPoolExecutor(processes)

    def first_ready(futures: list[Any]) -> Any:
        return next(iter(wait(futures, return_when=FIRST_COMPLETED).done))

    try:
        yield from _results(
            lambda index: threads.submit(workers.compute, index, lost),
            lambda index, future: future.result(),
            indices,
            PENDING_PER_WORKER * processes,
            None if in_order else first_ready,
        )
    finally:
        workers.kill()  # threads that wait for a result get an error, which nobody reads
        threads.shutdown(cancel_futures=True)


def check_ray() -> None:
    """Raise InputError where Ray is not installed."""
    if find_spec("ray") is None:
        raise InputError("--engine ray needs the package ray: pip install 'parastitch[cluster]'")


def run_ray(
    task: Task[Index, Result],
    indices: Iterable[Index],
    device: str,
    *,
    address: str | None = None,
    in_order: bool = True,
    lost: Lost[Index, Result] | None = None,
) -> Generator[Result, None, None]:
    """Yield task(i) of each index, computed by a Ray cluster.

    Each call of the task takes one core and, on a device other than "cpu", one GPU.

    Args:
        task, indices, in_order: as for `run_local`.
        device: where the task computes.
        address: of the cluster; None: RAY_ADDRESS, else one is started here.
        lost: gives the result of an index whose process died; without it Ray computes that elsewhere.

    Raises:
        InputError: Ray is missing, or there is no cluster at `address`.
        JobError: the cluster fails.
        Others as `run_local`.
    """
    check_ray()
    ray: Any = import_module("ray")
    deaths = ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError

    def result_of(index: Index, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except deaths as death:
            if lost is None:
                raise
            return lost(index, one_line(death))

    def first_ready(references: list[Any]) -> Any:
        return ray.wait(references)[0][0]

    starts = not ray.is_initialized()
    try:
        if starts:
            _connect(ray, address)
        wanted = {"num_cpus": 1, "num_gpus": 0 if device == "cpu" else 1} | ({"max_retries": 0} if lost else {})
        remote = ray.remote(**wanted)(lambda index: _attempt(task, index))
        slots = int(ray.cluster_resources().get("CPU" if device == "cpu" else "GPU", 0)) or 1
        waiting = PENDING_PER_WORKER * slots
        yield from _results(remote.remote, result_of, indices, waiting, None if in_order else first_ready)
    except (ray.exceptions.RayError, ConnectionError) as error:
        cause = str(error).strip().splitlines()[-1]  # the last line of a remote traceback names the error
        raise JobError(f"the Ray cluster failed: {cause}; run the same command again, it continues") from error
    finally:
        if starts:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    """Connect to a cluster, or start one. Raises InputError where there is none at `address`."""
    try:
        if address and ":" in address:  # Ray tries for minutes
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), CONNECTION_TIME).close()
        with _handlers_kept():  # Ray sets one for SIGTERM
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        if address is None:
            raise
        raise InputError(f"--ray-address {address}: {one_line(error)}; expected HOST:PORT of a Ray cluster") from error


def _attempt(task: Task[Index, Result], index: Index) -> Result | InputError | JobError:
    """task(index), or the error that it raised: returned, as exceptions lose their class on the way from Ray."""
    try:
        return task(index)
    except (InputError, JobError) as error:
        return error
    except Exception as error:
        return job_error(f"sample {index}", error)


def _results(
    submit: Callable[[Index], Any],
    result_of: Callable[[Index, Any], Any],
    indices: Iterable[Index],
    max_pending: int,
    first_ready: Callable[[list[Any]], Any] | None,
) -> Iterator[Any]:
    """Results, errors raised; at most `max_pending` are submitted and not yet taken.

    first_ready: which of several that were submitted is ready first; None: they are taken in their order.
    """
    pending: deque[tuple[Index, Any]] = deque()

    def take_one() -> Any:
        submitted = [one for _, one in pending]
        position = submitted.index(first_ready(submitted)) if first_ready else 0
        index, one = pending[position]
        del pending[position]
        return _result(result_of(index, one))

    for index in indices:
        pending.append((index, submit(index)))
        if len(pending) == max_pending:
            yield take_one()
    while pending:
        yield take_one()


def _result(result: Any) -> Any:
    if isinstance(result, InputError | JobError):
        raise result
    return result


class _Workers:
    """Processes that compute results.

    Not concurrent.futures.ProcessPoolExecutor: its workers share one pipe, so that the pool waits forever when one is
    killed while it sends a result; they outlive a killed parent; and what they compute cannot be stopped.
    """

    def __init__(self, task: Task[Any, Any], count: int) -> None:
        self._task = task
        with _signals_ignored():  # workers inherit it: Ctrl-C, and often SIGTERM, reaches the whole process group
            self._all = [_Worker(task) for _ in range(count)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._all:
            self._idle.put(worker)
        self._lock = threading.Lock()
        self._ended = False

    def compute(self, index: Any, lost: Lost[Any, Any] | None) -> Any:
        """The result of an index, of the worker that is idle next. Raises JobError where it dies, without `lost`."""
        worker = self._idle.get()
        try:
            return worker.compute(index)
        except (EOFError, OSError):
            how = worker.end()
            if lost is None:
                raise JobError(
                    f"sample {index}: {how}; run the same command again, it continues where it stopped"
                ) from None
            worker = self._successor(worker)
            return lost(index, how)
        finally:
            self._idle.put(worker)

    def _successor(self, dead: "_Worker") -> "_Worker":
        with self._lock:
            if self._ended:
                return dead
            self._all[self._all.index(dead)] = worker = _Worker(self._task)
        return worker

    def kill(self) -> None:
        """End all of them."""
        with self._lock:
            self._ended = True
            for worker in self._all:
                worker.process.kill()
        for worker in self._all:
            worker.process.join(1)


class _Worker:
    """A process that computes one result at a time, and the pipe to it."""

    def __init__(self, task: Task[Any, Any]) -> None:
        spawn = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
        self._pipe, worker_end = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(worker_end, task), daemon=True)
        with _one_thread():
            self.process.start()
        worker_end.close()

    def compute(self, index: Any) -> Any:
        """The worker's result for an index. Raises EOFError or OSError where the worker is dead."""
        self._pipe.send(index)
        return self._pipe.recv()

    def end(self) -> str:
        """How the dead worker ended, in words."""
        self.process.join(1)
        self._pipe.close()
        code = self.process.exitcode or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"its process {how}; if memory ran out, use fewer processes (--jobs)"


def _serve(pipe: Connection, task: Task[Any, Any]) -> None:
    """Compute the results of received indices until the parent closes its end of the pipe, or dies."""
    for number in _ENDING:  # a successor of a dead worker did not inherit that
        signal.signal(number, signal.SIG_IGN)
    if "torch" in sys.modules:  # imported by the script that started this process
        sys.modules["torch"].set_num_threads(1)
    try:
        while True:
            pipe.send(task(pipe.recv()))
    except (EOFError, OSError):
        return


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that are started inside compute with one thread: numpy's and torch's libraries read it when loaded."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore what ends a command, in processes started inside too."""
    with _handlers_kept():
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                signal.signal(number, signal.SIG_IGN)
        yield


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Set again, in the end, what is done now at the signals that end a command."""
    previous = {number: signal.getsignal(number) for number in _ENDING}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():  # no other may
            for number, handler in previous.items():
                signal.signal(number, handler)
