import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from html_pages import width_on_screen
from PIL import Image
from synthetic import two_planes

pytest.importorskip("uvicorn", reason="needs the extra ui")
pytest.importorskip("selenium.webdriver", reason="needs selenium")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from apps.ui_server.serving import RunningPage, running_page
from stitching.io.picture_writer import write_picture

pytestmark = pytest.mark.slow
LONGEST = 60.0  # seconds that anything may take, on a busy machine
HAS_PREVIEW = "!document.querySelector('#viewer .layer img') ? '' : document.querySelector('#viewer .layer img').src"
SAVED = "document.getElementById('saved').textContent.startsWith('Saved')"
ATTEMPTS = """
const api = "ADDRESS/api", tried = [];
const attempt = async (name, ...request) => {
  try { tried.push(name + " " + (await fetch(...request)).type); } catch { tried.push(name + " blocked"); }
};
await attempt("read", api + "/state", {credentials: "include"});
await attempt("remove", api + "/pictures/1", {method: "DELETE", credentials: "include"});
const plain = {method: "POST", mode: "no-cors", credentials: "include", body: "{}"}; // sent without asking first
await attempt("stitch", api + "/jobs", plain);
await attempt("add", api + "/pictures?name=a.png", plain);
document.title = tried.join(", ");
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of one scene, and a file that is none."""
    folder = tmp_path_factory.mktemp("files")
    write_picture(folder / "left.png", two_planes().reference)
    write_picture(folder / "right.png", two_planes().target)
    (folder / "letter.png").write_text("Dear photographer,")
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningPage, Path]]:
    """The server, and the folder that panoramas are saved in."""
    folder = tmp_path_factory.mktemp("saved")
    with running_page(folder) as running:
        yield running, folder


@pytest.fixture
def page(browser: Any, served: tuple[RunningPage, Path]) -> Iterator[Any]:
    """The page without pictures; a test fails where the browser complained of anything but refusals of the server."""
    browser.get(served[0].access.address)
    wait_for(browser, "document.getElementById('folder').textContent")
    while browser.find_elements(By.CSS_SELECTOR, "#pictures li"):
        browser.execute_script("document.querySelector('#pictures .icon').click()")
    wait_for(browser, "fetch('/api/state').then(answer => answer.json()).then(state => !state.pictures.length)")
    browser.get_log("browser")
    yield browser
    complaints = [line["message"] for line in browser.get_log("browser") if line["source"] != "network"]
    assert not complaints


def wait_for(page: Any, expression: str) -> Any:
    """The value of an expression once it is true."""
    end = time.monotonic() + LONGEST
    while not (value := page.execute_script(f"return {expression}")):
        assert time.monotonic() < end, f"{expression}: not within {LONGEST} s"
        time.sleep(0.05)
    return value


def choose_files(page: Any, *paths: Path) -> None:
    page.execute_script("document.getElementById('files').hidden = false")  # selenium sees no hidden fields
    page.find_element(By.ID, "files").send_keys("\n".join(map(str, paths)))


def click(page: Any, selector: str) -> None:
    page.find_element(By.CSS_SELECTOR, selector).click()


def picture_names(page: Any) -> list[str]:
    return [name.text for name in page.find_elements(By.CSS_SELECTOR, "#pictures .name")]


@pytest.fixture
def with_preview(page: Any, files: Path) -> Any:
    choose_files(page, files / "left.png", files / "right.png")
    wait_for(page, HAS_PREVIEW)
    return page


