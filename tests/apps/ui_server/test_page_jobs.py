"""Stitches that the page asks for: the whole way, and what happens when users change their minds."""

import os
import time
from io import BytesIO
from multiprocessing import active_children
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi import HTTPException
from page_clients import png
from PIL import Image
from synthetic import two_planes

from apps.ui_server.stitching_jobs.jobs import Jobs
from apps.ui_server.stitching_jobs.stitch_task import Outcome
from stitching import Options, stitch
from stitching.io.metadata.contents import Metadata

FORMATS = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP"}


@pytest.fixture
def uploaded(page):
    """Numbers of reference and target of `two_planes`; removed after the test."""
    numbers = []
    scene = two_planes()
    for name, pixels in (("a.png", scene.reference), ("b.png", scene.target)):
        numbers.append(page.json("POST", "/api/pictures", params={"name": name}, content=png(pixels))["id"])
    yield numbers
    for number in numbers:
        page.ask("DELETE", f"/api/pictures/{number}")


@pytest.fixture(scope="module")
def done(page):
    """A finished stitch of the folder's pictures at full size."""
    told = page.stitched(pictures=page.folder_pictures())
    assert told["state"] == "done", told["error"]
    return told


def test_a_panorama_of_uploaded_pictures_is_that_of_python(page, uploaded):
    told = page.stitched(pictures=uploaded)
    assert (told["state"], told["error"], told["share"]) == ("done", None, 1)
    scene = two_planes()
    expected = stitch(scene.reference, scene.target)
    height, width = expected.alpha.shape
    assert told["size"] == [width, height]
    assert told["summary"]["reference"] == "a.png"
    panorama = page.picture(f"/api/jobs/{told['id']}/file/png")
    assert np.array_equal(panorama[..., 3], expected.alpha)
    assert np.array_equal(panorama[expected.alpha > 0, :3], expected.panorama[expected.alpha > 0])


def test_a_preview_is_small_and_both_pictures_can_be_compared(page):
    told = page.stitched(pictures=page.folder_pictures(), reference=page.folder_pictures()[1], preview=True)
    assert told["preview"]
    assert np.prod(told["size"]) <= 0.31e6
    assert (told["summary"]["reference"], told["summary"]["target"]) == ("right.png", "left.png")
    views = [page.picture(f"/api/jobs/{told['id']}/views/{view}") for view in ("panorama", "reference", "target")]
    assert {view.shape for view in views} == {(*told["size"][::-1], 4)}


@pytest.mark.parametrize("extension", FORMATS)
def test_a_panorama_is_downloaded_in_any_format(page, done, extension):
    answer = page.ask("GET", f"/api/jobs/{done['id']}/file/{extension}")
    assert f'attachment; filename="panorama.{extension}"' in answer.headers["content-disposition"]
    picture = Image.open(BytesIO(answer.content))
    assert (picture.format, list(picture.size)) == (FORMATS[extension], done["size"])


def test_a_projection_is_that_of_a_set(page):
    told = page.stitched(pictures=page.folder_pictures(), projection="cylinder", preview=True)
    assert told["summary"]["projection"] == "cylinder"
    assert told["views"] == ["panorama"]
    assert [picture["name"] for picture in told["summary"]["pictures"]] == ["left.png", "right.png"]
    page.refusal(404, "GET", f"/api/jobs/{told['id']}/views/target")


@pytest.mark.parametrize("projection", ["auto", "plane"])
def test_what_is_painted_over_is_left_out_of_pairs_and_of_sets(page, uploaded, done, projection):
    third = np.zeros((30, 40), np.uint8)
    third[:, :14] = 255  # the left of the reference, which the target does not show
    page.ask("PUT", f"/api/pictures/{uploaded[0]}/masks/leave_out", content=png(third))
    told = page.stitched(pictures=uploaded, preview=True, projection=projection)
    assert told["state"] == "done", told["error"]
    assert told["size"][0] < done["size"][0] - 30


def test_what_is_painted_to_be_kept_is_shown(page, uploaded):
    page.ask("PUT", f"/api/pictures/{uploaded[1]}/masks/keep", content=png(np.full((30, 40), 255, np.uint8)))
    told = page.stitched(pictures=uploaded, preview=True)
    assert told["state"] == "done", told["error"]
    panorama, target = (page.picture(f"/api/jobs/{told['id']}/views/{view}") for view in ("panorama", "target"))
    seen = target[..., 3] > 0
    assert np.mean(np.abs(panorama.astype(int) - target).max(axis=2)[seen] < 12) > 0.9
    message = page.refusal(422, "POST", "/api/jobs", json={"pictures": uploaded, "projection": "plane"})
    assert "two pictures" in message


def test_errors_of_a_stitch_name_pictures_as_the_user_does(page, uploaded):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    other = page.json("POST", "/api/pictures", params={"name": "noise.png"}, content=png(noise))["id"]
    told = page.stitched(pictures=[uploaded[0], other])
    page.ask("DELETE", f"/api/pictures/{other}")
    assert told["state"] == "failed"
    assert told["error"]
    assert "/tmp" not in told["error"]
    page.refusal(409, "GET", f"/api/jobs/{told['id']}/file/png")
    page.refusal(409, "GET", f"/api/jobs/{told['id']}/views/panorama")


