import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from picture_files import photo

from stitching.errors import InputError
from stitching.io.npz_file import ArrayForm, read_arrays

FORMS = {"map": ArrayForm("f", (-1, -1, 2)), "count": ArrayForm("iuf", ())}
MAP, LARGEST = np.arange(240, dtype=np.float32).reshape(10, 12, 2), 1_000_000


def npz(save=np.savez_compressed, **arrays):
    buffer = io.BytesIO()
    save(buffer, **{"map": MAP, "count": 7} | arrays)
    return bytearray(buffer.getvalue())


def header(descr="<f4", shape=(10, 12, 2)):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def with_member(content, name="map.npy", kind=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        archive.writestr(name, content)
        number = io.BytesIO()
        np.save(number, 7)
        archive.writestr("count.npy", number.getvalue())
    return buffer.getvalue()


def read(contents, forms=FORMS, **settings):
    return read_arrays(io.BytesIO(contents), forms, LARGEST, **settings)


def assert_refused_without_allocating(contents, words):
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=words) as caught:
            read(contents)
        assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("stored", [MAP, np.asfortranarray(MAP), MAP.astype(">f8"), MAP[:0]])
def test_arrays_are_read_as_numpy_wrote_them(tmp_path, save, stored):
    path = tmp_path / "arrays.npz"
    path.write_bytes(npz(save, map=stored))
    for source in (path, io.BytesIO(path.read_bytes())):
        found = read_arrays(source, FORMS, LARGEST)
        assert found["map"].dtype == stored.dtype
        np.testing.assert_array_equal(found["map"], stored)
        assert found["count"].shape == ()
        assert found["count"] == 7


def test_what_is_not_asked_for_is_not_read():
    bomb = header("<f8", (10**6, 10**6)) + bytes(20_000_000)
    contents = with_member(header() + MAP.tobytes())
    with zipfile.ZipFile(buffer := io.BytesIO(contents), "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bomb)
    tracemalloc.start()
    found = read(buffer.getvalue())
    assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST
    tracemalloc.stop()
    assert set(found) == {"map", "count"}


def test_only_an_optional_array_may_be_missing():
    forms = FORMS | {"more": ArrayForm("f", ())}
    assert set(read(npz(), forms, optional=["more"])) == {"map", "count"}
    with pytest.raises(InputError, match="more is missing"):
        read(npz(), forms)


@pytest.mark.parametrize(
    "array", [MAP[0], MAP[..., :1], MAP.astype(complex), MAP.astype(int), MAP.astype("U"), np.zeros((2, 2, 2), "f4,f4")]
)
def test_an_array_of_another_form_is_refused(array):
    assert_refused_without_allocating(npz(map=array), r"map.*floats of shape \(any, any, 2\)")


# --- files made to harm ---


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (header(shape=(500_000, 500_000, 2)) + bytes(100), "at most"),
        (header(shape=(10**30, 1, 2)) + bytes(100), "at most"),
        (header(shape=(100, 100, 2)) + bytes(100), "another size"),
        (header(shape=(5, 5, 2)) + bytes(50_000_000), "another size"),
        (header(shape=(2500, 2500, 2)) + bytes(50_000_000), "at most"),
        (header(shape=(-1, 5, 2)) + bytes(100), "shape"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + bytes(50_000_000), "no array"),
        (b"\x93NUMPY\x01\x00\xff\x27" + b"(" * 10_239, "no array"),
        (b"\x93NUMPY\x01\x00\xff\x27" + b"{'descr': " * 1023, "no array"),
        (b"\x93NUMPY\x01", "no array"),
        (b"", "no array"),
        (b"hello", "no array"),
    ],
)
def test_a_lying_header_allocates_nothing(contents, words):
    assert_refused_without_allocating(with_member(contents), words)


def test_a_size_in_the_archive_that_is_too_small_allocates_nothing():
    contents = bytearray(with_member(header() + MAP.tobytes() + bytes(50_000_000)))
    true_size, told = struct.pack("<I", 128 + 960 + 50_000_000), struct.pack("<I", 128 + 960)
    assert contents.count(true_size) == 2  # the member's own header, and the archive's list
    assert_refused_without_allocating(contents.replace(true_size, told), "damaged")


def test_pickled_objects_are_never_loaded():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    with pytest.raises(InputError, match="pickled objects"):
        read(npz(map=np.array([Trap()], object)))
    assert set(read(npz(more=np.array([Trap()], object)))) == {"map", "count"}


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(kind):
    assert_refused_without_allocating(with_member(header() + MAP.tobytes(), kind=kind), "compressed in a way")


def test_an_encrypted_archive_is_refused():
    contents = npz()
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        contents[contents.index(signature) + offset] |= 1
    assert_refused_without_allocating(contents, "encrypted")


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04", b"no zip file", photo().tobytes(), bytes(1000)])
def test_other_files_are_refused(contents):
    assert_refused_without_allocating(contents, "no npz file")


def test_damaged_archives_are_refused_or_give_the_same_arrays():
    whole, rng, read_unchanged = npz(), np.random.default_rng(0), 0
    for at in rng.integers(0, len(whole), 300):
        for damaged in (whole[:at], bytearray(whole)):
            if at < len(damaged):
                damaged[at] ^= 1 << rng.integers(8)
            try:
                found = read(damaged)
            except InputError:
                continue
            read_unchanged += 1
            np.testing.assert_array_equal(found["map"], MAP)
    assert read_unchanged < 200
