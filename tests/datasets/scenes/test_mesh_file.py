"""A user's mesh as a scene: frames, textures, colours, standpoints, and clear words about bad files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from datasets.scenes.mesh_file import load_mesh_scenes
from datasets.scenes.recipes import check_scene
from datasets.scenes.standpoints import find_standpoints
from stitching.errors import InputError


def textured_box(size: tuple[float, float, float], *, inside_out: bool = False) -> trimesh.Trimesh:
    """A box whose faces all show the whole picture: red on the left, green at the top right, blue below it."""
    flat = trimesh.creation.box(size)
    box = trimesh.Trimesh(flat.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    axis = np.abs(box.face_normals).argmax(axis=1).repeat(3)
    kept = np.array([[2, 1], [0, 2], [0, 1]])[axis]
    uv = np.take_along_axis(box.vertices / size, kept, axis=1) + 0.5
    if inside_out:
        box.invert()
    picture = np.zeros((100, 70, 3), np.uint8)
    picture[:, :35, 0] = 255
    picture[:50, 35:, 1] = 255
    picture[50:, 35:, 2] = 255
    box.visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=Image.fromarray(picture)))
    return box


@pytest.fixture
def room_file(tmp_path: Path) -> Path:
    """A room 5 m wide, 3 m high, 6 m deep with a box that stands in its right back part, by its own transform."""
    scene = trimesh.Scene()
    scene.add_geometry(textured_box((5, 3, 6), inside_out=True))
    moved = trimesh.transformations.translation_matrix((1.5, -1, -2))
    scene.add_geometry(textured_box((1, 1, 1)), transform=moved)
    path = tmp_path / "room.glb"
    scene.export(path)
    return path


def test_a_room_has_its_transforms_and_textures(room_file: Path) -> None:
    (scene, *_), textures = load_mesh_scenes(room_file)
    check_scene(scene, len(textures))
    assert len(scene.corners) == 24
    assert len(textures) == 2
    assert set(scene.texture.tolist()) == {0, 1}
    for texture in textures:
        assert texture.shape == (128, 128, 3)
        assert texture[64, 10].tolist() == [0, 0, 255]  # red, BGR
        assert texture[10, 120].tolist() == [0, 255, 0]
    small = scene.corners[scene.surface == scene.surface[np.ptp(scene.corners, axis=(1, 2)).argmin()]]
    # y up becomes y down; z towards the viewer becomes z away.
    assert np.allclose(small.mean(axis=(0, 1)), (1.5, 1, 2), atol=0.01)
    assert np.allclose(np.ptp(scene.corners, axis=(0, 1)), (5, 3, 6), atol=1e-4)


def test_textures_are_upright(room_file: Path) -> None:
    (scene, *_), _ = load_mesh_scenes(room_file)
    upright = np.abs(scene.normals[:, 0, 1]) < 0.5
    low = scene.corners[upright, :, 1] > scene.corners[upright, :, 1].mean(axis=1, keepdims=True)
    down = scene.uv[upright, :, 1]
    assert (down[low].mean() - down[~low].mean()) > 0.3  # lower in the world is lower in the picture


def test_cameras_stand_inside_of_a_room(room_file: Path) -> None:
    (scene, *_), _ = load_mesh_scenes(room_file)
    eye, look_at = scene.standpoint.eye, scene.standpoint.look_at
    assert (eye[0] > (-2.5, -1.5, -3)).all()
    assert (eye[1] < (2.5, 1.5, 3)).all()
    assert np.linalg.norm(eye.mean(axis=0) - look_at.mean(axis=0)) > 0.5
    in_box = (np.abs(eye - np.array([1.5, 1, 2])) < 0.5).all(axis=1)
    assert not in_box.any()


def test_cameras_stand_around_an_object(tmp_path: Path) -> None:
    textured_box((0.4, 0.2, 0.3)).export(tmp_path / "object.glb")
    (scene, *_), _ = load_mesh_scenes(tmp_path / "object.glb")
    for standpoint in find_standpoints(scene.corners, "object"):
        middle = standpoint.eye.mean(axis=0)
        assert (np.abs(middle) > (0.2, 0.1, 0.15)).any()
        assert np.linalg.norm(middle) < 1.0
        assert np.linalg.norm(standpoint.look_at.mean(axis=0)) < np.linalg.norm(middle)


def test_standpoints_are_the_same_each_time(room_file: Path) -> None:
    (scene, *_), _ = load_mesh_scenes(room_file)
    first, again = (find_standpoints(scene.corners, "room") for _ in range(2))
    assert len(first) > 5
    assert all(np.array_equal(a.eye, b.eye) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("ending", ["ply", "glb"])
def test_vertex_colours_are_seen(tmp_path: Path, ending: str) -> None:
    ball = trimesh.creation.icosphere(subdivisions=2)
    ball.visual.vertex_colors = np.where(ball.vertices[:, 1:2] > 0, [[200, 0, 0, 255]], [[0, 0, 100, 255]])
    path = tmp_path / f"ball.{ending}"
    ball.export(path)
    (scene, *_), textures = load_mesh_scenes(path)
    check_scene(scene, len(textures))
    valid = textures[0][0, 0] * np.sqrt(scene.tint)  # as the renderer shows it in light of 1
    above = scene.corners[..., 1].max(axis=1) < -0.01  # y down
    assert np.allclose(valid[above], (0, 0, 200), atol=2)
    below = scene.corners[..., 1].min(axis=1) > 0.15
    assert np.allclose(valid[below], (100, 0, 0), atol=2)


def test_plain_material_colours_are_seen(tmp_path: Path) -> None:
    box = trimesh.creation.box((1, 1, 1))
    box.visual = TextureVisuals(material=PBRMaterial(baseColorFactor=[255, 0, 0, 255]))
    box.export(tmp_path / "red.glb")
    (scene, *_), _ = load_mesh_scenes(tmp_path / "red.glb")
    assert np.allclose(scene.tint, (0, 0, 1))


def test_sharp_edges_become_segments(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    box = trimesh.creation.box((1, 1, 1))
    for name, mesh, expected in (("ball", ball, 0), ("box", box, 12)):
        mesh.visual.vertex_colors = np.full((len(mesh.vertices), 4), 200, np.uint8)
        mesh.export(tmp_path / f"{name}.ply")
        (scene, *_), _ = load_mesh_scenes(tmp_path / f"{name}.ply")
        assert len(scene.segments) == expected


def test_degenerate_triangles_are_dropped(tmp_path: Path) -> None:
    good, flat = [[0.0, 0, 0], [2, 0, 0], [0, 2, 0.5]], [[0.0, 0, 1], [1, 0, 1], [2, 0, 1]]
    colours = np.full((6, 4), 99, np.uint8)
    both = trimesh.Trimesh(good + flat, [[0, 1, 2], [3, 4, 5]], vertex_colors=colours, process=False)
    both.export(tmp_path / "both.ply")
    (scene, *_), _ = load_mesh_scenes(tmp_path / "both.ply")
    assert len(scene.corners) == 1
    trimesh.Trimesh(flat, [[0, 1, 2]], vertex_colors=colours[:3], process=False).export(tmp_path / "flat.ply")
    with pytest.raises(InputError, match="degenerate"):
        load_mesh_scenes(tmp_path / "flat.ply")


def test_a_mesh_without_colours_is_refused(tmp_path: Path) -> None:
    for ending in ("ply", "obj", "glb"):
        path = tmp_path / f"plain.{ending}"
        trimesh.creation.box((1, 1, 1)).export(path)
        with pytest.raises(InputError, match="neither texture nor colours"):
            load_mesh_scenes(path)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.glb").write_bytes(b"glTF, or so it says")
    (tmp_path / "broken.ply").write_text("ply\nnonsense")
    (tmp_path / "broken.gltf").write_text("{")
    (tmp_path / "empty.obj").write_text("# nothing")
    (tmp_path / "picture.png").write_bytes(b"")
    trimesh.PointCloud(np.eye(3)).export(tmp_path / "points.ply")
    expected = {
        "broken.glb": "cannot be read",
        "broken.ply": "cannot be read",
        "broken.gltf": "cannot be read",
        "empty.obj": "no triangles",
        "points.ply": "no triangles",
        "picture.png": "expected a file that ends in",
        "missing.glb": "no such file",
    }
    for name, words in expected.items():
        with pytest.raises(InputError, match=words) as caught:
            load_mesh_scenes(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "pipe", "link", "."])
@pytest.mark.parametrize("key", ["mtllib", "map_Kd"])
def test_files_outside_of_the_folder_are_not_read(tmp_path: Path, name: str, key: str) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(textured_bytes(tmp_path))
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(tmp_path / "secret")
    textured_box((1, 1, 1)).export(folder / "box.obj", mtl_name="box.mtl")
    file = folder / ("box.obj" if key == "mtllib" else "box.mtl")
    lines = file.read_text().splitlines()
    assert any(line.startswith(key) for line in lines)
    file.write_text("\n".join(f"{key} {name}" if line.startswith(key) else line for line in lines))
    with pytest.raises(InputError, match=r"no file of its folder|neither texture nor colours") as caught:
        load_mesh_scenes(folder / "box.obj")
    assert "\n" not in str(caught.value)


def test_a_texture_that_is_nowhere_hinders_nothing(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    box.visual.vertex_colors = np.full((len(box.vertices), 4), 200, np.uint8)
    (tmp_path / "box.obj").write_text(f"mtllib /home/another/box.mtl\n{box.export(file_type='obj')}")
    scenes, _ = load_mesh_scenes(tmp_path / "box.obj")
    assert len(scenes[0].corners) == 12


def textured_bytes(folder: Path) -> bytes:
    Image.fromarray(np.full((4, 4, 3), 200, np.uint8)).save(folder / "texture.png")
    return (folder / "texture.png").read_bytes()


@pytest.mark.parametrize("uri", ["../secret", "/etc/passwd", "file:///etc/passwd", "https://example.org/a.bin"])
def test_a_gltf_reads_no_buffer_elsewhere(tmp_path: Path, uri: str) -> None:
    tree = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": uri, "byteLength": 4}],
        "bufferViews": [{"buffer": 0, "byteLength": 4}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 1, "type": "SCALAR"}],
    }
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    with pytest.raises(InputError, match=r"cannot be read|no file of its folder"):
        load_mesh_scenes(tmp_path / "a.gltf")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_vertices_and_uv_that_are_no_places_are_refused(tmp_path: Path, value: float) -> None:
    colours = np.full((3, 4), 99, np.uint8)
    vertices = [[0.0, 0, 0], [2, 0, 0], [0, value, 0.5]]
    trimesh.Trimesh(vertices, [[0, 1, 2]], vertex_colors=colours, process=False).export(tmp_path / "a.ply")
    with pytest.raises(InputError, match=r"not finite|no triangles"):
        load_mesh_scenes(tmp_path / "a.ply")
    box = textured_box((1, 1, 1))
    box.visual.uv[0] = value
    box.export(tmp_path / "b.glb")
    with pytest.raises(InputError, match="UV coordinates that are not finite"):
        load_mesh_scenes(tmp_path / "b.glb")


@pytest.mark.parametrize("ending", ["glb", "ply", "obj"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_mesh_that_is_cut_short_is_one_line_or_a_mesh(tmp_path: Path, ending: str, share: float) -> None:
    box = trimesh.creation.icosphere(subdivisions=1)
    box.visual.vertex_colors = np.full((len(box.vertices), 4), 200, np.uint8)
    path = tmp_path / f"box.{ending}"
    box.export(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    try:
        load_mesh_scenes(path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - a text format may lack nothing that matters


def test_a_mesh_in_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.glb")
    with pytest.raises(InputError, match="a pipe or a device"):
        load_mesh_scenes(tmp_path / "a.glb")


def test_a_damaged_texture_is_refused(tmp_path: Path) -> None:
    textured_box((1, 1, 1)).export(tmp_path / "box.obj", mtl_name="box.mtl")
    (picture,) = tmp_path.glob("*.png")
    picture.write_bytes(picture.read_bytes()[:100])
    with pytest.raises(InputError, match=r"box\.obj"):
        load_mesh_scenes(tmp_path / "box.obj")
