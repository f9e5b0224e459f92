"""Training of runs in processes of their own, several at once."""

import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context

from apps.benchmarking.experiment.settings import RunSettings
from apps.benchmarking.result_store import ResultStore
from apps.benchmarking.single_run import RunResult, train_run
from apps.command.interruption import ENDING
from apps.command.uninterrupted_processes import end_with_parent, without_interruptions
from stitching.errors import InputError, JobError

# Trains runs into the store, yields each once its result is stored; closing it stops the training.
Execute = Callable[[Sequence[RunSettings], ResultStore], Generator[RunSettings, None, None]]


def execute_in_subprocesses(jobs: int) -> Execute:
    """Each in a process of its own, so that their memory can be told apart; `jobs` at once."""

    def execute(runs: Sequence[RunSettings], store: ResultStore) -> Generator[RunSettings, None, None]:
        earlier = set(active_children())
        with ThreadPoolExecutor(jobs) as threads:
            futures = {threads.submit(_train_in_subprocess, store, settings): settings for settings in runs}
            try:
                for future in as_completed(futures):
                    future.result()
                    yield futures[future]
            finally:
                for future in futures:
                    future.cancel()
                while not all(future.done() for future in futures):
                    for process in set(active_children()) - earlier:
                        process.kill()
                    wait(futures, timeout=0.1)

    return execute


def _train(store: ResultStore, settings: RunSettings) -> RunResult:
    return train_run(settings, store.data(settings.data))


def _leave_signals_to_parent() -> None:
    """It then ends this process; where it has gone without that, this one ends, too."""
    end_with_parent()
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def _train_in_subprocess(store: ResultStore, settings: RunSettings) -> None:
    """Raises InputError, JobError as the training does; JobError, too, where its process ends unexpectedly."""
    executor = ProcessPoolExecutor(1, get_context("spawn"), _leave_signals_to_parent)
    try:
        with executor:
            with without_interruptions():  # until it has its handlers
                future = executor.submit(_train, store, settings)
            result = future.result()
        store.write(settings, result)  # here: that process may be killed at any moment
    except InputError:
        raise
    except BrokenProcessPool as error:
        message = "its process ended unexpectedly; if memory ran out, lower --jobs"
        raise JobError(f"run {settings.name}: {message}") from error
    except Exception as error:
        raise JobError(f"run {settings.name}: {error}") from error
