import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from html_pages import NASTY, Page
from made_panoramas import COLOURS, SIZE, STEP, make_panorama

from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.rectangles import Rectangle
from stitching.match_graph.match_graph import MatchGraph
from stitching.mosaic.panorama import Panorama
from stitching.mosaic.placed_picture import PlacedPicture
from stitching.mosaic.summary import summarize_mosaic
from stitching.reporting.mosaic_layers import draw_layer, shown_labels
from stitching.reporting.mosaic_report import render_mosaic_report, write_mosaic_report
from stitching.reporting.visualize import label_borders, palette


def rendered(panorama: Panorama) -> str:
    return render_mosaic_report(panorama, summarize_mosaic(panorama))


def test_page_needs_nothing_from_elsewhere() -> None:
    html = rendered(make_panorama())
    page = Page(html)
    sources = [attributes[name] for _, attributes in page.elements for name in ("src", "href") if name in attributes]
    assert len(sources) == 1 + 1 + 3 + 1 + 2  # icon, panorama, pictures, seams, graph and labels
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"url\(|@import|\bfetch\(|<iframe", html)


def test_every_picture_has_a_card_an_outline_a_layer_and_its_numbers() -> None:
    page = Page(rendered(make_panorama()))
    numbers = ["1", "2", "3"]
    for tag, times in (("path", 1), ("label", 1), ("span", 3)):  # a badge on the panorama, the graph and the labels
        found = [attributes["data-picture"] for attributes in page.all(tag) if "data-picture" in attributes]
        assert sorted(found) == sorted(numbers * times), tag
    assert [image["id"] for image in page.all("img") if "layer" in image.get("class", "")] == [
        "layer-1", "layer-2", "layer-3",
    ]  # fmt: skip
    text = " ".join(page.text.split())
    assert "row_2.jpg200 \N{MULTIPLICATION SIGN} 160 px; shown on 45%; joined to 2 (41); verified 80%" in text
    assert "in the view of row_1.jpg" in text


def test_every_image_has_an_alternative_text_of_its_own() -> None:
    texts = [image["alt"] for image in Page(rendered(make_panorama())).all("img")]
    assert all(texts)
    assert len(set(texts)) == len(texts)


def lines_of(panorama: Panorama) -> list[list[float]]:
    """Start, control point and end of each line of the graph."""
    lines = [path["d"] for path in Page(rendered(panorama)).all("path") if "stroke-width" in path]
    return [[float(value) for value in re.findall(r"-?[\d.]+", line)] for line in lines]


def test_lines_of_the_graph_join_the_centres() -> None:
    w, h = SIZE
    y = (h - 1) / 2
    first, middle, last = ((w - 1) / 2 + n * STEP for n in range(3))
    right, left = lines_of(make_panorama())
    assert right == pytest.approx((last, y, (last + middle) / 2, y, middle, y), abs=2)
    assert left == pytest.approx((middle, y, (middle + first) / 2, y, first, y), abs=2)


def test_a_line_does_not_run_over_the_centre_of_a_third_picture() -> None:
    panorama = make_panorama()
    far = replace(panorama.graph.edges[0], second=2)
    (line,) = lines_of(replace(panorama, graph=MatchGraph(3, (far,))))
    assert abs(line[3] - line[1]) > 40  # the control point lies beside the middle picture


def test_numbers_of_pictures_of_one_view_stand_apart() -> None:
    panorama = make_panorama()
    window = panorama.placed[0].window
    same = replace(panorama, placed=tuple(replace(placed, window=window) for placed in panorama.placed))
    badges = [span["style"] for span in Page(rendered(same)).all("span") if "left" in span.get("style", "")][:3]
    places = np.array([[float(value) for value in re.findall(r"([\d.]+)%", style)] for style in badges])
    apart = np.linalg.norm((places[:, None] - places[None]) * [4.4, 1.6], axis=-1)  # px
    assert apart[~np.eye(3, dtype=bool)].min() > 20


def test_a_line_over_the_ends_of_a_whole_turn_leaves_at_one_and_comes_in_at_the_other() -> None:
    panorama = make_panorama()
    w, h = panorama.canvas.size
    turn = Canvas(Surface(w / (2 * np.pi), (w / 2, h / 2)), (0, 0), (w, h))
    far = replace(panorama.graph.edges[0], second=2)
    (line,) = lines_of(replace(panorama, canvas=turn, graph=MatchGraph(3, (far,))))
    assert len(line) == 12
    assert max(line[4], line[0]) > w
    assert min(line[6], line[10]) < 0


