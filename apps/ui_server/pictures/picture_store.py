"""The pictures that the page works on: those of the user's folder, and uploaded ones in a temporary folder."""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from fastapi import HTTPException

from apps.ui_server.file_names import safe_name
from apps.ui_server.limits import MAX_PICTURES, MAX_UPLOAD_BYTES
from apps.ui_server.pictures.masks import Purpose
from apps.ui_server.pictures.picture_copies import Size, copy_path, make_copies
from apps.ui_server.work_process import ProcessEndedError
from apps.ui_server.work_processes import WorkProcesses
from stitching.errors import InputError

MakeCopies = Callable[[Path, Path], tuple[Size, Size]]


@dataclass(eq=False)
class StoredPicture:
    """A picture of the page.

    Attributes:
        number: names it in requests.
        name: of its file, for the user.
        path: of its file.
        folder: temporary, for its copies and masks.
        make_copies: as the function of that name, called with path and folder.
        uploaded_bytes: its part of the space for uploads; 0 for one of the user's folder, which is only read.
        size, copy_size: (w, h) px, upright; None before it is opened.
        removed: its folder is gone.
        lock: held while its files are made, read or removed.
    """

    number: int
    name: str
    path: Path
    folder: Path
    make_copies: MakeCopies
    uploaded_bytes: int = 0
    size: Size | None = None
    copy_size: Size | None = None
    removed: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def open(self) -> tuple[Size, Size]:
        """Make its copies if that was not done before; returns the sizes of the picture and of its copy for previews.

        Raises:
            InputError: it cannot be read. The message calls it by its name.
            HTTPException: it was removed, 404.
        """
        with self.lock:
            if self.removed:
                raise HTTPException(404, f"no picture {self.number}")
            if self.size is None or self.copy_size is None:
                self.folder.mkdir(exist_ok=True)
                try:
                    self.size, self.copy_size = self.make_copies(self.path, self.folder)
                except InputError as error:
                    raise InputError(str(error).replace(str(self.path), self.name)) from error
                except ProcessEndedError:
                    raise InputError(f"{self.name}: reading it ended the process; damaged, or memory ran out") from None
            return self.size, self.copy_size

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Its folder, with the copies, which stays as long as the block runs. Errors: as `open`."""
        with self.lock:
            self.open()
            yield self.folder

    @property
    def copy_path(self) -> Path:
        """Of its copy for previews."""
        return copy_path(self.path, self.folder)

    def mask_path(self, purpose: Purpose) -> Path:
        """Where a mask is, if any was painted."""
        return self.folder / f"{purpose}.png"

    def painted(self, purpose: Purpose) -> Path | None:
        """The file of a mask; None: nothing is painted."""
        path = self.mask_path(purpose)
        return path if path.exists() else None

    def as_json(self) -> dict[str, Any]:
        """What the page is told; width and height are null before the picture is opened."""
        width, height = self.size or (None, None)
        masks = {purpose: self.painted(purpose) is not None for purpose in get_args(Purpose)}
        return {"id": self.number, "name": self.name, "width": width, "height": height, "masks": masks}


class PictureStore:
    """All pictures of the page, by their numbers.

    Args:
        folder: an empty temporary folder.
        in_folder: pictures that are there already, in the order in which they are shown.
        max_megapix: the largest picture that is read, Mpx.
        processes: that read them.
    """

    def __init__(self, folder: Path, in_folder: Sequence[Path], max_megapix: float, processes: WorkProcesses) -> None:
        self.max_megapix, self._processes = max_megapix, processes
        self._folder, self._lock = folder, threading.Lock()
        self._pictures: dict[int, StoredPicture] = {}
        self._last_number = self._arriving = self._uploaded_bytes = 0
        for path in in_folder:
            self._add(path.name, path)

    def __getitem__(self, number: int) -> StoredPicture:
        """The picture with a number; HTTPException 404 where there is none."""
        try:
            return self._pictures[number]
        except KeyError:
            raise HTTPException(404, f"no picture {number}") from None

    def all(self) -> list[StoredPicture]:
        """In the order in which they came."""
        return list(self._pictures.values())

    @contextmanager
    def arriving(self, name: str) -> Iterator["ArrivingPicture"]:
        """A picture that is being uploaded; what is not kept is removed when the block ends.

        Raises:
            HTTPException: there are too many already, 409.
        """
        with self._lock:
            if len(self._pictures) + self._arriving >= MAX_PICTURES:
                raise HTTPException(409, f"{MAX_PICTURES} pictures are here already; remove some first")
            self._arriving += 1
            folder = self._next_folder()
        arriving = ArrivingPicture(self, folder, safe_name(name, "picture"))
        try:
            yield arriving
        finally:
            with self._lock:
                self._arriving -= 1
            if not arriving.kept:
                self._forget(folder, arriving.bytes)

    def remove(self, number: int) -> None:
        """Forget a picture, its copies and its masks; a file in the user's folder stays. HTTPException 404: none."""
        with self._lock:
            picture = self[number]
            del self._pictures[number]
        with picture.lock:  # it may be opened at this moment
            picture.removed = True
            self._forget(picture.folder, picture.uploaded_bytes)

    def make_copies(self, path: Path, folder: Path) -> tuple[Size, Size]:
        """Make the copies of a picture in another process. Errors: as `make_copies` and `WorkProcesses.call`."""
        return self._processes.call(make_copies, path, folder, self.max_megapix)

    def take_space(self, count: int) -> None:
        """Bytes that arrive; HTTPException 413 where no more are taken."""
        with self._lock:
            if self._uploaded_bytes + count > MAX_UPLOAD_BYTES:
                raise HTTPException(413, f"uploaded pictures: at most {MAX_UPLOAD_BYTES / 1e9:.2g} GB in all are taken")
            self._uploaded_bytes += count

    def keep(self, picture: StoredPicture) -> None:
        """Show an uploaded picture from now on."""
        with self._lock:
            self._pictures[picture.number] = picture

    def _add(self, name: str, path: Path) -> None:
        folder = self._next_folder()
        self._pictures[self._last_number] = StoredPicture(self._last_number, name, path, folder, self.make_copies)

    def _next_folder(self) -> Path:
        self._last_number += 1
        return self._folder / str(self._last_number)

    def _forget(self, folder: Path, uploaded_bytes: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with self._lock:
            self._uploaded_bytes -= uploaded_bytes


class ArrivingPicture:
    """A picture that is being uploaded into a folder of its own."""

    def __init__(self, store: PictureStore, folder: Path, name: str) -> None:
        folder.mkdir()
        self._store, self._name, self._folder = store, name, folder
        self.path = folder / f"uploaded-{name}"  # the copies have other names
        self.bytes, self.kept = 0, False

    def write(self, part: bytes) -> None:
        """Add a part to the file; HTTPException 413 where there is no more space."""
        self._store.take_space(len(part))
        self.bytes += len(part)
        with self.path.open("ab") as file:
            file.write(part)

    def keep(self) -> StoredPicture:
        """Open the whole picture and show it from now on; InputError where it cannot be read."""
        picture = StoredPicture(
            int(self._folder.name), self._name, self.path, self._folder, self._store.make_copies, self.bytes
        )
        picture.open()
        self._store.keep(picture)
        self.kept = True
        return picture
