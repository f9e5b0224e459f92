"""A browser's part of the conversation with the server of `parastitch ui`."""

import os
import struct
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from apps.ui_server.serving import RunningPage


@dataclass(frozen=True)
class OpenPage:
    """A server, and a client that may ask it.

    Attributes:
        running: the server.
        folder: of the user.
    """

    client: httpx.Client
    running: RunningPage
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.running.access.port}"

    def ask(self, method: str, path: str, **details) -> httpx.Response:
        """An answer to a request with the token."""
        headers = {"X-Token": self.running.access.token} | details.pop("headers", {})
        return self.client.request(method, self.url + path, headers=headers, timeout=60, **details)

    def json(self, method: str, path: str, **details):
        """The JSON of an answer that is no error."""
        answer = self.ask(method, path, **details)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def refusal(self, status: int, method: str, path: str, **details) -> str:
        """What the server says when it refuses a request with this status."""
        answer = self.ask(method, path, **details)
        assert answer.status_code == status, answer.text
        assert list(answer.json()) == ["error"]
        message = answer.json()["error"]
        assert message
        assert "\n" not in message
        assert "Traceback" not in message
        return message

    def folder_pictures(self) -> list[int]:
        """The numbers of `left.png` and `right.png`."""
        listed = {picture["name"]: picture["id"] for picture in self.json("GET", "/api/state")["pictures"]}
        return [listed["left.png"], listed["right.png"]]

    def stitched(self, **request):
        """What is told of a job after it has ended."""
        return self.ended(self.json("POST", "/api/jobs", json=request)["id"])

    def ended(self, job: int):
        for _ in range(2000):
            told = self.json("GET", f"/api/jobs/{job}")
            assert 0 <= told["share"] <= 1
            if told["state"] != "running":
                return told
            time.sleep(0.02)
        pytest.fail("waited 40 s")

    def picture(self, path: str):
        """(h, w[, c]) pixels of a picture that the server sends."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


def crash(*arguments):
    """As a decoder does on a file that was made for it."""
    os.kill(os.getpid(), 9)


def png(pixels) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def png_bomb(side: int) -> bytes:
    """A small PNG that says, and has, `side` x `side` black pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = zlib.compressobj(9)
    rows = b"".join(row.compress(bytes(side // 8 + 1)) for _ in range(side)) + row.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
