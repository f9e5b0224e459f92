"""What the page asks to be stitched."""

from typing import Annotated, Literal, get_args

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from apps.ui_server.limits import MAX_PICTURES
from stitching.adjustment.surface_choice import PROJECTIONS, Projection
from stitching.errors import printable

Warp = Literal["auto", "classical", "matches", "homography"]  # without files, which a page could name anywhere
Blend = Literal["auto", "seam", "network"]
Lens = Literal["auto", "none"]

# What the page offers for each option; the first is the default.
CHOICES = {"projection": PROJECTIONS, "warp": get_args(Warp), "blend": get_args(Blend), "lens": get_args(Lens)}

_Number = Annotated[int, Field(ge=1)]


class JobRequest(BaseModel):
    """A stitch. `reference` is one of the pictures; null: of two the first, of more the one in the middle."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pictures: Annotated[list[_Number], Field(min_length=2, max_length=MAX_PICTURES)]
    reference: _Number | None = None
    projection: Projection = "auto"
    crop: bool = False
    lens: Lens = "auto"
    warp: Warp = "auto"
    blend: Blend = "auto"
    preview: bool = False


class SaveRequest(BaseModel):
    """Under which name a panorama is saved."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    overwrite: bool = False


def parse_job(body: bytes) -> JobRequest:
    """The request that a JSON body holds; HTTPException 422 where it holds none."""
    try:
        request = JobRequest.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, _first_of(error)) from None
    if len(set(request.pictures)) < len(request.pictures):
        raise HTTPException(422, "pictures: one is named twice; expected each once")
    if request.reference not in (None, *request.pictures):
        raise HTTPException(422, f"reference {request.reference}: expected one of the pictures")
    return request


def parse_save(body: bytes) -> SaveRequest:
    """The request that a JSON body holds; HTTPException 422 where it holds none."""
    try:
        return SaveRequest.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, _first_of(error)) from None


def _first_of(error: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return printable(f"{place}: {first['msg']}" if place else first["msg"], 300)
