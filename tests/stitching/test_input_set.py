import cv2
import numpy as np
import pytest
from picture_files import bytes_of, half_transparent, photo, pillow_bytes, refused, saved
from PIL import Image

from stitching.input_set import open_pictures
from stitching.io.colours.made_profiles import made_profile
from stitching.io.picture import MIN_SIDE
from stitching.io.picture_source import COPY_AREA

FIRST, SECOND, THIRD = photo(), photo()[::-1].copy(), photo()[:, ::-1].copy()


def opened(*inputs, **options):
    return open_pictures(inputs, max_megapix=400, **options)


def by_position(sources):
    return sorted(sources, key=lambda source: source.position)


def test_the_order_of_the_files_has_no_influence(tmp_path):
    paths = [saved(tmp_path / f"{i}.png", bytes_of(".png", p)) for i, p in enumerate((FIRST, SECOND, THIRD))]
    one, _ = opened(*paths)
    other, _ = opened(*paths[::-1])
    assert [source.name for source in one] == [source.name for source in other]
    assert [source.key for source in one] == sorted(source.key for source in other)
    assert sorted(source.position for source in one) == [0, 1, 2]
    for source in one:
        assert source.name == str(paths[source.position])


def test_small_copies_stay_and_full_pictures_are_read_again():
    large = cv2.resize(FIRST, (1600, 1200), interpolation=cv2.INTER_CUBIC)
    source, small = by_position(opened(large, SECOND)[0])
    assert source.size == (1600, 1200)
    w, h = source.copy.size
    assert w * h == pytest.approx(COPY_AREA, rel=0.002)
    assert np.array_equal(source.read().pixels, large)
    assert small.copy.scale == (1, 1)


def test_pictures_that_cannot_be_used_are_left_out_and_the_reason_is_said(tmp_path):
    cut = saved(tmp_path / "cut.jpg", bytes_of(".jpg", FIRST)[:400])
    missing = tmp_path / "missing.jpg"
    tiny, blank = FIRST[: MIN_SIDE - 1], np.full_like(FIRST, 90)
    sources, left_out = opened(cut, FIRST, missing, tiny, SECOND, blank)
    assert sorted(source.position for source in sources) == [1, 4]
    names = [one.name for one in left_out]
    assert names == [str(cut), str(missing), "picture 4", "picture 6"]
    reasons = [one.reason for one in left_out]
    assert all(name not in reason for name, reason in zip(names, reasons, strict=True))
    for reason, word in zip(reasons, ("damaged", "no such file", "at least 32 px", "one colour"), strict=True):
        assert word in reason


def test_of_two_equal_pictures_the_second_is_left_out(tmp_path):
    paths = [saved(tmp_path / name, bytes_of(".png", FIRST)) for name in ("a.png", "b.png")]
    sources, left_out = opened(paths[0], SECOND, paths[1])
    assert {source.name for source in sources} == {"picture 2", str(paths[0])}
    assert left_out[0].name == str(paths[1])
    assert left_out[0].reason == f"is the same picture as {paths[0]}"


def test_one_with_another_alpha_is_another_picture():
    masked = np.dstack([FIRST, half_transparent()])
    sources, left_out = opened(FIRST, masked)
    assert len(sources) == 2
    assert not left_out
    copy = by_position(sources)[1].copy
    assert not copy.valid[:, :31].any()
    assert copy.valid[:, 33:].all()


def test_beside_one_of_16_bits_all_have_16_bits_and_its_levels():
    deep = photo(np.uint16) // 40
    plain, thin = by_position(opened(SECOND, deep)[0])
    assert plain.copy.pixels.dtype == np.uint16
    assert plain.copy.levels == thin.copy.levels == plain.read().levels == thin.read().levels
    assert np.array_equal(thin.read().pixels, deep)
    assert plain.read().pixels.max() == thin.copy.levels[1]


def test_pictures_of_16_bits_share_levels_that_hold_all_of_them():
    dark, bright = photo(np.uint16) // 60, photo(np.uint16)[::-1] // 30
    first, second = by_position(opened(dark, bright)[0])
    assert first.copy.levels == second.copy.levels
    assert first.copy.levels[1] == pytest.approx(65535 / 30, rel=0.02)


