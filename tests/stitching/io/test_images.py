"""Reading and writing pictures; Pillow is the second opinion on the files."""

import errno
import os
import struct
import threading
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stitching.errors import InputError, JobError
from stitching.io.files import check_writable, replacing
from stitching.io.metadata.contents import Metadata
from stitching.io.picture import MIN_SIDE, as_picture
from stitching.io.picture_reader import read_mask, read_picture
from stitching.io.picture_writer import check_output, write_picture

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
# A header and an empty table of tags: what a reader needs to see an RGB profile.
ICC = struct.pack(">I", 132) + bytes(12) + b"RGB XYZ " + bytes(12) + b"acsp" + bytes(92)
EXTENSIONS = [".jpg", ".png", ".tif", ".webp"]


def photo(depth=np.uint8, shape=(48, 64, 3)):
    """Smooth enough for lossy formats to keep, without symmetry."""
    noise = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return cv2.normalize(smooth, None, 0, np.iinfo(depth).max, cv2.NORM_MINMAX).astype(depth)


def half_transparent():
    """Alpha whose left half is transparent."""
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :32] = 0
    return alpha


def exif_block(orientation, order="<"):
    """Make and orientation, exposure time and pixel width a level below, a thumbnail's directory behind."""

    def entry(tag, kind, count, value):
        return struct.pack(order + "HHI", tag, kind, count) + value

    def number(value):
        return struct.pack(order + "I", value)

    first = struct.pack(order + "H", 3)
    first += entry(0x010F, 2, 6, number(8 + 42))
    first += entry(0x0112, 3, 1, struct.pack(order + "HH", orientation, 0))
    first += entry(0x8769, 4, 1, number(8 + 42 + 6)) + number(8 + 42 + 6 + 38)
    exif = struct.pack(order + "H", 2) + entry(0x829A, 5, 1, number(8 + 42 + 6 + 30)) + entry(0xA002, 4, 1, number(64))
    exif += number(0) + struct.pack(order + "II", 1, 250)
    thumbnail = struct.pack(order + "H", 1) + entry(0x0103, 3, 1, struct.pack(order + "HH", 6, 0)) + number(0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + number(8)
    return head + first + b"Maker\0" + exif + thumbnail


def with_exif(pixels, exif, extension=".jpg"):
    kinds, blocks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif, np.uint8)]
    ok, encoded = cv2.imencodeWithMetadata(extension, pixels, kinds, blocks, [cv2.IMWRITE_JPEG_QUALITY, 100])
    assert ok
    return encoded.tobytes()


def stored_turned(pixels, orientation):
    """What a camera with this EXIF orientation stores of an upright scene."""
    stored = {1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1]}
    turned = {5: pixels, 6: pixels[:, ::-1], 7: pixels[::-1, ::-1], 8: pixels[::-1]}
    found = stored[orientation] if orientation < 5 else turned[orientation].transpose(1, 0, 2)
    return np.ascontiguousarray(found)


def bytes_of(extension, pixels, settings=()):
    return cv2.imencode(extension, pixels, list(settings))[1].tobytes()


def saved(path, content):
    path.write_bytes(content)
    return path


def pillow_bytes(image, format_, **settings):
    memory = BytesIO()
    image.save(memory, format_, **settings)
    return memory.getvalue()


def one_line(caught, *words):
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


# --- round trips ---


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("extension", [".png", ".tif", ".TIFF"])
def test_lossless_formats_give_back_every_value(tmp_path, extension, depth):
    path = tmp_path / f"panorama{extension}"
    write_picture(path, photo(depth))
    picture = read_picture(path)
    assert picture.pixels.dtype == depth
    assert picture.size == (64, 48)
    assert picture.valid is None
    assert picture.name == str(path)
    np.testing.assert_array_equal(picture.pixels, photo(depth))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("extension", [".png", ".tif"])
def test_lossless_formats_keep_alpha_and_what_it_shows(tmp_path, extension, depth):
    path = tmp_path / f"panorama{extension}"
    alpha = half_transparent()
    write_picture(path, photo(depth), alpha)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.valid, alpha)
    np.testing.assert_array_equal(picture.pixels[alpha > 0], photo(depth)[alpha > 0])