def running(page, **request):
    """The number of a job that is being stitched."""
    number = page.json("POST", "/api/jobs", json=request)["id"]
    for _ in range(1000):
        told = page.json("GET", f"/api/jobs/{number}")
        if told["stage"] != "start":
            break
        time.sleep(0.01)
    assert told["state"] == "running"
    return number


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def children():
    """Numbers of the processes that work for the server, which runs in this one."""
    return {child.pid for child in active_children()}


def test_cancelling_ends_the_process_and_the_next_stitch_works(page):
    pictures, before = page.folder_pictures(), children()
    number = running(page, pictures=pictures)
    assert "is being stitched" in page.refusal(409, "DELETE", f"/api/pictures/{pictures[0]}")
    assert page.ask("DELETE", f"/api/jobs/{number}").status_code == 204
    assert page.json("GET", f"/api/jobs/{number}")["state"] == "cancelled"
    (ended,) = before - children()
    assert not is_alive(ended)
    assert not (page.running.folder / "jobs" / str(number)).exists()
    assert page.stitched(pictures=pictures, preview=True)["state"] == "done"
    assert page.ask("DELETE", f"/api/jobs/{number}").status_code == 204  # nothing more happens


def test_processes_that_the_system_kills_are_told_and_replaced(page):
    pictures = page.folder_pictures()
    number = running(page, pictures=pictures)
    for child in children():
        os.kill(child, 9)
    told = page.ended(number)
    assert told["state"] == "failed"
    assert "memory" in told["error"]
    new = page.json("POST", "/api/pictures", params={"name": "a.png"}, content=png(two_planes().target))["id"]
    assert page.stitched(pictures=[pictures[0], new], preview=True)["state"] == "done"
    page.ask("DELETE", f"/api/pictures/{new}")


def test_a_new_preview_replaces_one_that_runs_but_no_stitch_at_full_size(page):
    pictures = page.folder_pictures()
    first = running(page, pictures=pictures, preview=True)
    second = page.json("POST", "/api/jobs", json={"pictures": pictures, "preview": True, "crop": True})["id"]
    assert page.json("GET", f"/api/jobs/{first}")["state"] == "cancelled"
    assert page.ended(second)["state"] == "done"
    full = running(page, pictures=pictures)
    for preview in (True, False):
        assert "cancel it first" in page.refusal(
            409, "POST", "/api/jobs", json={"pictures": pictures, "preview": preview}
        )
    assert page.json("GET", f"/api/jobs/{full}")["state"] == "running"
    page.ask("DELETE", f"/api/jobs/{full}")


def test_the_last_two_results_of_each_kind_are_kept(tmp_path):
    at_once = SimpleNamespace(call=lambda *task, report: Outcome((1, 1), {}, [], ["panorama"], Metadata()))
    jobs = Jobs(tmp_path, SimpleNamespace(for_stitching=lambda: at_once))
    for preview in (False, True, True, True, True):
        job = jobs.start((), None, Options(), preview=preview)
        for _ in range(500):
            if job.state != "running":
                break
            time.sleep(0.01)
        assert job.state == "done"
    assert sorted(int(folder.name) for folder in tmp_path.iterdir()) == [1, 3, 4, 5]  # two before the last one began
    assert jobs.done(1)[0].number == 1
    with pytest.raises(HTTPException):
        jobs.done(2)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"pictures": []}, 422, "pictures"),
        ({"pictures": [1]}, 422, "pictures"),
        ({"pictures": [1, 1]}, 422, "twice"),
        ({"pictures": [1, 99999]}, 404, "99999"),
        ({"pictures": ["../1", 2]}, 422, "pictures"),
        ({"reference": 77}, 422, "reference"),
        ({"warp": "matches:/etc/passwd"}, 422, "warp"),
        ({"warp": "ptlflow:raft:/tmp/x.pth"}, 422, "warp"),
        ({"blend": "network:/etc/passwd"}, 422, "blend"),
        ({"lens": "/etc/passwd"}, 422, "lens"),
        ({"projection": "x"}, 422, "projection"),
        ({"crop": "yes"}, 422, "crop"),
        ({"device": "cuda"}, 422, "device"),
    ],
)
def test_requests_that_cannot_be_followed_are_refused(page, change, status, words):
    request = {"pictures": page.folder_pictures()} | change
    assert words in page.refusal(status, "POST", "/api/jobs", json=request)


def test_bodies_that_are_no_request_are_refused(page):
    for body in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000):
        page.refusal(422, "POST", "/api/jobs", content=body)
    page.refusal(413, "POST", "/api/jobs", content=b" " * 100_000)
    page.refusal(422, "POST", "/api/jobs/1/save", content=b"{}")
    for number in ("0", "x", "..%2f1"):
        assert page.ask("GET", f"/api/jobs/{number}").status_code in (404, 422)
    page.refusal(404, "GET", "/api/jobs/99999")
    page.refusal(404, "DELETE", "/api/jobs/99999")
