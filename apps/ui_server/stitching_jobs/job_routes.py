"""Requests about stitches."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from apps.ui_server.limits import MAX_JSON_BYTES, PREVIEW_MEGAPIX, PREVIEW_WORK_MEGAPIX
from apps.ui_server.pictures.picture_store import PictureStore, StoredPicture
from apps.ui_server.requests import Number, limited_body
from apps.ui_server.stitching_jobs.job_request import JobRequest, parse_job, parse_save
from apps.ui_server.stitching_jobs.jobs import Jobs
from apps.ui_server.stitching_jobs.panorama_files import FORMATS, panorama_file, path_to_save, write_panorama
from apps.ui_server.stitching_jobs.stitch_task import TaskPicture, is_pair
from stitching.options import Options

View = Literal["panorama", "reference", "target"]
Extension = Literal["png", "jpg", "tif", "webp"]


def add_job_routes(app: FastAPI, folder: Path | None, pictures: PictureStore, jobs: Jobs) -> None:
    """Start, watch and cancel stitches; look at, download and save what they give."""

    @app.post("/api/jobs", status_code=201)
    async def start(request: Request) -> dict[str, Any]:
        body = await limited_body(request, MAX_JSON_BYTES, "a request")
        return await run_in_threadpool(_start, parse_job(body))

    @app.get("/api/jobs/{number}")
    def job(number: Number) -> dict[str, Any]:
        return jobs[number].as_json()

    @app.delete("/api/jobs/{number}", status_code=204)
    def cancel(number: Number) -> None:
        jobs.cancel(number)

    @app.get("/api/jobs/{number}/views/{view}")
    def view(number: Number, view: View) -> FileResponse:
        job, outcome = jobs.done(number)
        if view not in outcome.views:
            raise HTTPException(404, f"no view {view}; there are {', '.join(outcome.views)}")
        return FileResponse(job.task.folder / f"{view}.png", media_type="image/png")

    @app.get("/api/jobs/{number}/file/{extension}")
    def download(number: Number, extension: Extension) -> FileResponse:
        path = panorama_file(*jobs.done(number), extension)
        return FileResponse(path, media_type=FORMATS[extension], filename=f"panorama.{extension}")

    @app.post("/api/jobs/{number}/save", status_code=201)
    async def save(request: Request, number: Number) -> dict[str, Any]:
        body = await limited_body(request, MAX_JSON_BYTES, "a request")
        return await run_in_threadpool(_save, number, body)

    def _start(request: JobRequest) -> dict[str, Any]:
        used = tuple(_task_picture(pictures[number], request.preview) for number in request.pictures)
        if not is_pair(used, request.projection) and any(picture.keep for picture in used):
            only = "what must be shown is for two pictures with the automatic projection"
            raise HTTPException(422, f"{only}: erase what is painted green, or stitch two pictures")
        reference = None if request.reference is None else request.pictures.index(request.reference)
        return {
            "id": jobs.start(used, reference, _options(request, pictures.max_megapix), preview=request.preview).number
        }

    def _save(number: int, body: bytes) -> dict[str, Any]:
        request = parse_save(body)
        if folder is None:
            raise HTTPException(409, "parastitch ui was started without a folder: download the panorama")
        done = jobs.done(number)
        path = path_to_save(folder, request.name, request.overwrite, [one.path for one in pictures.all()])
        write_panorama(*done, path)
        return {"path": str(path)}


def _options(request: JobRequest, max_megapix: float) -> Options:
    options = Options(
        warp=request.warp, blend=request.blend, projection=request.projection, crop=request.crop, lens=request.lens,
        max_megapix=max_megapix,
    )  # fmt: skip
    if not request.preview:
        return options
    work = PREVIEW_MEGAPIX if len(request.pictures) == 2 else PREVIEW_WORK_MEGAPIX
    return replace(options, work_megapix=work, final_megapix=PREVIEW_MEGAPIX)


def _task_picture(stored: StoredPicture, preview: bool) -> TaskPicture:
    """A picture, or its small copy for a preview; InputError where it cannot be read."""
    size, copy_size = stored.open()
    masks = stored.painted("leave_out"), stored.painted("keep")
    if preview:
        return TaskPicture(stored.number, stored.copy_path, stored.name, copy_size, *masks)
    return TaskPicture(stored.number, stored.path, stored.name, size, *masks)