@pytest.mark.parametrize("extension", [".jpg", ".webp"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_lossy_formats_lose_little_and_hold_8_bits(tmp_path, extension, depth):
    path = tmp_path / f"panorama{extension}"
    write_picture(path, photo(depth))
    pixels = read_picture(path).pixels
    assert pixels.dtype == np.uint8
    expected = photo(depth) if depth == np.uint8 else np.round(photo(depth) / 257).astype(np.uint8)
    assert cv2.PSNR(pixels, expected) > 38


def test_webp_keeps_alpha(tmp_path):
    write_picture(tmp_path / "panorama.webp", photo(), half_transparent(), Metadata(xmp=XMP))
    np.testing.assert_array_equal(read_picture(tmp_path / "panorama.webp").valid, half_transparent())


def test_jpeg_shows_the_background_where_nothing_was_seen(tmp_path):
    write_picture(tmp_path / "panorama.jpg", photo(), half_transparent(), background=(0, 128, 255))
    pixels = read_picture(tmp_path / "panorama.jpg").pixels
    assert np.abs(pixels[:, :24].astype(int) - (0, 128, 255)).max() <= 4
    assert cv2.PSNR(pixels[:, 40:], photo()[:, 40:]) > 38


def test_opaque_alpha_writes_no_alpha_channel(tmp_path):
    write_picture(tmp_path / "with.png", photo(), np.full((48, 64), 255, np.uint8))
    write_picture(tmp_path / "without.png", photo())
    assert (tmp_path / "with.png").read_bytes() == (tmp_path / "without.png").read_bytes()


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_other_software_sees_the_same_picture(tmp_path, extension):
    path = tmp_path / f"panorama{extension}"
    write_picture(path, photo(), half_transparent())
    with Image.open(path) as image:
        assert image.mode == ("RGB" if extension == ".jpg" else "RGBA")
        valid = np.array(image)[:, 40:, 2::-1]
    assert cv2.PSNR(np.ascontiguousarray(valid), np.ascontiguousarray(photo()[:, 40:])) > 38


def test_tiff_alpha_is_marked_as_not_multiplied_into_the_colours(tmp_path):
    write_picture(tmp_path / "panorama.tif", photo(), half_transparent())
    with Image.open(tmp_path / "panorama.tif") as image:
        assert image.tag_v2[338] == (2,)


def test_grey_masks_are_written_as_grey(tmp_path):
    write_picture(tmp_path / "mask.png", half_transparent(), metadata=Metadata(icc=ICC))
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "L"
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_same_input_same_bytes(tmp_path, extension):
    for name in ("first", "second"):
        write_picture(tmp_path / (name + extension), photo(), half_transparent(), Metadata(exif_block(1), ICC, XMP))
    assert (tmp_path / f"first{extension}").read_bytes() == (tmp_path / f"second{extension}").read_bytes()


# --- what is read ---


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_content_decides_not_the_extension(tmp_path, extension):
    path = saved(tmp_path / "picture.dat", bytes_of(extension, photo()))
    assert cv2.PSNR(read_picture(path).pixels, photo()) > 30


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_grey_becomes_three_equal_channels(tmp_path, extension):
    pixels = read_picture(saved(tmp_path / "grey", bytes_of(extension, photo(shape=(48, 64))))).pixels
    assert pixels.shape == (48, 64, 3)
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])


def test_alpha_counts_from_half(tmp_path):
    pixels = np.dstack([photo(), np.full((48, 64), 127, np.uint8)])
    pixels[:10, :, 3] = 128
    valid = read_picture(saved(tmp_path / "soft.png", bytes_of(".png", pixels))).valid
    assert (valid[:10] == 255).all()
    assert (valid[10:] == 0).all()


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("multiplied", [False, True])
def test_half_transparent_tiff_keeps_its_colours(tmp_path, depth, multiplied):
    full = np.iinfo(depth).max
    share = 200 / 255
    colours = (photo(depth) * share).astype(depth) if multiplied else photo(depth)
    pixels = np.dstack([colours, np.full((48, 64), round(full * share), depth)])
    marked = bytearray(bytes_of(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, 1]))
    mark_alpha(marked, 1 if multiplied else 2)
    picture = read_picture(saved(tmp_path / "soft.tif", bytes(marked)))
    assert picture.valid is None
    assert np.abs(picture.pixels.astype(int) - photo(depth)).max() <= full // 128


def mark_alpha(tiff, meaning):
    """Overwrite a tag of OpenCV's file that says the default with one that says what alpha means."""
    start = struct.unpack_from("<I", tiff, 4)[0]
    (count,) = struct.unpack_from("<H", tiff, start)
    at = start + 2 + 12 * (count - 1)
    assert struct.unpack_from("<H", tiff, at) == (339,)
    struct.pack_into("<HHIHH", tiff, at, 338, 3, 1, meaning, 0)


