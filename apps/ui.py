"""`parastitch ui`: a local web page to stitch on."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Optional

import tyro

from stitching.errors import InputError, require
from stitching.io.size_limit import DEFAULT_MAX_MEGAPIX

_OptionalPath = Optional[Path]  # noqa: UP045 - for `Path | None` tyro imports typeguard: 0.1 s


def ui_command(
    folder: Annotated[tyro.conf.Positional[_OptionalPath], tyro.conf.arg(metavar="[FOLDER]")] = None,
    port: int = 0,
    browser: bool = True,
    max_megapix: float = DEFAULT_MAX_MEGAPIX,
) -> None:
    """Open a local web page to stitch on: choose pictures, look at a preview, paint masks, save. Ctrl-C ends it.

    The page is served to this machine only, at an address that nobody can guess.

    Args:
        folder: its pictures are listed, and panoramas are saved in FOLDER/panoramas. Without it, pictures are dropped
            onto the page, and panoramas downloaded.
        port: of the page; 0: any that is free.
        browser: open the page in the web browser.
        max_megapix: largest picture that is read, Mpx.
    """
    if missing := [package for package in ("fastapi", "uvicorn") if find_spec(package) is None]:
        raise InputError(f"ui needs {', '.join(missing)}: pip install 'parastitch[ui]'")
    require(0 <= port <= 65535, f"--port {port}", "0 to 65535")
    from apps.ui_server.serving import serve_page

    serve_page(folder, port, browser, max_megapix)
