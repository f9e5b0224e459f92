import cv2
import httpx
import pytest
from page_clients import OpenPage
from synthetic import two_planes

from apps.ui_server.serving import running_page


@pytest.fixture(scope="module")  # its processes end before other tests count theirs
def page(tmp_path_factory):
    """A real server with a folder of two pictures, `left.png` and `right.png`."""
    folder = tmp_path_factory.mktemp("pictures")
    scene = two_planes()
    for name, pixels in (("left.png", scene.reference), ("right.png", scene.target)):
        cv2.imwrite(str(folder / name), pixels)
    with running_page(folder) as running, httpx.Client() as client:
        yield OpenPage(client, running, folder)
