import re

import cv2
import numpy as np
import pytest
from shifting import ShiftingRuntime
from skimage.data import astronaut, chelsea, coffee
from synthetic import SIZE, paint, two_planes

from stitching.alignment import coarse_alignment
from stitching.alignment.coarse_alignment import Alignment, align, align_pictures
from stitching.alignment.features import Matches
from stitching.errors import InputError
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import rescale
from stitching.io.picture import as_picture, shrink, to_grey
from stitching.network.interface import MULTIPLE

W, H = SIZE
CORNERS = np.array([[0, 0], [W - 1, 0], [W - 1, H - 1], [0, H - 1]], np.float64)
GRID = np.stack(np.meshgrid(np.arange(W, dtype=float), np.arange(H, dtype=float)), axis=-1)
# target px -> reference px, from gentle to a strong turn
KNOWN = {
    "translation": [[1, 0, 90], [0, 1, -20], [0, 0, 1]],
    "turned": [[0.97, -0.2, 110], [0.2, 0.97, -35], [0, 0, 1]],
    "larger": [[1.35, 0.02, 30], [-0.03, 1.3, -40], [0, 0, 1]],
    "perspective": [[0.85, 0.03, 120], [-0.12, 0.95, 15], [-6e-4, 5e-5, 1]],
}


def photograph(pixels):
    return cv2.resize(to_grey(np.ascontiguousarray(pixels)), SIZE, interpolation=cv2.INTER_AREA)


def views(homography, seed=0):
    """Two views of one plane; the target is noisy, darker, and in 30 % of its patches something else."""
    plane = to_grey(paint(coffee(), 0))
    left, top = (plane.shape[1] - W) // 2, (plane.shape[0] - H) // 2
    reference = plane[top : top + H, left : left + W]
    to_target = np.linalg.inv(homography) @ [[1, 0, -left], [0, 1, -top], [0, 0, 1]]
    target, other = cv2.warpPerspective(plane, to_target, SIZE), photograph(astronaut())
    random = np.random.default_rng(seed)
    patches = np.kron(random.permutation(48) < 0.3 * 48, np.ones(50 * 50, bool))
    patches = patches.reshape(6, 8, 50, 50).swapaxes(1, 2).reshape(H, W)  # (patches * px,) -> (h, w)
    target[patches] = other[patches]
    noise = random.normal(0, 4, target.shape)
    return np.clip(0.75 * target + noise, 0, 255).astype(np.uint8), np.ascontiguousarray(reference)


# --- finding a homography ---


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", KNOWN)
def test_a_known_homography_is_found_to_half_a_pixel(name, seed):
    known = np.array(KNOWN[name], np.float64)
    target, reference = views(known, seed)
    found = align(target, reference)
    places = project(known, GRID)
    overlap = ((places >= 0) & (places <= (W - 1, H - 1))).all(axis=-1)
    assert np.linalg.norm(project(found.homography, GRID) - places, axis=-1)[overlap].max() < 0.5
    assert found.homography[2, 2] == pytest.approx(1)
    assert found.confidence > 0.5


def test_of_two_planes_the_one_with_more_of_the_overlap_is_aligned():
    scene = two_planes()
    found = align(to_grey(scene.target), to_grey(scene.reference))
    error = np.linalg.norm(project(found.homography, GRID) - scene.map_xy, axis=2)
    wall = scene.visible & ~scene.on_box
    assert error[wall].max() < 0.5
    assert error[scene.on_box].min() > 20
    assert found.method == "homography"
    assert found.planes >= 2


def test_trusted_matches_keep_the_parallax():
    scene = two_planes()
    matches = align(to_grey(scene.target), to_grey(scene.reference)).matches
    cells = matches.target.round().astype(int)
    on_box = scene.on_box[cells[:, 1], cells[:, 0]]
    true = scene.map_xy[cells[:, 1], cells[:, 0]]
    assert on_box.sum() > 50
    assert (np.linalg.norm(true - matches.reference, axis=1) < 2).mean() > 0.95


def test_aligning_twice_gives_the_same():
    target, reference = views(np.array(KNOWN["turned"]))
    assert np.array_equal(align(target, reference).homography, align(target, reference).homography)


