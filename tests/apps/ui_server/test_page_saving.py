"""Panoramas in the user's folder: never outside of it, never over anything that was not given up."""

import cv2
import pytest

from apps.ui_server.serving import running_page
from stitching.input_files import pictures_in


@pytest.fixture(scope="module")
def save(page):
    """Asks to save a finished panorama."""
    number = page.stitched(pictures=page.folder_pictures(), preview=True)["id"]
    return f"/api/jobs/{number}/save"


def test_a_panorama_is_saved_under_a_name_and_replaced_only_when_told(page, save):
    saved = page.json("POST", save, json={"name": "new.png"})
    new = page.folder / "panoramas" / "new.png"
    assert saved == {"path": str(new)}
    assert cv2.imread(saved["path"], cv2.IMREAD_UNCHANGED) is not None
    new.write_bytes(b"mine")
    assert "new.png" in page.refusal(409, "POST", save, json={"name": "new.png"})
    assert new.read_bytes() == b"mine"
    page.json("POST", save, json={"name": "new.png", "overwrite": True})
    assert new.read_bytes() != b"mine"


def test_a_saved_panorama_is_no_picture_at_the_next_start(page, save):
    saved = page.json("POST", save, json={"name": "again.png"})["path"]
    assert saved not in map(str, pictures_in(page.folder))


@pytest.mark.parametrize("name", ["../out.jpg", "/tmp/out.jpg", "..\\out.jpg", "a/../../out.jpg", "./.out.jpg"])
def test_no_name_leads_out_of_the_folder(page, save, name):
    saved = page.json("POST", save, json={"name": name, "overwrite": True})
    assert saved["path"] == str(page.folder / "panoramas" / "out.jpg")


@pytest.mark.parametrize("name", ["", "x", "x.exe", "x.png.sh", ".png", "x.html", "x" * 600 + ".png"])
def test_a_name_without_a_pictures_extension_is_refused(page, save, name):
    before = sorted(page.folder.iterdir())
    page.refusal(422, "POST", save, json={"name": name})
    assert sorted(page.folder.iterdir()) == before


def test_pictures_of_the_page_and_links_are_never_replaced(page, save, tmp_path):
    folder = page.folder / "panoramas"
    folder.mkdir(exist_ok=True)
    left = (page.folder / "left.png").read_bytes()
    (folder / "left.png").hardlink_to(page.folder / "left.png")
    assert "left.png" in page.refusal(422, "POST", save, json={"name": "left.png", "overwrite": True})
    assert (page.folder / "left.png").read_bytes() == left
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"mine")
    (folder / "link.png").symlink_to(outside)
    (folder / "dangling.png").symlink_to(tmp_path / "nothing.png")
    for name in ("link.png", "dangling.png"):
        page.refusal(409, "POST", save, json={"name": name, "overwrite": True})
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "nothing.png").exists()


def test_without_a_folder_nothing_is_saved(page):
    with running_page() as running:
        answer = page.client.post(
            f"http://127.0.0.1:{running.access.port}/api/jobs/1/save",
            json={"name": "x.png"},
            headers={"X-Token": running.access.token},
        )
    assert answer.status_code == 409
    assert "without a folder" in answer.json()["error"]
