import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from made_panoramas import make_panorama
from picture_files import EXTENSIONS, XMP, photo

from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.rectangles import Rectangle
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.gpano import panorama_metadata
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture

FOCAL, CENTRE = 500.0, (319.5, 239.5)
NAMESPACE = "{http://ns.google.com/photos/1.0/panorama/}"
PHOTO_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="uuid:1" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/>%s'
    b"</rdf:RDF></x:xmpmeta>"
)
OLD = (
    b'<rdf:Description rdf:about="uuid:1" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"'
    b' GPano:PosePitchDegrees="12"><GPano:FullPanoWidthPixels>9999</GPano:FullPanoWidthPixels></rdf:Description>'
)


def canvas_of(projection, origin=(-200, -50), size=(900, 500)):
    surface = Surface(
        None if projection == "plane" else FOCAL, CENTRE, projection == "horizontal cylinder", projection == "sphere"
    )
    assert Canvas(surface, origin, size).projection == projection
    return Canvas(surface, origin, size)


def properties(packet):
    """Name -> value of GPano in an XMP packet; it must be well-formed, and about one thing only."""
    descriptions = list(ElementTree.fromstring(packet)[0])
    assert len({one.get("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about") for one in descriptions}) == 1
    found = [(name, value) for one in descriptions for name, value in one.items()]
    found += [(child.tag, child.text) for one in descriptions for child in one]
    return {name.removeprefix(NAMESPACE): value for name, value in found if name.startswith(NAMESPACE)}


def written(canvas, scale=1.0, crop=None, xmp=None):
    crop = crop or Rectangle(0, 0, *(round(side * scale) for side in canvas.size))
    packet = panorama_metadata(Metadata(xmp=xmp), canvas, scale, crop).xmp
    found = properties(packet)
    return found, {name: int(value) for name, value in found.items() if name.endswith("Pixels")}


@pytest.mark.parametrize(("projection", "name"), [("cylinder", "cylindrical"), ("sphere", "equirectangular")])
@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_a_viewer_puts_the_panorama_where_it_belongs(projection, name, scale):
    """The full panorama's centre is the reference's: the angles of a pixel are those that the canvas gives it."""
    canvas = canvas_of(projection)
    crop = Rectangle(20, 7, 300, 150)
    words, n = written(canvas, scale, crop)
    assert (words["ProjectionType"], words["UsePanoramaViewer"]) == (name, "True")
    assert (n["CroppedAreaImageWidthPixels"], n["CroppedAreaImageHeightPixels"]) == crop.size
    x, y = 31, 17  # of the panorama
    point = (np.array([x, y]) + crop.origin + 0.5) / scale - 0.5  # of the canvas
    frame = canvas.to_frame(point)
    right, down = (frame[:2] - frame[2] * np.array(CENTRE)) / FOCAL
    across = n["CroppedAreaLeftPixels"] + x + 0.5 - n["FullPanoWidthPixels"] / 2
    longitude = across / n["FullPanoWidthPixels"] * 2 * np.pi
    below = n["CroppedAreaTopPixels"] + y + 0.5 - n["FullPanoHeightPixels"] / 2
    pixel = 1 / (FOCAL * scale)  # radians
    assert longitude == pytest.approx(np.arctan2(right, frame[2]), abs=pixel)
    if projection == "sphere":
        assert n["FullPanoHeightPixels"] == n["FullPanoWidthPixels"] // 2
        latitude = below / n["FullPanoHeightPixels"] * np.pi
        assert latitude == pytest.approx(np.arctan2(down, np.hypot(right, frame[2])), abs=2 * pixel)
    else:
        assert below * pixel == pytest.approx(down / np.hypot(right, frame[2]), abs=pixel)


@pytest.mark.parametrize("projection", ["cylinder", "sphere"])
@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_a_whole_turn_is_all_of_the_full_panorama(projection, scale):
    turn = 3141
    surface = Surface(turn / (2 * np.pi), CENTRE, spherical=projection == "sphere")
    canvas = Canvas(surface, (-900, -50), (turn, 700))
    assert canvas.wraps
    width = round(turn * scale)
    _, n = written(canvas, width / turn, Rectangle(0, 0, width, 100))
    assert (n["FullPanoWidthPixels"], n["CroppedAreaLeftPixels"]) == (width, 0)


@pytest.mark.parametrize("projection", ["cylinder", "sphere"])
def test_the_part_lies_in_the_full_panorama_wherever_the_reference_is(projection):
    for left in (-3000, -1500, 0, 300):
        _, n = written(canvas_of(projection, origin=(left, -700), size=(3000, 700)))
        assert 0 <= n["CroppedAreaLeftPixels"] <= n["FullPanoWidthPixels"] - 3000
        assert 0 <= n["CroppedAreaTopPixels"] <= n["FullPanoHeightPixels"] - 700


@pytest.mark.parametrize("projection", ["plane", "horizontal cylinder"])
def test_other_surfaces_are_no_panorama_for_viewers_also_if_the_reference_was_one(projection):
    canvas, crop = canvas_of(projection), Rectangle(0, 0, 900, 500)
    assert panorama_metadata(Metadata(), canvas, 1.0, crop).xmp is None
    packet = panorama_metadata(Metadata(xmp=PHOTO_XMP % OLD), canvas, 1.0, crop).xmp
    assert properties(packet) == {}
    assert b'Rating="4"' in packet


def test_the_packet_of_the_reference_is_kept_and_its_own_panorama_replaced():
    packet = panorama_metadata(Metadata(xmp=PHOTO_XMP % OLD), canvas_of("sphere"), 1.0, Rectangle(0, 0, 900, 500)).xmp
    assert b'Rating="4"' in packet
    assert properties(packet)["FullPanoWidthPixels"] == "3142"
    assert "PosePitchDegrees" not in properties(packet)


@pytest.mark.parametrize("damaged", [XMP, b"no xml", b"</:RDF>", b"<rdf:RDF/>"])
def test_a_packet_that_nothing_can_be_added_to_is_replaced(damaged):
    assert written(canvas_of("sphere"), xmp=damaged)[1]["FullPanoWidthPixels"] == 3142


@pytest.mark.parametrize("part", [b" ", b"<GPano:a>", b"<GPano:a", b" GPano:a='", b"</", b"a", b":about=", b"RDF "])
def test_a_large_hostile_packet_is_looked_through_once(part):
    """A pattern that tries each byte again and again would take hours."""
    packet = part * (4_000_000 // len(part))
    assert written(canvas_of("sphere"), xmp=packet)[1]["FullPanoWidthPixels"] == 3142


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_format_holds_it(tmp_path, extension):
    metadata = panorama_metadata(Metadata(xmp=PHOTO_XMP % b""), canvas_of("cylinder"), 1.0, Rectangle(0, 0, 64, 48))
    write_picture(tmp_path / f"a{extension}", photo(), metadata=metadata)
    assert properties(read_picture(tmp_path / f"a{extension}").metadata.xmp)["ProjectionType"] == "cylindrical"


def test_a_panorama_of_many_pictures_says_what_it_shows():
    panorama = make_panorama()
    assert panorama.metadata.xmp is None  # a plane
    surface = replace(panorama.canvas.surface, focal=400.0, spherical=True)
    sphere = replace(panorama, canvas=replace(panorama.canvas, surface=surface), crop=Rectangle(10, 5, 110, 85))
    found = properties(sphere.metadata.xmp)
    assert found["FullPanoWidthPixels"] == str(round(2 * np.pi * 400))
    assert found["CroppedAreaImageHeightPixels"] == "80"
    assert re.fullmatch(r"\d+", found["CroppedAreaLeftPixels"])