def test_identical_pictures_give_the_identity():
    picture = photograph(coffee())
    found = align(picture, picture)
    assert np.abs(project(found.homography, CORNERS) - CORNERS).max() < 0.05
    assert found.confidence > 0.9


def test_masks_keep_regions_out_of_the_alignment():
    scene = two_planes()
    mask = np.where(scene.on_box, 255, 0).astype(np.uint8)
    found = align(to_grey(scene.target), to_grey(scene.reference), mask)
    cells = found.matches.target.round().astype(int)
    assert scene.on_box[cells[:, 1], cells[:, 0]].mean() > 0.95
    at = np.argwhere(scene.on_box)[:, ::-1].astype(float)
    assert np.linalg.norm(project(found.homography, at) - scene.map_xy[scene.on_box], axis=1).max() < 2


def test_a_translation_is_found_in_pictures_without_features():
    """Fog, from two cameras with noise of their own."""
    random = np.random.default_rng(3)
    smooth = cv2.GaussianBlur(random.normal(size=(300, 400)), (0, 0), 15)
    fog = 128 + 25 * smooth / np.abs(smooth).max()
    parts = fog[55:255, 30:290], fog[40:240, 60:320]
    target, reference = (np.clip(p + random.normal(0, 2, p.shape), 0, 255).astype(np.uint8) for p in parts)
    found = align(target, reference)
    at = np.array([[130.0, 100.0]])
    assert found.method == "translation"
    assert np.linalg.norm(project(found.homography, at) - at - [-30, 15]) < 3
    assert 0 < found.confidence < 0.3


@pytest.mark.parametrize("target_scale", [1, 3])
def test_pictures_are_aligned_in_their_own_pixels(target_scale):
    """Small copies are matched; what they give is scaled back, each picture by its own factor."""
    known = np.array(KNOWN["perspective"])
    target, reference = views(known)
    size = W * target_scale, H * target_scale
    large = as_picture(cv2.resize(target, size, interpolation=cv2.INTER_CUBIC))
    found = align_pictures(as_picture(reference), large)
    error = project(found.homography, rescale(CORNERS, target_scale)) - project(known, CORNERS)
    assert np.linalg.norm(error, axis=1).max() < 2


# --- by the network, where features fail ---


class RandomRuntime(ShiftingRuntime):
    """Matches that go there and back, but every cell moves as it likes."""

    def __call__(self, inputs):
        found = super().__call__(inputs)
        rows, columns = found["forward_matches"].shape[2:]
        cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows))).reshape(2, -1)
        partner = np.random.default_rng(0).permutation(rows * columns)
        forward, backward = np.empty((2, 2, rows * columns), np.float32)
        forward[:] = MULTIPLE * (cells[:, partner] - cells)
        backward[:, partner] = -forward
        shape = (1, 2, rows, columns)
        return found | {"forward_matches": forward.reshape(shape), "backward_matches": backward.reshape(shape)}


@pytest.fixture
def network(monkeypatch):
    """Puts a runtime in the place of the network that ships."""
    return lambda runtime: monkeypatch.setattr(coarse_alignment, "load_runtime", lambda graph, device: runtime)


def noise(seed, w=320, h=240):
    return as_picture(np.random.default_rng(seed).integers(0, 256, (h, w), np.uint8))


@pytest.mark.parametrize("scale", [1, 3])
def test_where_features_fail_the_network_aligns(network, scale):
    """It sees copies of 331 x 248 px."""
    network(ShiftingRuntime((48, -16)))
    found = align_pictures(noise(0, 640, 480), noise(1, 640 * scale, 480 * scale))
    points = np.array([[40.0, 60], [400, 200], [180, 440]])
    error = project(found.homography, rescale(points, scale)) - points - np.array([48, -16]) * 640 / 331
    assert np.linalg.norm(error, axis=1).max() < 2
    assert len(found.matches) > 100


def test_matches_of_the_network_that_do_not_move_alike_align_nothing(network):
    network(RandomRuntime((0, 0)))
    with pytest.raises(InputError, match="no overlap was found"):
        align_pictures(noise(0), noise(1))


