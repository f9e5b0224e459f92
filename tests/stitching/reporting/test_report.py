import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from html_pages import NASTY, Page

from stitching.errors import JobError
from stitching.geometry.rectangles import Rectangle
from stitching.io.colours.made_profiles import made_profile
from stitching.io.metadata.contents import Metadata
from stitching.io.picture import Picture
from stitching.reporting.report import render_report, write_report

Make = Callable[..., Any]


def renamed(picture: Picture, name: str) -> Picture:
    return replace(picture, name=name)


def test_page_needs_nothing_from_elsewhere(make_stitched: Make) -> None:
    html = render_report(make_stitched(holes=True))
    page = Page(html)
    sources = [attributes[name] for _, attributes in page.elements for name in ("src", "href") if name in attributes]
    assert len(sources) > 10
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"url\(|@import|\bfetch\(|<iframe", html)


def test_every_picture_has_an_alternative_text_of_its_own(make_stitched: Make) -> None:
    texts = [image["alt"] for image in Page(render_report(make_stitched())).all("img")]
    assert all(texts)
    assert len(set(texts)) == len(texts)


def test_panorama_is_transparent_where_nothing_was_seen(make_stitched: Make) -> None:
    stitched = make_stitched(holes=True)
    shown = Page(render_report(stitched)).picture("The stitched panorama")
    assert shown.shape == (*stitched.alpha.shape, 4)
    inside = cv2.erode(stitched.alpha, np.ones((3, 3), np.uint8)) > 0
    assert (shown[inside, 3] == 255).all()
    assert (shown[stitched.alpha == 0, 3] == 0).all()
    assert np.abs(shown[inside, :3].astype(int) - stitched.panorama[inside]).mean() < 8


def test_page_of_a_large_stitch_stays_small(make_stitched: Make) -> None:
    html = render_report(make_stitched(size=(2600, 1400)))
    assert len(html) < 3e6
    assert Page(html).picture("The stitched panorama").shape[1] == 1600


def test_16_bits_look_as_8_bits_do(make_stitched: Make) -> None:
    stitched = make_stitched()
    deep = replace(stitched.reference, pixels=stitched.reference.pixels.astype(np.uint16) * 257)
    deeper = make_stitched(panorama=stitched.panorama.astype(np.uint16) * 257, reference=deep)
    pages = [Page(render_report(each)) for each in (stitched, deeper)]
    for alt in ("The stitched panorama", "Reference picture"):
        one, other = (page.picture(alt).astype(int) for page in pages)
        assert np.abs(one - other).max() <= 1


def test_photographs_on_the_page_have_their_colour_profile(make_stitched: Make) -> None:
    profile = made_profile("Display P3")
    stitched = make_stitched()
    coloured = (replace(one, metadata=Metadata(icc=profile)) for one in (stitched.reference, stitched.target))
    page = Page(render_report(make_stitched(**dict(zip(("reference", "target"), coloured, strict=True)))))
    photographs = [image for image in page.all("img") if image["src"].startswith("data:image/webp")]
    marked = {image["alt"] for image in photographs if profile in b64decode(image["src"].partition("base64,")[2])}
    for words in ("Reference picture", "Target picture", "The stitched panorama", "The target on the canvas"):
        assert any(words in alt for alt in marked), words


def test_names_cannot_inject_markup(make_stitched: Make) -> None:
    stitched = make_stitched()
    stitched.reference, stitched.target = (renamed(p, NASTY) for p in (stitched.reference, stitched.target))
    stitched.summary = replace(stitched.summary, warnings=[NASTY], device=NASTY)
    page = Page(render_report(stitched))
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert page.text.count(NASTY) == 9  # title 2, heading 2, captions 2, warning 1, device 2


def test_folders_are_left_out_of_the_title(make_stitched: Make) -> None:
    stitched = make_stitched()
    stitched.reference = renamed(stitched.reference, "/some/where/deep/left.jpg")
    title = re.search("<title>(.*)</title>", render_report(stitched))
    assert title is not None
    assert "left.jpg" in title[1]
    assert "deep" not in title[1]


def test_warnings_come_before_everything_else(make_stitched: Make) -> None:
    stitched = make_stitched()
    html = render_report(make_stitched(summary=replace(stitched.summary, warnings=["Little overlap."])))
    assert html.index("Little overlap.") < html.index("<main>")
    assert "with 1 warning." in html
    assert 'class="warnings"' not in render_report(stitched)


