"""Files that are not of a data set but have the names of its files: they are somebody's, and must stay."""

import re
from pathlib import Path

from datasets.storage.description import DESCRIPTION
from datasets.storage.paths import FOLDERS
from stitching.errors import InputError

# Whatever lies directly in the folder of a data set, but for its description.
_NAMES = re.compile(
    "|".join((*FOLDERS, r"meta.*\.jsonl", r"shard-.*\.tar", r"preview\.jpg", r"histograms\.png")),
    re.IGNORECASE,  # as many file systems do
)


def check_no_foreign_files(folder: Path) -> None:
    """Raise InputError where a folder is no data set yet, but holds files or folders with the names of one's.

    The empty meta file that an interrupted run leaves before its first sample is none.
    """
    if not folder.is_dir():
        return
    found = sorted(path for path in folder.iterdir() if _NAMES.fullmatch(path.name) and not _is_empty_file(path))
    # Looked for last: where another process began meanwhile, the description came before the files.
    if found and not (folder / DESCRIPTION).exists():
        raise InputError(
            f"{folder} holds {found[0].name}, but no {DESCRIPTION} of parastitch generate: expected a new folder, "
            "or a data set to go on with; choose another folder"
        )


def _is_empty_file(path: Path) -> bool:
    return path.suffix == ".jsonl" and path.is_file() and not path.stat().st_size
