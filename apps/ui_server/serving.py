"""Starts the page's server, and takes everything away when it ends."""

import logging
import socket
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from apps.ui_server.access import Access, Guard
from apps.ui_server.limits import MAX_PICTURES
from apps.ui_server.pictures.picture_store import PictureStore
from apps.ui_server.routes import make_app
from apps.ui_server.stitching_jobs.jobs import Jobs
from apps.ui_server.work_processes import WorkProcesses
from stitching.errors import InputError, JobError, require
from stitching.input_files import pictures_in
from stitching.io.files import check_folder
from stitching.io.size_limit import DEFAULT_MAX_MEGAPIX, INPUT_MEGAPIX_RANGE


def serve_page(folder: Path | None, port: int, browser: bool, max_megapix: float) -> None:
    """Serve the page until a signal ends the command.

    Args:
        folder: of the user's pictures; None: there is none.
        port: of 127.0.0.1; 0: any that is free.
        browser: open the page in the web browser.
        max_megapix: the largest picture that is read, Mpx.

    Raises:
        InputError: the folder or the port cannot be used.
        JobError: the server ended by itself.
    """
    low, high = INPUT_MEGAPIX_RANGE
    require(low <= max_megapix <= high, f"--max-megapix {max_megapix}", f"{low:g} to {high:g} Mpx")
    with running_page(folder, port, max_megapix) as page:
        print(page.access.address, flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(page.access.address,), daemon=True).start()
        page.thread.join()
    raise JobError("the page's server ended unexpectedly")


@dataclass(frozen=True)
class RunningPage:
    """A server that answers.

    Attributes:
        access: who may ask it.
        folder: temporary, with all that it keeps.
        thread: that serves.
    """

    access: Access
    folder: Path
    thread: threading.Thread


@contextmanager
def running_page(
    folder: Path | None = None, port: int = 0, max_megapix: float = DEFAULT_MAX_MEGAPIX
) -> Iterator[RunningPage]:
    """A server that runs as long as the block; then its processes are killed and its temporary folder is removed."""
    in_folder = _pictures_of(folder)
    with ExitStack() as stack:
        listening = stack.enter_context(closing(_listen(port)))
        kept = Path(stack.enter_context(TemporaryDirectory(prefix="parastitch-ui-", ignore_cleanup_errors=True)))
        for name in ("pictures", "jobs"):
            (kept / name).mkdir()
        processes = stack.enter_context(closing(WorkProcesses()))
        access = Access(listening.getsockname()[1])
        pictures = PictureStore(kept / "pictures", in_folder, max_megapix, processes)
        app = make_app(access, folder and folder.resolve(), pictures, Jobs(kept / "jobs", processes))
        server = _server(Guard(app, access))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield RunningPage(access, kept, thread)
        finally:
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # requests that it breaks off are no defects
            server.should_exit = True
            thread.join()


def _pictures_of(folder: Path | None) -> Sequence[Path]:
    """The pictures in the user's folder; InputError where it is none, or holds too many."""
    if folder is None:
        return ()
    require(folder.is_dir(), str(folder), "a folder with pictures, or for them")
    check_folder(folder)
    found = pictures_in(folder)
    require(len(found) <= MAX_PICTURES, f"{folder}: {len(found)} pictures", f"at most {MAX_PICTURES}")
    return found


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise InputError(f"--port {port}: {error.strerror}; expected one that is free, 0 takes any") from error


def _server(app: Guard) -> uvicorn.Server:
    """Quiet, without lifespan events and web sockets; it believes no header of a proxy."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