def test_verdict_tells_of_holes(make_stitched: Make) -> None:
    assert "without warnings or holes" in Page(render_report(make_stitched())).text
    assert "a few holes remain" in Page(render_report(make_stitched(holes=True))).text


def test_what_the_verdict_rests_on_is_on_the_page(make_stitched: Make) -> None:
    text = Page(render_report(make_stitched())).text
    assert "Verified75.3%" in text.replace("\n", "").replace(" ", "")
    assert "Agreementnotknown" in text.replace("\n", "").replace(" ", "")


def test_numbers_of_the_summary_are_on_the_page(make_stitched: Make) -> None:
    text = Page(render_report(make_stitched())).text
    for expected in (
        "600 \N{MULTIPLICATION SIGN} 320",
        "homography",
        "431",
        "33.33%",
        "2.25",
        "5.5",
        "cpu",
        "1.2 s",
    ):
        assert expected in text


def test_bars_are_as_long_as_the_seconds(make_stitched: Make) -> None:
    html = render_report(make_stitched())
    assert re.findall(r'class="length"><span style="width: ([\d.]+)%', html) == ["25.0", "100.0"]


def test_picture_further_to_the_left_is_left_of_the_divider(make_stitched: Make) -> None:
    plain = Page(render_report(make_stitched()))
    aligned = make_stitched().aligned
    swapped = replace(aligned, reference_valid=aligned.target_valid, target_valid=aligned.reference_valid)
    mirrored = Page(render_report(make_stitched(aligned=swapped)))
    for page, left in ((plain, "reference"), (mirrored, "target")):
        (divider,) = [control for control in page.all("input") if control["type"] == "range"]
        assert f"{left}, to the left" in divider["aria-label"]
        (image,) = [image for image in page.all("img") if image.get("class") == "left"]
        assert left in image["alt"]


def test_divider_starts_in_the_overlap(make_stitched: Make) -> None:
    (divider,) = [c for c in Page(render_report(make_stitched())).all("input") if c["type"] == "range"]
    assert 34 < float(divider["value"]) < 66


def test_stitch_without_overlap_has_a_page_too(make_stitched: Make) -> None:
    stitched = make_stitched()
    stitched.aligned.target_valid[stitched.aligned.reference_valid] = False
    stitched.residual[:] = np.nan
    stitched.warp.forward[:] = np.nan
    stitched.summary = replace(stitched.summary, seconds={}, overlap=0.0)
    assert "0%" in Page(render_report(stitched)).text


def test_parallax_of_a_loaded_warp_is_not_claimed(make_stitched: Make) -> None:
    assert "90th percentile" in Page(render_report(make_stitched())).text
    stitched = make_stitched(alignment=None)
    stitched.summary = replace(stitched.summary, parallax_median=None, parallax_p90=None)
    text = Page(render_report(stitched)).text
    assert "90th percentile" not in text
    assert "loaded from a file" in text


def test_what_is_drawn_over_a_cropped_panorama_lies_on_it(make_stitched: Make) -> None:
    whole, output = make_stitched(), (300, 160)  # half of the canvas
    crop = Rectangle(60, 40, 240, 140)
    small = cv2.resize(whole.panorama, output)[crop.slices]
    alpha = np.full(small.shape[:2], 255, np.uint8)
    pictures = SimpleNamespace(size=output)
    page = Page(render_report(make_stitched(panorama=small, alpha=alpha, pictures=pictures, crop=crop)))
    seam = page.picture("The seam between")
    assert seam.shape == (100, 180, 4)
    columns = np.flatnonzero(seam[..., 3].max(axis=0))
    assert columns.mean() == pytest.approx(300 / 2 - 60, abs=1)  # the weight changes at half of the canvas
    (drawing,) = [svg for svg in page.all("svg") if "grid-lines" in svg.get("class", "")]
    assert [float(value) for value in drawing["viewbox"].split()] == [119.5, 79.5, 360, 200]


def test_report_is_written_whole_or_not_at_all(make_stitched: Make, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    stitched = make_stitched()
    stitched.reference = renamed(stitched.reference, "odd \udcff name.jpg")  # a file name that is not UTF-8
    write_report(stitched, path)
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    with pytest.raises(JobError, match="missing"):
        write_report(stitched, tmp_path / "missing" / "report.html")
    assert list(tmp_path.iterdir()) == [path]
