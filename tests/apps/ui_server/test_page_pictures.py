"""Pictures and masks that come to the page: what is taken, what is refused, and what becomes of it."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fastapi import HTTPException
from page_clients import crash, png, png_bomb
from picture_files import photo

from apps.ui_server.pictures import picture_routes, picture_store
from apps.ui_server.pictures.picture_copies import copy_path, make_copies
from stitching.io.picture_reader import read_picture

DEEP = photo(np.uint16, (60, 80, 3))


@pytest.fixture
def uploaded(page):
    """A picture of 400 x 300 px; removed after the test."""
    told = page.json("POST", "/api/pictures", params={"name": "a view.png"}, content=png(photo(shape=(300, 400, 3))))
    yield told
    page.ask("DELETE", f"/api/pictures/{told['id']}")


def names(page):
    return [picture["name"] for picture in page.json("GET", "/api/state")["pictures"]]


def test_pictures_of_the_folder_are_listed_at_once(page):
    before = page.json("GET", "/api/state")
    assert before["folder"] == str(page.folder)
    assert names(page)[:2] == ["left.png", "right.png"]
    left, _ = page.folder_pictures()
    told = page.json("GET", f"/api/pictures/{left}")
    assert (told["id"], told["name"], told["width"], told["height"]) == (left, "left.png", 400, 300)


def test_removing_a_picture_of_the_folder_from_the_page_leaves_its_file(tmp_path):
    mine = tmp_path / "mine.png"
    mine.write_bytes(png(photo()))
    (tmp_path / "copies").mkdir()
    here = SimpleNamespace(call=lambda function, *arguments: function(*arguments))
    store = picture_store.PictureStore(tmp_path / "copies", [mine], 400, here)
    store[1].open()
    store.remove(1)
    assert mine.exists()
    assert not any((tmp_path / "copies").iterdir())
    assert store.all() == []


def test_a_picture_may_be_removed_while_it_is_opened(tmp_path):
    mine = tmp_path / "mine.png"
    mine.write_bytes(png(photo()))
    (tmp_path / "copies").mkdir()
    begun, go_on = threading.Event(), threading.Event()

    def call_later(function, *arguments):
        begun.set()
        assert go_on.wait(10)
        return function(*arguments)

    store = picture_store.PictureStore(tmp_path / "copies", [mine], 400, SimpleNamespace(call=call_later))
    picture = store[1]
    with ThreadPoolExecutor() as pool:
        opening = pool.submit(picture.open)
        assert begun.wait(10)
        removing = pool.submit(store.remove, 1)
        while store.all():
            time.sleep(0.001)
        go_on.set()
        removing.result(10)
        assert opening.result(10)[0] == (64, 48)
    assert not any((tmp_path / "copies").iterdir())
    with pytest.raises(HTTPException, match="404"):
        picture.open()


def test_an_uploaded_picture_is_shown_upright_and_small(page):
    wide = cv2.resize(photo(), (3000, 500))
    _, jpeg = cv2.imencode(".jpg", wide)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6: turned right
    turned = jpeg[:2].tobytes() + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + jpeg[2:].tobytes()
    told = page.json("POST", "/api/pictures", params={"name": "wide.jpg"}, content=turned)
    assert (told["width"], told["height"]) == (500, 3000)
    for kind, side in (("view", 1600), ("thumbnail", 240)):
        shown = page.picture(f"/api/pictures/{told['id']}/{kind}")
        assert shown.shape[:2] == (side, round(side / 6))
        upright = cv2.resize(
            cv2.rotate(wide, cv2.ROTATE_90_CLOCKWISE), shown.shape[1::-1], interpolation=cv2.INTER_AREA
        )
        assert np.abs(upright.astype(int) - shown).mean() < 3
    assert page.ask("DELETE", f"/api/pictures/{told['id']}").status_code == 204
    page.refusal(404, "GET", f"/api/pictures/{told['id']}/view")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/cron.d/x.png", "x.png"),
        ("..\\..\\boot.png", "boot.png"),
        ("/etc/passwd", "passwd"),
        (".bashrc", "bashrc"),
        ("a\0b\n\x1b[2J.png", "a_b__[2J.png"),
        ("..", "picture"),
        ("", "picture"),
        ("x" * 300 + ".png", "x" * 180 + ".png"),
        ("été 2024 日本.png", "été 2024 日本.png"),
    ],
)
def test_no_name_leads_out_of_the_temporary_folder(page, given, kept):
    told = page.json("POST", "/api/pictures", params={"name": given}, content=png(photo()))
    assert told["name"] == kept
    assert page.ask("DELETE", f"/api/pictures/{told['id']}").status_code == 204


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<html><script>alert(1)</script>", "expected a"),
        (png(photo())[:400], "damaged"),
        (png(photo(shape=(20, 20, 3))), "20 x 20 px"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_name_and_not_kept(page, content, words):
    before, files = names(page), sorted(page.running.folder.rglob("*"))
    message = page.refusal(422, "POST", "/api/pictures", params={"name": "my file.png"}, content=content)
    assert words in message
    assert "my file.png" in message
    assert "/tmp" not in message
    assert names(page) == before
    assert sorted(page.running.folder.rglob("*")) == files


def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded(page):
    bomb = png_bomb(30_000)
    assert len(bomb) < 1e6
    message = page.refusal(422, "POST", "/api/pictures", params={"name": "bomb.png"}, content=bomb)
    assert message.startswith("bomb.png: 30000 x 30000 px, 900.0 Mpx; at most 400 Mpx")
    (left, _) = page.folder_pictures()
    assert "900.0 Mpx" in page.refusal(422, "PUT", f"/api/pictures/{left}/masks/keep", content=bomb)


def test_a_picture_that_crashes_its_decoder_is_refused_and_the_next_one_is_taken(page, monkeypatch):
    with monkeypatch.context() as crashing:
        crashing.setattr(picture_store, "make_copies", crash)
        message = page.refusal(422, "POST", "/api/pictures", params={"name": "evil.heic"}, content=png(photo()))
    assert message.startswith("evil.heic: ")
    told = page.json("POST", "/api/pictures", params={"name": "good.png"}, content=png(photo()))
    page.ask("DELETE", f"/api/pictures/{told['id']}")


def test_too_large_uploads_are_refused_whether_they_say_so_or_not(page, monkeypatch):
    monkeypatch.setattr(picture_routes, "MAX_FILE_BYTES", 100_000)
    before = names(page)
    content = bytes(200_000)
    assert "0.1 MB" in page.refusal(413, "POST", "/api/pictures", params={"name": "a.png"}, content=content)
    parts = (content[start : start + 1000] for start in range(0, len(content), 1000))  # of no known length
    assert "0.1 MB" in page.refusal(413, "POST", "/api/pictures", params={"name": "a.png"}, content=parts)
    assert names(page) == before


def test_an_upload_that_is_broken_off_leaves_nothing(page):
    before, folders = names(page), sorted((page.running.folder / "pictures").iterdir())
    access = page.running.access
    with socket.create_connection(("127.0.0.1", access.port)) as connection:
        head = f"POST /api/pictures?name=a.png HTTP/1.1\r\nHost: 127.0.0.1:{access.port}\r\nX-Token: {access.token}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 1000000\r\n\r\n" + png(photo()))
        for _ in range(500):
            if sorted((page.running.folder / "pictures").iterdir()) != folders:
                break
            time.sleep(0.01)
    for _ in range(500):
        if sorted((page.running.folder / "pictures").iterdir()) == folders:
            break
        time.sleep(0.01)
    assert sorted((page.running.folder / "pictures").iterdir()) == folders
    assert names(page) == before


def test_all_uploads_together_have_a_limit_that_removing_frees(page, monkeypatch):
    content = png(photo(shape=(300, 400, 3)))
    monkeypatch.setattr(picture_store, "MAX_UPLOAD_BYTES", int(1.5 * len(content)))
    first = page.json("POST", "/api/pictures", params={"name": "1.png"}, content=content)
    assert "in all" in page.refusal(413, "POST", "/api/pictures", params={"name": "2.png"}, content=content)
    page.ask("DELETE", f"/api/pictures/{first['id']}")
    second = page.json("POST", "/api/pictures", params={"name": "2.png"}, content=content)
    page.ask("DELETE", f"/api/pictures/{second['id']}")


def test_no_more_than_a_number_of_pictures_is_taken(page, monkeypatch):
    monkeypatch.setattr(picture_store, "MAX_PICTURES", len(names(page)))
    assert "remove some" in page.refusal(409, "POST", "/api/pictures", params={"name": "a.png"}, content=png(photo()))


@pytest.mark.parametrize(
    "number", ["0", "-1", "x", "1.5", "../1", "..%2f1", "%2e%2e%2f%2e%2e", "99999999999999999999", "1%00"]
)
def test_pictures_are_known_by_their_numbers_alone(page, number):
    for path in ("", "/view", "/thumbnail", "/masks/keep"):
        answer = page.ask("GET", f"/api/pictures/{number}{path}")
        assert answer.status_code in (404, 422)
        assert list(answer.json()) == ["error"]


def test_the_copy_for_previews_is_taken_for_what_the_picture_is(tmp_path):
    given = tmp_path / "deep.NEF"
    given.write_bytes(png(cv2.resize(DEEP, (1600, 1200))))
    size, copy_size = make_copies(given, tmp_path, 400)
    copy = read_picture(copy_path(given, tmp_path))
    assert (size, copy.size, copy.pixels.dtype) == ((1600, 1200), copy_size, np.uint16)
    assert 0.5e6 < np.prod(copy_size) <= 0.61e6
    assert Path(copy.name).suffix == ".NEF"  # which tells that a lens is still to be corrected


def test_a_mask_comes_back_as_it_was_painted(page, uploaded):
    path = f"/api/pictures/{uploaded['id']}/masks/leave_out"
    page.refusal(404, "GET", path)
    painted = np.zeros((30, 40, 4), np.uint8)
    painted[5:20, 10:30] = 255
    painted[0, 0] = 255, 255, 255, 30  # hardly anything
    assert page.ask("PUT", path, content=png(painted)).status_code == 204
    assert np.array_equal(page.picture(path), painted[..., 3] // 128 * 255)
    assert page.ask("PUT", path, content=png(np.zeros((30, 40), np.uint8))).status_code == 204  # nothing is painted
    page.refusal(404, "GET", path)
    page.ask("PUT", path, content=png(painted))
    assert page.ask("DELETE", path).status_code == 204
    page.refusal(404, "GET", path)


def test_masks_that_are_no_png_are_refused(page, uploaded, monkeypatch):
    path = f"/api/pictures/{uploaded['id']}/masks/keep"
    _, jpeg = cv2.imencode(".jpg", photo())
    for content in (b"", b"x", jpeg.tobytes(), png(photo())[:300]):
        assert "mask" in page.refusal(422, "PUT", path, content=content)
    page.refusal(422, "PUT", f"/api/pictures/{uploaded['id']}/masks/other", content=png(photo()))
    page.refusal(404, "PUT", f"/api/pictures/{uploaded['id']}/masks/..%2f..", content=png(photo()))
    monkeypatch.setattr(picture_routes, "MAX_MASK_BYTES", 100)
    page.refusal(413, "PUT", path, content=png(photo()))
    page.refusal(404, "GET", path)


def test_the_size_of_a_picture_on_the_page_is_limited_and_that_of_the_picture_is_told(page, uploaded):
    assert (uploaded["width"], uploaded["height"]) == (400, 300)
    assert page.picture(f"/api/pictures/{uploaded['id']}/view").shape == (300, 400, 3)
    told = page.json("POST", "/api/pictures", params={"name": "deep.png"}, content=png(DEEP))
    assert page.picture(f"/api/pictures/{told['id']}/view").dtype == np.uint8
    page.ask("DELETE", f"/api/pictures/{told['id']}")