def test_a_jpeg_with_a_trailer_or_a_second_picture_is_whole(tmp_path):
    jpeg = bytes_of(".jpg", photo())
    for behind in (b"SEFT" * 10, b"\xff" * 1000, jpeg[: len(jpeg) // 2]):
        assert read_picture(saved(tmp_path / "phone.jpg", jpeg + behind)).size == (64, 48)


def test_progressive_and_restarted_jpegs_are_whole(tmp_path):
    for setting in ([cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]):
        assert read_picture(saved(tmp_path / "a.jpg", bytes_of(".jpg", photo(), setting))).size == (64, 48)


def test_a_cmyk_jpeg_and_a_palette_png_are_read(tmp_path):
    image = Image.fromarray(photo()[..., ::-1])
    cmyk = saved(tmp_path / "cmyk.jpg", pillow_bytes(image.convert("CMYK"), "JPEG", quality=95))
    assert cv2.PSNR(read_picture(cmyk).pixels, photo()) > 20
    palette = saved(tmp_path / "palette.png", pillow_bytes(image.quantize(200), "PNG"))
    assert cv2.PSNR(read_picture(palette).pixels, photo()) > 20


def test_a_pipe_is_read_like_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(bytes_of(".png", photo()),))
    writer.start()
    np.testing.assert_array_equal(read_picture(pipe).pixels, photo())
    writer.join()


# --- orientation and metadata ---


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_pixels_are_upright(tmp_path, orientation, order):
    content = with_exif(stored_turned(photo(), orientation), exif_block(orientation, order))
    picture = read_picture(saved(tmp_path / "turned.jpg", content))
    assert picture.size == (64, 48)
    assert cv2.PSNR(picture.pixels, photo()) > 35


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_other_formats_are_upright_too(tmp_path, orientation, format_):
    image = Image.fromarray(stored_turned(photo(), orientation)[..., ::-1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if format_ == "WEBP" else {}
    path = saved(tmp_path / "turned", pillow_bytes(image, format_, exif=exif, **lossless))
    np.testing.assert_array_equal(read_picture(path).pixels, photo())


def test_alpha_turns_with_the_pixels(tmp_path):
    stored = stored_turned(np.dstack([photo(), half_transparent()]), 6)
    picture = read_picture(saved(tmp_path / "turned.png", with_exif(stored, exif_block(6), ".png")))
    np.testing.assert_array_equal(picture.valid, half_transparent())


def made_by_pillow(path):
    """A file with orientation 6 that holds all three kinds of metadata."""
    image = Image.fromarray(stored_turned(photo(), 6)[..., ::-1])
    exif, text = Image.Exif(), PngInfo()
    exif.load(exif_block(6, ">"))
    settings = {"exif": exif, "icc_profile": ICC}
    if path.suffix == ".png":
        text.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
        settings["pnginfo"] = text
    elif path.suffix == ".tif":
        exif[700] = XMP
    else:
        settings["xmp"] = XMP
    image.save(path, **settings)
    return path


@pytest.mark.parametrize("target", EXTENSIONS)
@pytest.mark.parametrize("source", EXTENSIONS)
def test_metadata_goes_from_every_format_to_every_format(tmp_path, source, target):
    metadata = read_picture(made_by_pillow(tmp_path / f"source{source}")).metadata
    path = tmp_path / f"panorama{target}"
    write_picture(path, photo(), metadata=metadata)
    with Image.open(path) as image:
        exif = image.getexif()
        assert exif[0x010F] == "Maker"
        assert exif[0x0112] == 1
        assert exif.get_ifd(0x8769) == {0x829A: 1 / 250}
        assert image.info["icc_profile"] == ICC
        assert image.info["xmp"].replace(b"\0", b"") == XMP.replace(b'"6"', b'"1"')
        assert image.size == (64, 48)
    assert read_picture(path).metadata == metadata


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_metadata_leaves_the_pixels_alone(tmp_path, extension, depth):
    write_picture(tmp_path / f"plain{extension}", photo(depth), half_transparent())
    full = Metadata(exif_block(1), ICC, XMP)
    write_picture(tmp_path / f"full{extension}", photo(depth), half_transparent(), full)
    plain, full = (read_picture(tmp_path / f"{name}{extension}") for name in ("plain", "full"))
    np.testing.assert_array_equal(plain.pixels, full.pixels)
    assert (plain.valid is None) == (full.valid is None)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_old_thumbnail_and_pixel_size_are_left_behind(tmp_path, order):
    path = saved(tmp_path / "photo.jpg", with_exif(photo(), exif_block(3, order)))
    exif = Image.Exif()
    exif.load(read_picture(path).metadata.exif)
    assert exif.get_ifd(0x8769) == {0x829A: 1 / 250}
    assert exif.get_ifd(1) == {}


def test_a_large_profile_survives_jpeg(tmp_path):
    large = np.random.default_rng(2).bytes(200_000)
    icc = struct.pack(">I", 132 + len(large)) + ICC[4:] + large
    write_picture(tmp_path / "a.jpg", photo(), metadata=Metadata(icc=icc))
    assert read_picture(tmp_path / "a.jpg").metadata.icc == icc
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.info["icc_profile"] == icc


def test_a_packet_too_large_for_jpeg_is_left_out(tmp_path):
    xmp = b"<x/>" + b" " * 70_000
    write_picture(tmp_path / "a.jpg", photo(), metadata=Metadata(xmp=xmp, icc=ICC))
    assert read_picture(tmp_path / "a.jpg").metadata == Metadata(icc=ICC)


def test_a_grey_profile_is_dropped(tmp_path):
    grey = ICC.replace(b"RGB ", b"GRAY")
    image = Image.fromarray(photo(shape=(48, 64)))
    path = saved(tmp_path / "grey.jpg", pillow_bytes(image, "JPEG", icc_profile=grey))
    assert read_picture(path).metadata == Metadata()


@pytest.mark.parametrize("damage", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 40])
def test_damaged_exif_does_not_stop_reading(tmp_path, damage):
    picture = read_picture(saved(tmp_path / "photo.jpg", with_exif(photo(), damage + b"\0")))
    assert picture.size == (64, 48)


def test_exif_that_points_to_itself_ends(tmp_path):
    loop = struct.pack("<4sIHHHIII", b"II*\0", 8, 1, 0x8769, 4, 1, 8, 0)
    assert read_picture(saved(tmp_path / "photo.jpg", with_exif(photo(), loop))).size == (64, 48)


# --- bad input ---


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError) as caught:
        read_picture(tmp_path / "missing.jpg")
    one_line(caught, "missing.jpg", "No such file")
    with pytest.raises(InputError) as caught:
        read_picture(tmp_path)
    one_line(caught, str(tmp_path), "directory")


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path / "locked.jpg", bytes_of(".jpg", photo()))

    def refuse(*_args, **_settings):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError) as caught:
        read_picture(path)
    one_line(caught, "locked.jpg", "Permission denied")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello, this is no picture", "JPEG, PNG, TIFF or WebP"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
        (b"\xff\xd8\xff", "cut short"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "cut short"),
        (b"II*\0", "cut short"),
        (b"RIFF\x10\0\0\0WEBP", "cut short"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, content, word):
    with pytest.raises(InputError) as caught:
        read_picture(saved(tmp_path / "bad", content))
    one_line(caught, "bad", word)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_refused_in_silence(tmp_path, extension, share, capfd):
    content = bytes_of(extension, photo(shape=(200, 300, 3)))
    with pytest.raises(InputError) as caught:
        read_picture(saved(tmp_path / "cut", content[: int(len(content) * share)]))
    one_line(caught, "cut short")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("setting", [[cv2.IMWRITE_JPEG_PROGRESSIVE, 0], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_a_jpeg_whose_end_was_never_written_is_refused(tmp_path, setting):
    """A stopped download into a file of the full size; decoders turn the zeros into grey."""
    content = bytes_of(".jpg", photo(shape=(200, 300, 3)), setting)
    half = len(content) // 2
    with pytest.raises(InputError) as caught:
        read_picture(saved(tmp_path / "cut.jpg", content[:half] + bytes(len(content) - half)))
    one_line(caught, "cut short")


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path):
    thumbnail = exif_block(1) + bytes_of(".jpg", photo()[::2, ::2])
    content = with_exif(photo(shape=(200, 300, 3)), thumbnail)
    with pytest.raises(InputError):
        read_picture(saved(tmp_path / "cut.jpg", content[: len(content) // 2]))


def test_a_png_with_a_flipped_bit_is_refused_in_silence(tmp_path, capfd):
    content = bytearray(bytes_of(".png", photo()))
    content[len(content) // 2] ^= 1
    with pytest.raises(InputError):
        read_picture(saved(tmp_path / "bad.png", bytes(content)))
    assert capfd.readouterr() == ("", "")


def test_good_files_are_read_in_silence(tmp_path, capfd):
    image = Image.fromarray(photo()[..., ::-1])
    odd_profile = saved(tmp_path / "odd.png", pillow_bytes(image, "PNG", icc_profile=b"no profile" * 20))
    four = saved(tmp_path / "four.tif", bytes_of(".tif", np.dstack([photo(), half_transparent()])))
    np.testing.assert_array_equal(read_picture(odd_profile).pixels, photo())
    np.testing.assert_array_equal(read_picture(four).valid, half_transparent())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2000, 3), (3, 2000), (MIN_SIDE - 1, 100)])
def test_a_picture_too_small_to_match_is_refused(tmp_path, width, height):
    with pytest.raises(InputError) as caught:
        read_picture(saved(tmp_path / "small.png", bytes_of(".png", np.zeros((height, width, 3), np.uint8))))
    one_line(caught, f"{width} x {height}", str(MIN_SIDE))


def test_a_picture_transparent_everywhere_is_refused():
    with pytest.raises(InputError) as caught:
        as_picture(np.zeros((48, 64, 4), np.uint8))
    one_line(caught, "transparent")


@pytest.mark.parametrize("depth", [np.float32, np.int16, np.int8])
def test_a_tiff_of_another_depth_is_refused(tmp_path, depth):
    path = saved(tmp_path / "deep.tif", bytes_of(".tif", photo().astype(depth)))
    with pytest.raises(InputError) as caught:
        read_picture(path)
    one_line(caught, np.dtype(depth).name, "uint16")


def test_a_raw_file_with_a_preview_in_front_is_refused(tmp_path):
    image = Image.fromarray(photo())
    with pytest.raises(InputError) as caught:
        read_picture(saved(tmp_path / "raw.dng", pillow_bytes(image, "TIFF", tiffinfo={254: 1})))
    one_line(caught, "preview")


def test_a_picture_too_large_to_decode_is_refused(tmp_path, capfd):
    path = saved(tmp_path / "large.png", bytes_of(".png", photo()))
    content = bytearray(path.read_bytes())
    struct.pack_into(">II", content, 16, 60_000, 60_000)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    with pytest.raises(InputError) as caught:
        read_picture(saved(path, bytes(content)))
    one_line(caught, "large.png", "decoded")
    assert capfd.readouterr() == ("", "")


# --- arrays and masks ---


@pytest.mark.parametrize("depth", [np.uint8, np.uint16, ">u2"])
def test_arrays_of_all_shapes_become_pictures(depth):
    pixels = photo(np.uint8).astype(depth)
    for array in (pixels, pixels[..., 0], pixels[..., :1], np.dstack([pixels, pixels[..., :1] * 0 + 255])):
        if array.ndim == 3 and array.shape[2] == 4 and np.dtype(depth).itemsize == 2:
            array[..., 3] = 65535
        picture = as_picture(array, "mine")
        assert picture.pixels.shape == (48, 64, 3)
        assert picture.pixels.dtype.isnative
        assert picture.name == "mine"
        np.testing.assert_array_equal(picture.pixels[..., 0], pixels[..., 0])


def test_a_turned_array_is_taken_as_it_looks():
    np.testing.assert_array_equal(as_picture(photo()[::-1, :, ::-1]).pixels, photo()[::-1, :, ::-1])


def test_a_contiguous_array_is_not_copied():
    array = photo()
    assert np.shares_memory(as_picture(array).pixels, array)


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((48, 64, 3), np.float64), "astype(np.uint8)"),
        (np.zeros((48, 64, 3), np.int32), "int32"),
        (np.zeros((48, 64), bool), "bool"),
        (np.zeros((3, 48, 64), np.uint8), "(3, 48, 64)"),
        (np.zeros((48, 64, 2), np.uint8), "(48, 64, 2)"),
        (np.zeros((1, 48, 64, 3), np.uint8), "(1, 48, 64, 3)"),
        (np.zeros((0, 0, 3), np.uint8), "(0, 0, 3)"),
        (np.zeros((31, 64, 3), np.uint8), "64 x 31"),
        ([[1, 2], [3, 4]], "list"),
    ],
)
def test_unusable_arrays_are_refused(array, word):
    with pytest.raises(InputError) as caught:
        as_picture(array)
    one_line(caught, word)