def test_a_layer_lies_where_the_picture_is() -> None:
    panorama = make_panorama()
    for placed in panorama.placed:
        layer = draw_layer(placed, panorama, (220, 80))  # half of the panorama
        assert layer is not None
        left = STEP // 2 * placed.picture
        assert (layer.part.left, layer.part.right) == pytest.approx((left, left + SIZE[0] // 2), abs=2)
        assert layer.valid.mean() > 0.95
        mean = layer.pixels[layer.valid].mean(axis=0)
        assert mean == pytest.approx(COLOURS[placed.picture], abs=12)


def test_a_layer_has_its_gain() -> None:
    panorama = make_panorama()
    dark = replace(panorama.placed[0], gain=panorama.placed[0].gain * np.float32(0.5))
    layer, plain = (draw_layer(placed, panorama, (220, 80)) for placed in (dark, panorama.placed[0]))
    assert layer is not None
    assert plain is not None
    assert layer.pixels.mean() == pytest.approx(plain.pixels.mean() / 2, abs=1)


def test_a_layer_of_a_reduced_and_cut_panorama_lies_on_it() -> None:
    panorama = make_panorama(output_scale=0.5, crop=Rectangle(60, 20, 160, 70))
    panorama = replace(panorama, panorama=panorama.panorama[:50, :100], alpha=panorama.alpha[:50, :100])
    middle, last, first = (draw_layer(placed, panorama, (100, 50)) for placed in sorted_placed(panorama))
    assert middle is not None
    assert middle.part == Rectangle(0, 0, 100, 50)
    assert last is not None
    assert last.part.left == pytest.approx(60, abs=1)
    assert first is not None
    assert first.part.right == pytest.approx(40, abs=1)


def sorted_placed(panorama: Panorama) -> list[PlacedPicture]:
    """The middle picture, the last, the first."""
    return [next(placed for placed in panorama.placed if placed.picture == number) for number in (1, 2, 0)]


def test_a_picture_beyond_the_end_of_a_whole_turn_is_drawn_at_both_ends() -> None:
    panorama = make_panorama()
    last = next(placed for placed in panorama.placed if placed.picture == 2)
    layer = draw_layer(replace(last, window=last.window.translated(30, 0)), panorama, (220, 80))
    assert layer is not None
    assert (layer.part.left, layer.part.right) == (0, 220)
    seen = layer.valid[40]
    assert seen[:28].all()
    assert seen[152:].all()
    assert not seen[34:148].any()


def test_labels_follow_the_panorama() -> None:
    labels = shown_labels(make_panorama(), (220, 80))
    assert list(labels[40, [10, 70, 200]]) == [0, 1, 2]
    empty = make_panorama()
    empty.alpha[:40] = 0
    assert (shown_labels(empty, (220, 80))[:19] == -1).all()


def test_borders_lie_between_pictures_alone() -> None:
    labels = np.full((20, 30), -1, np.int16)
    labels[5:15, 5:15], labels[5:15, 15:25] = 0, 7
    columns = np.flatnonzero(label_borders(labels).any(axis=0))
    assert list(columns) == [14, 15]


def test_colours_of_pictures_differ() -> None:
    colours = np.array(palette(8), int)
    apart = np.abs(colours[:, None] - colours[None]).max(axis=2)
    assert apart[~np.eye(8, dtype=bool)].min() > 20
    assert np.abs(np.diff(colours, axis=0)).max(axis=1).min() > 60


def test_what_was_left_out_is_named() -> None:
    assert "trip/cat.jpg shares too little with the others" in Page(rendered(make_panorama())).text
    assert "Left out" not in Page(rendered(make_panorama(left_out=False))).text


def test_warnings_come_before_everything_else() -> None:
    html = rendered(make_panorama(warnings=("Little overlap.",)))
    assert html.index("Little overlap.") < html.index("<main>")
    assert "3 of 4 pictures stitched, with 1 warning." in html


def test_loaded_warps_have_a_page_too() -> None:
    text = Page(rendered(make_panorama(graph=MatchGraph(3, ())))).text
    assert "loaded from a file" in text
    assert "Joined pairs" not in text


def test_names_cannot_inject_markup() -> None:
    panorama = make_panorama(warnings=(NASTY,))
    sources = tuple(replace(source, name=NASTY) for source in panorama.sources)
    left_out = (replace(panorama.left_out[0], name=NASTY, reason=NASTY),)
    page = Page(rendered(replace(panorama, sources=sources, left_out=left_out)))
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert page.text.count(NASTY) == 7  # heading 1, cards 3, warning 1, left out 2


def test_16_bits_look_as_8_bits_do() -> None:
    panorama = make_panorama()
    deep = replace(panorama, panorama=panorama.panorama.astype(np.uint16) * 257)
    one, other = (Page(rendered(each)).picture("The stitched panorama").astype(int) for each in (panorama, deep))
    assert np.abs(one - other).max() <= 1


def test_a_page_of_many_pictures_stays_small() -> None:
    html = rendered(make_panorama(40))
    assert len(html) < 4e6
    assert 'class="sheet "' in html  # 39 lines: their numbers can be read


def test_page_is_written_whole(tmp_path: Path) -> None:
    panorama = make_panorama()
    write_mosaic_report(panorama, summarize_mosaic(panorama), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").endswith("</html>\n")
