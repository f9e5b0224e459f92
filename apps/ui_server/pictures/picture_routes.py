"""Requests about pictures and the masks that are painted onto them."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as PathPart
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from apps.ui_server.bodies import limited_body, limited_parts
from apps.ui_server.limits import MAX_FILE_BYTES, MAX_MASK_BYTES
from apps.ui_server.pictures.masks import Purpose, store_mask
from apps.ui_server.pictures.picture_store import PictureStore, StoredPicture
from apps.ui_server.stitching_jobs.jobs import Jobs

Number = Annotated[int, PathPart(ge=1, lt=1 << 31)]


def add_picture_routes(app: FastAPI, pictures: PictureStore, jobs: Jobs) -> None:
    """Upload, look at, and remove pictures and masks."""

    @app.post("/api/pictures", status_code=201)
    async def upload(request: Request, name: Annotated[str, Query(max_length=1000)]) -> dict[str, Any]:
        """The body is the file."""
        try:
            with pictures.arriving(name) as arriving:
                async for part in limited_parts(request, MAX_FILE_BYTES, "a picture"):
                    await run_in_threadpool(arriving.write, part)
                return (await run_in_threadpool(arriving.keep)).as_json()
        except OSError as error:
            raise HTTPException(507, f"the picture cannot be stored: {error.strerror}") from error

    @app.get("/api/pictures/{number}")
    def picture(number: Number) -> dict[str, Any]:
        """Opens it: then its width and height are known."""
        return _opened(number).as_json()

    @app.delete("/api/pictures/{number}", status_code=204)
    def remove(number: Number) -> None:
        if jobs.uses(number):
            raise HTTPException(409, "this picture is being stitched; cancel that first")
        pictures.remove(number)

    @app.get("/api/pictures/{number}/view")
    def view(number: Number) -> FileResponse:
        return FileResponse(_opened(number).folder / "view.jpg", media_type="image/jpeg")

    @app.get("/api/pictures/{number}/thumbnail")
    def thumbnail(number: Number) -> FileResponse:
        return FileResponse(_opened(number).folder / "thumbnail.jpg", media_type="image/jpeg")

    @app.put("/api/pictures/{number}/masks/{purpose}", status_code=204)
    async def paint(request: Request, number: Number, purpose: Purpose) -> None:
        """The body is a PNG of any size, white where it is painted."""
        path = await run_in_threadpool(_mask_of, number, purpose)
        encoded = await limited_body(request, MAX_MASK_BYTES, "a mask")
        await run_in_threadpool(store_mask, encoded, path, pictures.max_megapix)

    @app.get("/api/pictures/{number}/masks/{purpose}")
    def mask(number: Number, purpose: Purpose) -> Response:
        path = _mask_of(number, purpose)
        if not path.exists():
            raise HTTPException(404, f"nothing is painted: {purpose}")
        return FileResponse(path, media_type="image/png")

    @app.delete("/api/pictures/{number}/masks/{purpose}", status_code=204)
    def clear(number: Number, purpose: Purpose) -> None:
        _mask_of(number, purpose).unlink(missing_ok=True)

    def _opened(number: int) -> StoredPicture:
        one = pictures[number]
        one.open()
        return one

    def _mask_of(number: int, purpose: Purpose) -> Path:
        return _opened(number).mask_path(purpose)