def test_masks_of_every_kind_mean_the_same(tmp_path):
    expected = half_transparent()
    write_picture(tmp_path / "mask.png", expected)
    write_picture(tmp_path / "mask.jpg", expected)
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = expected
    masks = [
        *(expected, expected > 0, expected.astype(np.uint16) * 257, expected[..., None], red),
        np.dstack([np.full_like(red, 255), expected]),
        *(tmp_path / "mask.png", str(tmp_path / "mask.jpg")),
    ]
    for mask in masks:
        found = read_mask(mask, (64, 48))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


def test_a_mask_turns_like_its_photograph(tmp_path):
    stored = stored_turned(half_transparent()[..., None], 6)[..., 0]
    path = saved(tmp_path / "mask.jpg", with_exif(stored, exif_block(6)))
    np.testing.assert_array_equal(read_mask(path, (64, 48)), half_transparent())


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(InputError) as caught:
        read_mask(np.full((64, 48), 255, np.uint8), (64, 48))
    one_line(caught, "48 x 64", "64 x 48")
    with pytest.raises(InputError) as caught:
        read_mask(np.ones((48, 64), np.uint8), (64, 48))
    one_line(caught, "ignores every pixel", "largest value is 1", "255")


# --- places to write to ---


def test_unknown_extensions_are_refused_with_the_known_ones(tmp_path):
    for name in ("panorama.bmp", "panorama", "panorama.jpg.part"):
        with pytest.raises(InputError) as caught:
            check_output(tmp_path / name)
        one_line(caught, name, ".jpg", ".png", ".tif", ".webp")


