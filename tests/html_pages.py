"""Pages that reports write, as tests read them."""

import base64
from html.parser import HTMLParser
from typing import Any

import cv2
import numpy as np

VOID = {"meta", "link", "img", "input", "br"}
NASTY = "\"><img src=x onerror=alert(1)>&'.jpg"


def width_on_screen(page: Any, width: int) -> int:
    """How wide a page in a browser is, px, on a screen of `width` px."""
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        return int(page.execute_script("return document.documentElement.scrollWidth"))
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


class Page(HTMLParser):
    """Elements as (tag, attributes), the texts, and whether every tag was closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def picture(self, alt: str) -> Any:
        (found,) = [image for image in self.all("img") if alt in image["alt"]]
        data = base64.b64decode(found["src"].partition("base64,")[2])
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
