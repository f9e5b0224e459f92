"""Parts of requests: numbers in their paths, and bodies, read part by part up to a limit."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import HTTPException, Path, Request
from starlette.requests import ClientDisconnect

Number = Annotated[int, Path(ge=1, lt=1 << 31)]  # of a picture or a job


async def limited_parts(request: Request, limit: int, what: str) -> AsyncIterator[bytes]:
    """The parts of a body as they come; HTTPException 413: it has more than `limit` bytes, 400: it ends early."""
    too_large = HTTPException(413, f"{what}: at most {limit / 1e6:.4g} MB are taken")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    received = 0
    try:
        async for part in request.stream():
            received += len(part)
            if received > limit:
                raise too_large
            yield part
    except ClientDisconnect:
        raise HTTPException(400, f"{what}: broken off") from None


async def limited_body(request: Request, limit: int, what: str) -> bytes:
    """A whole body; HTTPException 413 where it has more than `limit` bytes."""
    return b"".join([part async for part in limited_parts(request, limit, what)])