def test_a_picture_of_one_colour_does_not_change_the_levels_of_the_others():
    dark = photo(np.uint16) // 60
    pictures = dark, dark[::-1].copy()
    white = np.full_like(dark, 65535)
    alone, _ = opened(*pictures)
    beside, left_out = opened(*pictures, white)
    assert [one.name for one in left_out] == ["picture 3"]
    assert [source.copy.levels for source in beside] == [source.copy.levels for source in alone]


def test_a_file_that_has_changed_or_gone_is_noticed(tmp_path):
    path = saved(tmp_path / "a.png", bytes_of(".png", FIRST))
    source = by_position(opened(path, SECOND)[0])[0]
    assert np.array_equal(source.read().pixels, FIRST)
    saved(path, bytes_of(".png", THIRD))
    with refused(str(path), "has changed"):
        source.read()
    path.unlink()
    with refused(str(path), "no such file"):
        source.read()


def test_fewer_than_two_usable_pictures_are_refused_with_what_is_wrong(tmp_path):
    with refused("got 1 picture", "at least two"):
        opened(FIRST)
    with refused("got 0 pictures"):
        opened()
    with refused("1 of 2", "the same picture as picture 1"):
        opened(FIRST, FIRST)
    missing = [tmp_path / f"{i}.png" for i in range(9)]
    with refused("1 of 10", "3.png", "and 4 more"):
        opened(FIRST, *missing)


def test_one_path_in_the_place_of_a_list_is_refused():
    with refused("'a.jpg'", "list of paths"):
        open_pictures("a.jpg")


def test_one_too_large_is_left_out(tmp_path):
    path = saved(tmp_path / "large.png", bytes_of(".png", photo(shape=(200, 300, 3))))
    _, left_out = open_pictures([path, FIRST, SECOND], max_megapix=0.05)
    assert "0.1 Mpx; at most 0.05 Mpx" in left_out[0].reason


def test_a_large_one_of_8_bits_that_takes_too_much_with_16_is_left_out():
    pictures = photo(shape=(400, 500, 3)), photo(np.uint16), photo(np.uint16)[::-1].copy()
    sources, left_out = open_pictures(pictures, max_megapix=0.2)
    assert len(sources) == 2
    assert "--max-megapix" in left_out[0].reason


def test_what_the_caller_does_to_an_array_is_noticed():
    mine = FIRST.copy()
    source = by_position(opened(mine, SECOND)[0])[0]
    before = source.copy.pixels.copy()
    mine[:] = 0
    assert np.array_equal(source.copy.pixels, before)
    with refused("picture 1", "has changed"):
        source.read()


def test_progress_ends_at_all_done():
    shares = []
    opened(FIRST, SECOND, report=shares.append)
    assert shares == [0.5, 1.0]


def test_all_get_the_colour_profile_that_most_have_in_any_order(tmp_path):
    p3 = made_profile("Display P3")
    paths = []
    for number, (pixels, icc) in enumerate(((FIRST, p3), (SECOND, None), (THIRD, p3))):
        image = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
        paths.append(saved(tmp_path / f"{number}.png", pillow_bytes(image, "PNG", icc_profile=icc)))
    sources = by_position(opened(*paths)[0])
    for source, pixels in zip(sources, (FIRST, SECOND, THIRD), strict=True):
        whole = source.read()
        assert whole.metadata.icc == source.copy.metadata.icc == p3
        assert np.array_equal(whole.pixels, source.copy.pixels)
        assert np.array_equal(whole.pixels, pixels) == (pixels is not SECOND)
    again = {source.key: source.copy.pixels for source in opened(*paths[::-1])[0]}
    assert all(np.array_equal(again[source.key], source.copy.pixels) for source in sources)


def test_converting_an_array_of_a_set_leaves_it_as_it_is(tmp_path):
    p3, array = made_profile("Display P3"), SECOND.copy()
    files = [
        saved(tmp_path / f"{number}.png", pillow_bytes(Image.fromarray(pixels), "PNG", icc_profile=p3))
        for number, pixels in enumerate((FIRST, THIRD))
    ]
    source = next(source for source in opened(*files, array)[0] if source.position == 2)
    assert np.array_equal(source.read().pixels, source.read().pixels)
    assert np.array_equal(array, SECOND)
