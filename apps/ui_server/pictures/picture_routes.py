"""Requests about pictures and the masks that are painted onto them."""

from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from apps.ui_server.limits import MAX_FILE_BYTES, MAX_MASK_BYTES
from apps.ui_server.pictures.masks import Purpose, store_mask
from apps.ui_server.pictures.picture_store import PictureStore
from apps.ui_server.requests import Number, limited_body, limited_parts
from apps.ui_server.stitching_jobs.jobs import Jobs


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
        one = pictures[number]
        one.open()
        return one.as_json()

    @app.delete("/api/pictures/{number}", status_code=204)
    def remove(number: Number) -> None:
        if jobs.uses(number):
            raise HTTPException(409, "this picture is being stitched; cancel that first")
        pictures.remove(number)

    @app.get("/api/pictures/{number}/{copy}")
    def copy_for_screen(number: Number, copy: Literal["view", "thumbnail"]) -> Response:
        with pictures[number].opened() as folder:
            return Response((folder / f"{copy}.jpg").read_bytes(), media_type="image/jpeg")

    @app.put("/api/pictures/{number}/masks/{purpose}", status_code=204)
    async def paint(request: Request, number: Number, purpose: Purpose) -> None:
        """The body is a PNG of any size, white where it is painted."""
        painted = await limited_body(request, MAX_MASK_BYTES, "a mask")
        await run_in_threadpool(_store_mask, number, purpose, painted)

    @app.get("/api/pictures/{number}/masks/{purpose}")
    def mask(number: Number, purpose: Purpose) -> Response:
        one = pictures[number]
        with one.opened():
            if (path := one.painted(purpose)) is None:
                raise HTTPException(404, f"nothing is painted: {purpose}")
            return Response(path.read_bytes(), media_type="image/png")

    @app.delete("/api/pictures/{number}/masks/{purpose}", status_code=204)
    def clear(number: Number, purpose: Purpose) -> None:
        pictures[number].mask_path(purpose).unlink(missing_ok=True)

    def _store_mask(number: int, purpose: Purpose, painted: bytes) -> None:
        one = pictures[number]
        with one.opened():
            store_mask(painted, one.mask_path(purpose), pictures.max_megapix)
