"""What counts as a change of the program, its libraries and its weights."""

from collections.abc import Collection
from pathlib import Path

from test_layout import imports, modules

from apps.evaluation.digests import MEASURING, STITCHER, environment_digest

# Imported for types, or to name what is run; they decide no measure.
NO_MEASURES = {
    "apps.evaluation.digests", "apps.evaluation.method_run", "apps.evaluation.methods", "apps.pair_folders",
    "datasets.digests", "stitching.errors",
}  # fmt: skip


def _imported_by(*starts: str, without: Collection[str] = ()) -> set[Path]:
    """The files of all modules of ours that some modules import, in any number of steps."""
    waiting, found = list(starts), set()
    while waiting:
        module = waiting.pop()
        if module not in found and module in modules() and module not in without:
            found.add(module)
            waiting += [imported for imported, _ in imports(module)]
    return {modules()[module] for module in found if modules()[module].name != "__init__.py"}


def _covered(files: Collection[Path], parts: Collection[Path]) -> set[Path]:
    return {file for file in files if any(file == part or part in file.parents for part in parts)}


def test_all_code_that_a_stitch_runs_counts() -> None:
    files = _imported_by("apps.cli", "apps.stitch", "apps.evaluation.programs.extra_warp")
    assert len(files) > 50
    assert files == _covered(files, STITCHER)


def test_all_code_that_measures_counts() -> None:
    files = _imported_by("apps.evaluation.scoring", without=NO_MEASURES)
    assert len(files) > 15
    assert files == _covered(files, MEASURING)


def test_variables_that_computing_reads_count() -> None:
    assert environment_digest({"OPENCV_A": "1"}) != environment_digest({"OPENCV_A": "2"})
    assert environment_digest({"OPENCV_A": "1", "HOME": "/a"}) == environment_digest({"HOME": "/b", "OPENCV_A": "1"})
