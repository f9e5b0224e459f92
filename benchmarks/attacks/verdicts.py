"""What must be true after every command, however hostile its input."""

import hashlib
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from attacks.case import Command
from attacks.runner import MAX_MIB, MAX_SECONDS, Run

RAW_WORDS = re.compile(
    r"Traceback|cv2\.error|CV_IO|RuntimeWarning|UserWarning|libpng|libjpeg|TIFF_|TIFFRead|TIFFFetch|Corrupt JPEG"
    r"|terminate called|Segmentation|Fatal Python|Exception ignored|core dumped|onnxruntime::|Unrecognized options Un"
)
_LEFT_OVER = re.compile(r"^\.parastitch-.*|.*\.part|\..*\.partial|.*\.tmp$")
_PICTURES = (".png", ".jpg", ".tif", ".webp")
_STARTING = 0.15  # s of CPU time in which Python itself starts: a signal that comes then ends it without a word
SIGKILL = 9

Snapshot = dict[str, str]  # path in the folder -> what is there


def snapshot(folder: Path) -> Snapshot:
    """Every file of a folder: its SHA-256; what else it may be, in a word."""
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = path.lstat().st_mode
        if path.is_symlink():
            content = f"link to {path.readlink()}"
        elif stat.S_ISREG(kind):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = "folder" if stat.S_ISDIR(kind) else "special"
        found[str(path.relative_to(folder))] = content
    return found


def judge(command: Command, run: Run, before: Snapshot, folder: Path) -> list[str]:
    """What is wrong, a line each; empty = all promises were kept. `folder` holds work/ and tmp/."""
    work = folder / "work"
    return [
        *_endings(command, run),
        *_words(command, run),
        *_files(command, before, work),
        *_left_overs(command, folder),
        *(_outputs(command, work) if run.code == 0 else ()),
    ]


def _endings(command: Command, run: Run) -> Iterator[str]:
    if run.hung:
        yield f"ran for more than {MAX_SECONDS:.0f} s"
    elif run.peak > MAX_MIB:
        yield f"took {run.peak:.0f} MiB"
    elif not _is_known_code(command, run.code):
        yield f"exit code {run.code}"
    elif command.refused and run.code == 0:
        yield "accepted"
    if run.left:
        yield "left a process running"


def _is_known_code(command: Command, code: int) -> bool:
    sent = command.signal
    return code in (0, 1, 2) or (sent is not None and code in (128 + sent, -sent))


def _words(command: Command, run: Run) -> Iterator[str]:
    if run.hung or run.peak > MAX_MIB:
        return
    lines = run.stderr.splitlines()
    raw = next((line for line in (*lines, *run.stdout.splitlines()) if RAW_WORDS.search(line)), None)
    if raw is not None:
        last = lines[-1] if raw.startswith("Traceback") and lines else raw
        yield f"raw words: {last[:160]}"
        return
    errors = [line for line in lines if re.match(r"parastitch: (?!warning: )", line)]
    silent = command.stderr != "file" or (command.signal == SIGKILL and not command.to_child)
    silent = silent or (run.code == -(command.signal or 0) and run.cpu_seconds < _STARTING)
    if run.code == 0 and errors:
        yield f"exit code 0 with an error: {errors[0][:160]}"
    elif run.code != 0 and len(errors) != 1 and not silent and not (command.reports and run.code != 2):
        yield f"{len(errors)} error lines with exit code {run.code}: {' / '.join(lines)[:160]}"


def _files(command: Command, before: Snapshot, work: Path) -> Iterator[str]:
    """Files that were there and are not the same any more, and the one that a pickled object writes."""
    after = snapshot(work)
    if "owned" in after:
        yield "ran code of a pickled object"
    for name, content in before.items():
        free = any(name == path or name.startswith(f"{path}/") for path in command.may_change)
        if not free and after.get(name) != content:
            yield f"{name} was {'changed' if name in after else 'deleted'}"


def _left_overs(command: Command, folder: Path) -> Iterator[str]:
    if command.signal == SIGKILL and not command.to_child:
        return  # nobody can clean up then
    for part in ("work", "tmp"):
        for path in sorted((folder / part).rglob("*")):
            if path.is_file() and (part == "tmp" or _LEFT_OVER.match(path.name)):
                yield f"left {path.relative_to(folder)}"
                return


def _outputs(command: Command, work: Path) -> Iterator[str]:
    for name in command.outputs:
        path = work / name
        if not path.is_file():
            yield f"{name} is missing"
        elif not _can_be_read(path):
            yield f"{name} cannot be read"


def _can_be_read(path: Path) -> bool:
    try:
        if path.suffix in _PICTURES:
            return _picture_can_be_read(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                return all(stored[name] is not None for name in stored.files)
        if path.suffix == ".json":
            json.loads(path.read_text())
        return path.stat().st_size > 0
    except Exception:  # a damaged archive raises nearly anything
        return False


def _picture_can_be_read(path: Path) -> bool:
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the forks that follow must not have it
    try:
        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED) is not None
    finally:
        cv2.utils.logging.setLogLevel(before)
