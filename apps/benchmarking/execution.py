"""Training of runs: in this process, or in processes of their own, several at once."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from apps.benchmarking.settings import RunSettings, settings_from
from apps.benchmarking.store import Store
from apps.benchmarking.training import train
from stitching.errors import InputError, JobError

# Trains runs into the store and yields each when it is there; closed, it trains no more.
Execute = Callable[[Sequence[RunSettings], Store], Generator[RunSettings, None, None]]

_BAD_INPUT = 2  # exit code
_ROOT = Path(__file__).resolve().parents[2]  # where this program's packages are
_PAUSE = 0.05  # s


def execute_here(runs: Sequence[RunSettings], store: Store) -> Generator[RunSettings, None, None]:
    """One after another, in this process. Raises InputError where a method cannot train what it is to train."""
    for settings in runs:
        try:
            result = train(settings, store.data(settings.data))
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"--methods {settings.method}: {error}") from error
        store.write(settings, result)
        yield settings


def execute_apart(jobs: int) -> Execute:
    """Each in a process of its own, so that their memory can be told apart; `jobs` at once."""

    def execute(runs: Sequence[RunSettings], store: Store) -> Generator[RunSettings, None, None]:
        waiting, running = list(runs), list[_Worker]()
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_start(waiting.pop(0), store))
                for worker in [worker for worker in running if worker.process.poll() is not None]:
                    running.remove(worker)
                    worker.check()
                    yield worker.settings
                time.sleep(_PAUSE)
        finally:
            for worker in running:
                worker.end()

    return execute


@dataclass(frozen=True, eq=False)
class _Worker:
    """A process, the run that it trains, and what it says."""

    process: "subprocess.Popen[bytes]"
    settings: RunSettings
    words: IO[bytes]

    def check(self) -> None:
        """Raise what ended it before its time."""
        with self.words as words:
            words.seek(0)
            lines = words.read().decode(errors="replace").strip().splitlines()
        if self.process.returncode == _BAD_INPUT:
            raise InputError(lines[-1])
        if self.process.returncode:
            said = lines[-1] if lines else f"ended with code {self.process.returncode}; if memory ran out, lower --jobs"
            raise JobError(f"run {self.settings.name}: {said}")

    def end(self) -> None:
        """Whatever it does."""
        self.process.kill()
        self.process.wait()
        self.words.close()


def _start(settings: RunSettings, store: Store) -> _Worker:
    job = {"settings": settings.as_dict(), "folder": str(store.folder), "cache": str(store.cache)}
    paths = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    words = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "apps.benchmarking.execution", json.dumps(job)],
        stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=os.environ | {"PYTHONPATH": paths},
        start_new_session=True,  # Ctrl-C is for us
    )  # fmt: skip
    return _Worker(process, settings, words)


def main() -> int:
    """What the process of a run does."""
    job = json.loads(sys.argv[1])
    try:
        list(execute_here([settings_from(job["settings"])], Store(Path(job["folder"]), Path(job["cache"]))))
    except (InputError, JobError) as error:
        print(error, file=sys.stderr)
        return _BAD_INPUT if isinstance(error, InputError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
