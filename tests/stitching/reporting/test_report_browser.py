import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from html_pages import width_on_screen

from stitching.reporting.report import write_report

pytest.importorskip("selenium.webdriver", reason="needs selenium")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CLIPS = {"left": r"inset\(0px ([\d.]+)% 0px 0px\)", "right": r"inset\(0px 0px 0px ([\d.]+)%\)"}


@pytest.fixture(scope="module")
def report(make_stitched: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    stitched = make_stitched(holes=True)
    stitched.summary = replace(stitched.summary, warnings=["A warning."])
    write_report(stitched, path)
    return path.as_uri()


@pytest.fixture
def page(browser: Any, report: str) -> Any:
    browser.get(report)
    return browser


def divider(page: Any) -> float:
    """Where the left picture ends and the right one begins, % of the width."""
    clips = (f"return getComputedStyle(stage.querySelector('img.{side}')).clipPath" for side in CLIPS)
    ends = [re.fullmatch(CLIPS[side], page.execute_script(clip)) for side, clip in zip(CLIPS, clips, strict=True)]
    left_ends, right_starts = (float(end[1]) for end in ends if end)
    assert left_ends + right_starts == pytest.approx(100)
    return right_starts


def choose(page: Any, name: str) -> None:
    page.find_element(By.ID, name).find_element(By.XPATH, "..").click()


def test_page_loads_without_a_complaint(page: Any) -> None:
    for choice in ("show-seam", "show-grid", "show-holes", "mode-blink", "mode-difference", "mode-swipe"):
        choose(page, choice)
    assert page.get_log("browser") == []
    assert page.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")


def test_dragging_moves_the_divider_and_what_is_seen(page: Any) -> None:
    stage = page.find_element(By.ID, "stage")
    page.execute_script("stage.scrollIntoView({block: 'center'})")

    def colour() -> Any:
        """Mean BGR colour of the stage at 42 % of its width: in the overlap, no hole, no handle."""
        shot: Any = cv2.imdecode(np.frombuffer(stage.screenshot_as_png, np.uint8), cv2.IMREAD_COLOR)
        h, w = shot.shape[:2]
        return shot[h // 8 : h // 5, int(0.41 * w) : int(0.43 * w)].mean(axis=(0, 1))

    width = stage.size["width"]
    drag = ActionChains(page).move_to_element(stage).click_and_hold()
    drag.move_by_offset(int(0.2 * width), 0).release().perform()
    assert divider(page) == pytest.approx(70, abs=1)
    blue, _, red = colour()
    assert red > 2 * blue  # the reference, which is red
    ActionChains(page).move_to_element(stage).click_and_hold().move_by_offset(int(-0.3 * width), 0).release().perform()
    assert divider(page) == pytest.approx(20, abs=1)
    blue, _, red = colour()
    assert blue > 2 * red  # the target, which is blue


def test_moving_without_a_button_down_leaves_the_divider(page: Any) -> None:
    before = divider(page)
    ActionChains(page).move_to_element_with_offset(page.find_element(By.ID, "stage"), 200, 0).perform()
    assert divider(page) == before


def test_keyboard_moves_the_divider(page: Any) -> None:
    before = divider(page)
    page.execute_script("document.getElementById('swipe').focus()")
    ActionChains(page).send_keys(Keys.ARROW_RIGHT * 4).perform()
    assert divider(page) > before
    ActionChains(page).send_keys(Keys.HOME).perform()
    assert divider(page) == 0


def test_blink_shows_one_picture_at_a_time_and_difference_neither(page: Any) -> None:
    script = "return [...stage.querySelectorAll('img')].map(image => getComputedStyle(image).visibility)"
    choose(page, "mode-blink")
    assert sorted(page.execute_script(script)) == ["hidden", "hidden", "visible"]
    choose(page, "mode-difference")
    assert page.execute_script(script) == ["hidden", "hidden", "visible"]


@pytest.mark.parametrize("layer", ["seam", "grid", "holes"])
def test_layers_are_drawn_when_asked_for(page: Any, layer: str) -> None:
    name = {"grid": "grid-lines"}.get(layer, layer)
    opacity = f"return getComputedStyle(document.querySelector('.over.{name}')).opacity"
    assert page.execute_script(opacity) == "0"
    page.execute_script(f"document.querySelector('.over.{name}').style.transition = 'none'")
    choose(page, f"show-{layer}")
    assert page.execute_script(opacity) == "1"


@pytest.mark.parametrize("width", [360, 420, 900])
def test_page_fits_narrow_screens(page: Any, width: int) -> None:
    assert width_on_screen(page, width) <= width


def test_page_follows_the_dark_scheme(page: Any) -> None:
    brightness = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    shades = []
    for scheme in ("light", "dark"):
        preference = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", preference)
        shades.append(max(page.execute_script(brightness)))
    assert shades[0] > 200
    assert shades[1] < 60