def test_where_features_align_the_network_is_not_asked(network):
    runtime = ShiftingRuntime((48, -16))
    network(runtime)
    target, reference = views(np.array(KNOWN["translation"]))
    assert align_pictures(as_picture(reference), as_picture(target)).confidence > 0.9
    assert runtime.calls == 0


@pytest.mark.parametrize(("features_are_right", "count"), [(True, 40), (False, 40), (False, 20), (True, 20)])
def test_of_two_uncertain_alignments_that_which_fits_all_matches_is_taken(monkeypatch, features_are_right, count):
    """With few matches of features that of the network, whatever fits."""
    picture = noise(0)
    random = np.random.default_rng(0)
    points = [random.uniform(0, [320, 240], (n, 2)) for n in (count, 200)]
    right, wrong = (np.array([[1, 0, x], [0, 1, 0], [0, 0, 1.0]]) for x in (8, 25))
    by_features, by_network = (
        Alignment(homography, Matches(start, start + np.array([8.0, 0])), "homography", 1, 0.5)
        for homography, start in zip((right, wrong) if features_are_right else (wrong, right), points, strict=True)
    )
    monkeypatch.setattr(coarse_alignment, "_align_copies", lambda *_: by_features)
    monkeypatch.setattr(coarse_alignment, "align_by_network", lambda *_: by_network)
    found = align_pictures(picture, picture)
    if count < coarse_alignment.MIN_CERTAIN_MATCHES:
        assert found == by_network
    else:
        assert np.array_equal(found.homography, right)
        assert found.matches == by_features.matches


def test_a_small_picture_of_another_scene_is_refused_after_the_network_too():
    small = cv2.resize(np.ascontiguousarray(astronaut()[100:292, 120:312]), (96, 96), interpolation=cv2.INTER_AREA)
    with pytest.raises(InputError, match="no overlap was found"):
        align_pictures(as_picture(np.ascontiguousarray(coffee())), as_picture(small))


def test_unrelated_photographs_are_refused_by_the_network_that_ships():
    with pytest.raises(InputError, match="no overlap was found"):
        align_pictures(as_picture(photograph(coffee())), as_picture(photograph(astronaut())))


# --- refusing ---


@pytest.mark.parametrize("side", [32, 48, 64])
def test_a_small_picture_of_another_scene_is_not_put_onto_a_photograph(side):
    """Somewhere a few of its pixels always look alike."""
    target = photograph(astronaut())
    for x, y in ((0, 0), (60, 90), (150, 20), (200, 120)):
        with pytest.raises(InputError, match="no overlap was found"):
            align(target[y : y + side, x : x + side], photograph(coffee()))


@pytest.mark.parametrize("other", [chelsea, astronaut])
def test_unrelated_pictures_are_refused_in_one_line_that_says_what_to_try(other):
    with pytest.raises(InputError) as caught:
        align(photograph(coffee()), photograph(other()))
    message = str(caught.value)
    assert "\n" not in message
    assert re.search("no overlap was found", message)
    assert "try" in message


def test_pictures_of_one_colour_are_refused():
    flat = np.full((200, 300), 90, np.uint8)
    with pytest.raises(InputError, match="no overlap"):
        align(flat, flat)
    with pytest.raises(InputError, match="no overlap"):
        align(photograph(coffee()), flat)


def test_an_alignment_of_small_copies_holds_for_the_pictures_themselves():
    small = Alignment(np.array(KNOWN["perspective"]), Matches(CORNERS, CORNERS[::-1].copy()), "homography", 1, 0.8)
    target, reference = (as_picture(np.zeros((*size, 3), np.uint8)) for size in ((101, 333), (250, 60)))
    copies = shrink(target, 0.35), shrink(reference, 0.5)
    assert copies[0].scale == (117 / 333, 35 / 101)
    large = small.of_photographs(*copies)
    by_target, by_reference = np.array([333 / 117, 101 / 35]), np.array([2.0, 2.0])
    expected = rescale(project(small.homography, CORNERS), by_reference)
    assert np.allclose(project(large.homography, rescale(CORNERS, by_target)), expected)
    assert np.allclose(large.matches.target, rescale(CORNERS, by_target))
    assert np.allclose(large.matches.reference, rescale(CORNERS[::-1], by_reference))
    assert (large.method, large.planes, large.confidence) == ("homography", 1, 0.8)
