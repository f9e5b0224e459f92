"""What can be asked of the page's server, and what is answered when something is wrong."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi import Path as PathPart
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from apps.ui_server.access import Access
from apps.ui_server.limits import MAX_FILE_BYTES
from apps.ui_server.pictures.picture_routes import add_picture_routes
from apps.ui_server.pictures.picture_store import PictureStore
from apps.ui_server.static_files import read_static_files
from apps.ui_server.stitching_jobs.job_request import CHOICES
from apps.ui_server.stitching_jobs.job_routes import add_job_routes
from apps.ui_server.stitching_jobs.jobs import Jobs
from apps.ui_server.stitching_jobs.panorama_files import FORMATS
from stitching.errors import InputError, JobError


def make_app(access: Access, folder: Path | None, pictures: PictureStore, jobs: Jobs) -> FastAPI:
    """All routes, behind no guard yet.

    Args:
        access: who may ask.
        folder: of the user, below which panoramas are saved; None: they are only downloaded.
        pictures, jobs: see their classes.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _answer_errors(app)
    static = read_static_files()

    @app.get("/")
    def page() -> Response:
        """The page; its further requests show the token in a cookie."""
        response = Response(static["index.html"].content, media_type=static["index.html"].media_type)
        response.set_cookie(access.cookie, access.token, httponly=True, samesite="strict")
        return response

    @app.get("/static/{name:path}")
    def static_file(name: Annotated[str, PathPart(max_length=100)]) -> Response:
        if name not in static:
            raise HTTPException(404, "no such file")
        return Response(static[name].content, media_type=static[name].media_type)

    @app.get("/api/state")
    def state() -> dict[str, Any]:
        """What the page shows at first."""
        return {
            "folder": None if folder is None else str(folder),
            "pictures": [picture.as_json() for picture in pictures.all()],
            "formats": list(FORMATS),
            "largest_file": MAX_FILE_BYTES,
            "options": CHOICES,
        }

    add_picture_routes(app, pictures, jobs)
    add_job_routes(app, folder, pictures, jobs)
    return app


def _answer_errors(app: FastAPI) -> None:
    """Every error is {"error": one line}."""

    def told(status: int, message: str) -> JSONResponse:
        return JSONResponse({"error": message}, status)

    @app.exception_handler(StarletteHTTPException)
    def refused(request: Request, error: StarletteHTTPException) -> JSONResponse:
        return told(error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    def wrong_request(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return told(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")

    @app.exception_handler(InputError)
    def wrong_input(request: Request, error: InputError) -> JSONResponse:
        return told(422, str(error))

    @app.exception_handler(JobError)
    def job_failed(request: Request, error: JobError) -> JSONResponse:
        return told(500, str(error))

    @app.exception_handler(Exception)
    def defect(request: Request, error: Exception) -> JSONResponse:
        return told(500, "the server failed; its terminal says why")
