"""Results of runs on disk: each in a file of its own, complete or not there at all, not trained twice."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from apps.benchmarking.data.preparation import BenchmarkData, prepare, read_labels
from apps.benchmarking.experiment.settings import DataSettings, RunSettings
from apps.benchmarking.single_run import RunResult
from datasets.labels import Labels
from stitching.errors import InputError
from stitching.io.files import atomic_write


@dataclass(frozen=True)
class ResultStore:
    """A benchmark's folder: runs/, and in data/ what they are trained on.

    Attributes:
        folder: of the benchmark.
        cache: where rendered scenes are kept, for other benchmarks, too.
    """

    folder: Path
    cache: Path

    def path(self, settings: RunSettings) -> Path:
        """Where a run's result is, or will be."""
        return self.folder / "runs" / f"{settings.name}.json"

    def data(self, settings: DataSettings) -> BenchmarkData:
        """A data set, prepared now where it is missing. Raises as prepare."""
        return prepare(settings, self._data_folder(settings), self.cache)

    def labels(self, settings: DataSettings) -> Mapping[str, Labels]:
        """By task, what the label maps of a data set mean; it is not prepared for that. Raises as read_labels."""
        return read_labels(settings, self._data_folder(settings), self.cache)

    def _data_folder(self, settings: DataSettings) -> Path:
        return self.folder / "data" / settings.file_name

    def read(self, settings: RunSettings) -> RunResult | None:
        """The result of a run; None where there is none yet. Raises InputError where another run is in its place."""
        path = self.path(settings)
        try:
            stored = json.loads(path.read_text())
            found, result = stored["settings"], RunResult.from_dict(stored["result"])
            parts = (result.losses,) if result.error else (result.losses, result.validation, result.scores)
            complete = all(set(part) == set(settings.tasks) for part in parts)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(f"{path}: expected the result of a run, found something else; delete it") from error
        wanted = settings.as_dict()
        if found != wanted:
            raise InputError(f"{path}: {_difference(found, wanted)}; choose another output folder, or delete it")
        if not complete:
            raise InputError(f"{path}: expected results of {', '.join(settings.tasks)}; delete it")
        return result

    def write(self, settings: RunSettings, result: RunResult) -> None:
        """Save a result. Raises JobError where the disk does not take it."""
        stored = {"settings": settings.as_dict(), "result": asdict(result)}
        with atomic_write(self.path(settings)) as path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(stored, indent=1))


def _difference(found: object, wanted: dict[str, object]) -> str:
    if not isinstance(found, dict):
        return "expected the settings of a run"
    wrong = [name for name in (*wanted, *found) if found.get(name) != wanted.get(name)]
    return ", ".join(f"trained with {name} {found.get(name)}, not {wanted.get(name)}" for name in dict.fromkeys(wrong))