def test_places_that_cannot_be_written_are_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "folder.png").mkdir()
    places = {"missing/a.png": "does not exist", "folder.png": "is a folder", "a" * 300 + ".png": "too long"}
    for name, word in places.items():
        with pytest.raises(InputError) as caught:
            check_output(tmp_path / name)
        one_line(caught, word)
    check_output(tmp_path / "fine.png")
    check_writable(tmp_path / "report.html")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError) as caught:
        check_writable(tmp_path / "report.html")
    one_line(caught, "no permission")
    (tmp_path / "old.png").touch()
    with pytest.raises(InputError) as caught:
        check_output(tmp_path / "old.png")
    one_line(caught, "write-protected")


def test_a_panorama_too_large_for_its_format_is_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        check_output(tmp_path / "a.webp", (20_000, 100))
    one_line(caught, "20000 x 100", "WebP", "16383")
    check_output(tmp_path / "a.png", (20_000, 100))
    with pytest.raises(InputError):
        write_picture(tmp_path / "a.jpg", np.zeros((1, 66_000, 3), np.uint8))


def test_arrays_that_do_not_fit_together_are_refused(tmp_path):
    for pixels, alpha in (
        (photo(), half_transparent()[1:]),
        (photo(), half_transparent() > 0),
        (photo()[..., :2], None),
    ):
        with pytest.raises(InputError):
            write_picture(tmp_path / "a.png", pixels, alpha)
    with pytest.raises(InputError) as caught:
        write_picture(tmp_path / "a.png", np.dstack([photo(), half_transparent()]))
    one_line(caught, "pass the fourth as alpha")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, extension):
    path = saved(tmp_path / f"panorama{extension}", b"old")
    opened = Path.open

    def open_on_full_disk(self, mode="r", *arguments, **settings):
        file = opened(self, mode, *arguments, **settings)
        return FullDisk(file) if "w" in mode else file

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    with pytest.raises(JobError) as caught:
        write_picture(path, photo())
    one_line(caught, path.name, "No space left")
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


class FullDisk:
    """A file that takes ten bytes."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def writelines(self, parts):
        self.file.write(bytes(parts[0])[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
def test_a_stopped_writer_leaves_nothing(tmp_path, stop):
    def stopped():
        with replacing(tmp_path / "report.html") as temporary:
            temporary.write_text("half a rep")
            assert not (tmp_path / "report.html").exists()
            raise stop

    with pytest.raises(stop):
        stopped()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(JobError), replacing(tmp_path / "report.html"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "fields.npz"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        assert first.suffix == second.suffix == ".npz"
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_ordinary_permissions_and_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real" / "target.txt")
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    (tmp_path / "plain.txt").touch()
    target = tmp_path / "real" / "target.txt"
    assert target.read_text() == "new"
    assert target.stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def test_logging_of_opencv_is_as_before(tmp_path):
    level = cv2.utils.logging.getLogLevel()
    write_picture(tmp_path / "a.png", photo())
    read_picture(tmp_path / "a.png")
    assert cv2.utils.logging.getLogLevel() == level