def test_from_chosen_files_to_a_saved_panorama(with_preview: Any, served: tuple[RunningPage, Path]) -> None:
    page = with_preview
    assert picture_names(page) == ["left.png", "right.png"]
    first_preview = wait_for(page, HAS_PREVIEW)

    page.find_element(By.CSS_SELECTOR, "#pictures li:nth-child(2) [title^='Leave parts out']").click()
    easel = page.find_element(By.ID, "easel")
    wait_for(page, "document.querySelector('#easel canvas') && document.activeElement.id == 'easel'")
    height = easel.size["height"]  # of the picture, too, which is 4:3; at its right it shows what the other does not
    stroke = ActionChains(page).move_to_element_with_offset(easel, int(0.6 * height), int(-0.3 * height))
    stroke.click_and_hold().move_by_offset(0, int(0.6 * height)).release().send_keys(Keys.ESCAPE).perform()
    wait_for(page, f"({HAS_PREVIEW}) != '{first_preview}' && !document.querySelector('.stale')")

    click(page, "#stitch")
    wait_for(page, "!document.getElementById('save').hidden")
    size = [int(word) for word in page.find_element(By.ID, "size").text.split() if word.isdecimal()]
    click(page, "#formats input[value=png]")
    click(page, "#save-button")
    saved = served[1] / "panoramas" / "panorama.png"
    wait_for(page, SAVED)
    assert str(saved) in page.find_element(By.ID, "saved").text
    with Image.open(saved) as panorama:
        assert list(panorama.size) == size
        assert panorama.size[0] > two_planes().reference.shape[1]
        hole = panorama.getchannel("A").crop((size[0] // 2, size[1] // 4, size[0] - 8, 3 * size[1] // 4))
    assert hole.getextrema() == (0, 255)  # what was painted is left out, and only that

    before = saved.read_bytes()
    saved.write_bytes(b"another one")
    click(page, "#save-button")
    wait_for(page, "document.getElementById('exists').open")
    assert saved.read_bytes() == b"another one"
    click(page, "[data-exists=replace]")
    wait_for(page, SAVED)
    assert saved.read_bytes() == before


def test_a_picture_of_the_folder_that_cannot_be_read_is_not_used_and_says_so(browser: Any, tmp_path: Path) -> None:
    write_picture(tmp_path / "left.png", two_planes().reference)
    write_picture(tmp_path / "right.png", two_planes().target)
    (tmp_path / "torn.png").write_bytes((tmp_path / "left.png").read_bytes()[:5000])
    with running_page(tmp_path) as running:
        browser.get(running.access.address)
        wait_for(browser, HAS_PREVIEW)
        wait_for(browser, "document.querySelectorAll('#pictures .unused').length == 1")
        torn = browser.find_element(By.CSS_SELECTOR, "#pictures .unused").text
        assert "torn.png" in torn
        assert "Cannot be read" in torn
        browser.get("about:blank")


def test_dropped_files_come_in_order_and_a_refused_one_says_why(page: Any) -> None:
    page.execute_script("""
        const canvas = Object.assign(document.createElement("canvas"), {width: 64, height: 48});
        canvas.getContext("2d").fillRect(0, 0, 32, 48);
        canvas.toBlob(blob => {
            const dropped = new DataTransfer();
            for (const [name, part] of [["b.png", blob], ["letter.png", "Dear photographer,"], ["a.png", blob]])
                dropped.items.add(new File([part], name));
            document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, bubbles: true}));
        });
    """)
    wait_for(page, "document.querySelectorAll('#pictures li').length == 2")
    assert picture_names(page) == ["b.png", "a.png"]
    refused = page.find_element(By.CSS_SELECTOR, "#uploads .refused").text
    assert refused.startswith("letter.png was not taken.")
    assert "expected a JPEG, PNG" in refused
    failed = wait_for(page, "document.querySelector('.failed #why')?.textContent")
    assert failed == "B.png shows nothing: all of it has one colour; expected a photograph"
    assert page.find_element(By.ID, "stitch").get_property("disabled")


def test_cancelled_stitch_ends_and_leaves_the_preview(with_preview: Any) -> None:
    page = with_preview
    preview = wait_for(page, HAS_PREVIEW)
    number = int(preview.split("/")[-3]) + 1
    page.execute_script("""
        const share = document.getElementById("share"), cancel = document.getElementById("cancel");
        new MutationObserver(() => share.value > 0 && cancel.click()).observe(share, {attributes: true});
        document.getElementById("stitch").click();
    """)
    wait_for(page, "!document.getElementById('stitch').hidden")
    wait_for(page, f"fetch('/api/jobs/{number}').then(answer => answer.json()).then(job => job.state == 'cancelled')")
    assert wait_for(page, HAS_PREVIEW) == preview
    assert page.find_element(By.ID, "save").get_property("hidden")


def test_after_cancelling_the_next_stitch_may_begin_at_once(with_preview: Any) -> None:
    page = with_preview
    page.execute_script("""
        const share = document.getElementById("share"), stitch = document.getElementById("stitch");
        new MutationObserver((_, observer) => {
            if (share.value == 0) return;
            observer.disconnect();
            document.getElementById("cancel").click();
            stitch.click();
        }).observe(share, {attributes: true});
        stitch.click();
    """)
    wait_for(page, "!document.getElementById('save').hidden || document.getElementById('messages').textContent")
    assert not page.find_element(By.ID, "messages").text


def test_keys_paint_undo_and_close(with_preview: Any) -> None:
    page = with_preview
    page.find_element(By.CSS_SELECTOR, "#pictures li:nth-child(1) [title^='Leave parts out']").click()
    wait_for(page, "document.activeElement.id == 'easel'")
    painted = """(() => {
        const sheet = document.querySelector("#easel canvas");
        const copy = new OffscreenCanvas(sheet.width, sheet.height).getContext("2d");
        copy.drawImage(sheet, 0, 0);
        return copy.getImageData(0, 0, sheet.width, sheet.height).data.some(value => value > 0);
    })()"""
    undo = page.find_element(By.CSS_SELECTOR, "[data-paint=undo]")
    assert not page.execute_script(f"return {painted}")
    assert not undo.is_enabled()
    page.execute_script("""
        const easel = document.getElementById("easel"), box = easel.getBoundingClientRect();
        const beside = {clientX: box.left - 999, clientY: box.top - 999};  // as a pointer that rests beside the picture
        easel.dispatchEvent(new PointerEvent("pointermove", beside));
    """)
    ActionChains(page).send_keys("m", " ").perform()
    assert page.execute_script(f"return {painted}")
    ActionChains(page).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    ActionChains(page).send_keys(Keys.ARROW_RIGHT, " ").perform()
    assert page.execute_script(f"return {painted}")
    ActionChains(page).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    assert not page.execute_script(f"return {painted}")
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert not page.find_element(By.ID, "painter").is_displayed()


@pytest.mark.parametrize("place", [[50, 40], [0, 0], [100, 40]])  # of a picture of 100 x 80 px
@pytest.mark.parametrize("moves", [0, 1])  # of a pen or a finger that stays where it is
def test_a_dot_is_painted_and_outlives_the_undoing_of_a_later_stroke(page: Any, place: list[int], moves: int) -> None:
    painted = page.execute_async_script(
        """
        const [place, moves, done] = arguments;
        import("/static/pictures/strokes.js").then(({ makeStrokes }) => {
            const strokes = makeStrokes([100, 80], {});
            const sheet = strokes.masks.keep.getContext("2d");
            const painted = () => sheet.getImageData(0, 0, 100, 80).data.filter(x => x > 0).length;
            strokes.begin("keep", 10, place);
            for (let i = 0; i < moves; i++) strokes.go(place);
            const first = painted();
            strokes.begin("leave_out", 4, [70, 20]);
            strokes.undo();
            done([first, painted()]);
        }, error => done(String(error)));
        """,
        place,
        moves,
    )
    assert painted[0] == painted[1] > 0


def test_keys_move_the_divider_and_difference_is_black_where_both_agree(with_preview: Any) -> None:
    page = with_preview
    click(page, "#modes input[value=swipe]")
    wait_for(page, "!document.getElementById('swipe').hidden")
    clip = "return getComputedStyle(document.querySelector('#viewer .left')).clipPath"
    before = page.execute_script(clip)
    page.execute_script("document.getElementById('swipe').focus()")
    ActionChains(page).send_keys(Keys.ARROW_RIGHT * 3).perform()
    assert page.execute_script(clip) != before
    click(page, "#modes input[value=difference]")
    wait_for(page, "document.querySelector('#viewer canvas')")
    mean = page.execute_script("""
        const sheet = document.querySelector("#viewer canvas");
        const {data} = sheet.getContext("2d").getImageData(0, 0, sheet.width, sheet.height);
        return data.reduce((sum, value, i) => (i % 4 < 3 ? sum + value : sum), 0) / (data.length * 3 / 4);
    """)
    assert 0 < mean < 20


def test_page_fits_narrow_screens(with_preview: Any) -> None:
    for width in (360, 400, 1000):
        assert width_on_screen(with_preview, width) <= width


@contextmanager
def other_page(folder: Path) -> Iterator[str]:
    """Address of another server on this machine."""
    handler: Callable[..., SimpleHTTPRequestHandler] = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        pass


def test_page_of_another_origin_cannot_call(
    page: Any, files: Path, served: tuple[RunningPage, Path], tmp_path: Path
) -> None:
    choose_files(page, files / "left.png")
    wait_for(page, "document.querySelectorAll('#pictures li').length == 1")
    own_address = served[0].access.address.partition("/?")[0]
    script = ATTEMPTS.replace("ADDRESS", own_address)
    (tmp_path / "index.html").write_text(f"<!doctype html><title></title><script type=module>{script}</script>")
    with other_page(tmp_path) as address:
        page.get(address)
        tried = wait_for(page, "document.title")
    page.get_log("browser")  # which tells what was blocked
    assert tried == "read blocked, remove blocked, stitch blocked, add blocked"
    page.get(own_address)
    wait_for(page, "document.querySelectorAll('#pictures li').length == 1")
    assert picture_names(page) == ["left.png"]
