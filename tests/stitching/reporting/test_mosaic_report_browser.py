from pathlib import Path
from typing import Any

import pytest
from html_pages import width_on_screen
from made_panoramas import make_panorama

from stitching.mosaic.summary import summarize_mosaic
from stitching.reporting.mosaic_report import write_mosaic_report

pytest.importorskip("selenium.webdriver", reason="needs selenium")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    panorama = make_panorama(warnings=("A warning.",))
    write_mosaic_report(panorama, summarize_mosaic(panorama), path)
    return path.as_uri()


@pytest.fixture
def page(browser: Any, report: str) -> Any:
    browser.get(report)
    browser.execute_script(
        "document.head.insertAdjacentHTML('beforeend', '<style>* { transition: none !important; }</style>')"
    )
    return browser


def opacity(page: Any, selector: str) -> str:
    return str(page.execute_script(f"return getComputedStyle(document.querySelector('{selector}')).opacity"))


def click(page: Any, selector: str) -> None:
    page.execute_script("document.getElementById('panorama').scrollIntoView()")
    page.find_element(By.CSS_SELECTOR, selector).click()


def test_page_loads_without_a_complaint(page: Any) -> None:
    assert page.get_log("browser") == []
    assert page.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")


def test_a_picture_is_switched_on_and_off_by_its_card_and_by_its_number(page: Any) -> None:
    assert opacity(page, "#layer-2") == "0"
    click(page, ".cards label[data-picture='2']")
    assert (opacity(page, "#layer-1"), opacity(page, "#layer-2")) == ("0", "1")
    click(page, "#panorama .sheet .badge[data-picture='2']")
    assert opacity(page, "#layer-2") == "0"


def test_pointing_at_a_card_lights_up_its_outline_alone(page: Any) -> None:
    page.execute_script("document.getElementById('panorama').scrollIntoView()")
    ActionChains(page).move_to_element(page.find_element(By.CSS_SELECTOR, ".cards label[data-picture='3']")).perform()
    lit = page.execute_script("return [...document.querySelectorAll('.outlines .lit')].map(p => p.dataset.picture)")
    assert lit == ["3"]
    ActionChains(page).move_to_element(page.find_element(By.ID, "numbers-title")).perform()
    assert not page.find_elements(By.CSS_SELECTOR, ".lit")


@pytest.mark.parametrize(
    ("choice", "selector"), [("panorama", ".base"), ("outlines", ".outlines"), ("seams", ".seams")]
)
def test_what_is_drawn_can_be_chosen(page: Any, choice: str, selector: str) -> None:
    before = opacity(page, selector)
    page.find_element(By.ID, f"show-{choice}").find_element(By.XPATH, "..").click()
    assert {before, opacity(page, selector)} == {"0", "1"}


@pytest.mark.parametrize("width", [360, 420, 900])
def test_page_fits_narrow_screens(page: Any, width: int) -> None:
    assert width_on_screen(page, width) <= width
