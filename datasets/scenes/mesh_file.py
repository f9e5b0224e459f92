"""Scenes from a user's mesh file: glTF, GLB, OBJ or PLY, with its textures or colours."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Doubles, Floats, Pixels
from datasets.scenes.scene import Kind, Light, Scene
from datasets.scenes.shapes.ambient_occlusion import ambient_openness
from datasets.scenes.shapes.mesh_builder import SMALLEST_AREA
from datasets.scenes.shapes.vectors import areas, unit
from datasets.scenes.standpoints import find_standpoints
from stitching.errors import InputError, one_line
from stitching.io.files import check_readable

if TYPE_CHECKING:
    import trimesh


FORMATS = (".glb", ".gltf", ".obj", ".ply")
LARGEST_TEXTURE = 2048  # px a side
MOST_TRIANGLES = 20_000_000
_MOST_PIXELS = 100_000_000  # of a texture, as it is stored
_MOST_BYTES = 1 << 30  # of a file that a mesh names
_FARTHEST = 1e6  # m from the origin, and repeats of a texture
_SHARP = np.deg2rad(30)  # an edge between faces that turn by more is drawn as a line


@dataclass(frozen=True, eq=False)
class _Part:
    """One mesh of the file: n triangles in the frame of Scene, what covers them, and its m straight edges."""

    corners: Floats  # (n, 3, 3) m, y down
    normals: Floats  # (n, 3, 3)
    cover: "_Cover"
    edges: Floats  # (m, 2, 3)


@dataclass(frozen=True, eq=False)
class _Cover:
    """What covers n triangles: uv in repeats, v down; BGR factors on linear colours; the texture."""

    uv: Doubles  # (n, 3, 2)
    tint: Doubles  # (n, 3)
    texture: Pixels  # (side, side, 3) BGR


def load_mesh_scenes(path: Path) -> tuple[list[Scene], list[Pixels]]:
    """The scene of a mesh file, once for each standpoint, best first; and its textures.

    Textures are (side, side, 3) BGR, their sides powers of two up to LARGEST_TEXTURE. One unit of the file is a
    metre; its y axis points up. Standpoints are found by casting rays: in the free space of a room, around an object.
    Files that it names are read where they lie in its folder. Raises InputError where the file is missing, cannot be
    read, names a file elsewhere, holds no surface, only degenerate triangles, neither textures nor colours, numbers
    that are not finite, or nothing that a camera could look at.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: cannot be read as a mesh; expected a file that ends in {' '.join(FORMATS)}")
    check_readable(path, f"a mesh ({' '.join(FORMATS)})")
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            parts = [_part(mesh, path) for mesh in _meshes(path)]
    except InputError:
        raise
    except Exception as error:  # readers raise all kinds of errors on broken files
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"{path}: cannot be read as a mesh ({reason}); export it again") from error
    corners = np.concatenate([part.corners for part in parts])
    kept = areas(corners) > SMALLEST_AREA
    if not kept.any():
        raise InputError(f"{path}: all {len(kept)} triangles are degenerate; expected surfaces, with metres as units")
    corners = corners[kept]
    normals = np.concatenate([part.normals for part in parts])[kept]
    part_of = np.concatenate([np.full(len(part.corners), i, np.int32) for i, part in enumerate(parts)])[kept]
    region = np.stack((corners.min(axis=(0, 1)), corners.max(axis=(0, 1))))
    standpoints = find_standpoints(corners, path.name)
    scene = Scene(
        name=path.name,
        corners=corners,
        normals=normals,
        uv=np.concatenate([part.cover.uv for part in parts])[kept].astype(np.float32),
        openness=ambient_openness(corners, normals, region, max(float(np.ptp(region, axis=0).max()) / 64, 1e-3)),
        texture=part_of,
        tint=np.concatenate([part.cover.tint for part in parts])[kept].astype(np.float32),
        surface=(part_of + 1).astype(np.int32),
        kind=np.full(len(corners), Kind.FURNITURE, np.int32),
        casts_shadow=np.zeros(len(corners), bool),  # the light of a scan is in its textures
        segments=np.concatenate([part.edges for part in parts]),
        light=_even_light(),
        standpoint=standpoints[0],
    )
    return [replace(scene, standpoint=standpoint) for standpoint in standpoints], [part.cover.texture for part in parts]


def _even_light() -> Light:
    """Soft light from above: textures come out nearly as they are."""
    white = np.ones(3, np.float32)
    return Light(
        to_sun=unit(np.array([0.3, -1.0, -0.4])).astype(np.float32),
        sun=white * np.float32(0.3),
        ambient=white * np.float32(0.95),
        zenith=np.array([0.9, 0.7, 0.55], np.float32),
        horizon=np.array([0.95, 0.93, 0.9], np.float32),
        cloud=0,
        cloudiness=0.0,
    )


def _meshes(path: Path) -> "list[trimesh.Trimesh]":
    """All meshes of a file, in the world frame of the file."""
    import trimesh

    files: Any = _Beside(path)  # has the methods of a resolver that the readers call
    loaded = trimesh.load_scene(path, resolver=files)
    if files.refused:
        raise InputError(f"{path}: names {files.refused[0]!r}, which is no file of its folder; put it there")
    geometries = [loaded.geometry[loaded.graph[node][1]] for node in loaded.graph.nodes_geometry]
    shown = sum(len(geometry.faces) for geometry in geometries if isinstance(geometry, trimesh.Trimesh))
    if shown > MOST_TRIANGLES:
        raise InputError(f"{path}: {shown} triangles; at most {MOST_TRIANGLES} can be rendered, simplify the mesh")
    meshes = [mesh for mesh in loaded.dump() if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
    if not meshes:
        raise InputError(f"{path}: holds no triangles; expected a mesh with surfaces, not points or lines")
    return meshes


class _Beside:
    """Reads the files that a mesh names, from its folder and those below it; the interface is trimesh's.

    Attributes:
        refused: names of files that are there, but lie elsewhere or are none.
    """

    def __init__(self, path: Path) -> None:
        self.file_name, self.refused = path.name, list[str]()
        self._folder = path.absolute().parent.resolve()

    def get(self, name: str) -> bytes:
        """The contents of a file; of one with another path, that of the same name in the folder of the mesh."""
        for candidate in (name.strip(), name.strip().replace("\\", "/").rpartition("/")[2]):
            path = (self._folder / candidate).resolve()
            if path.is_relative_to(self._folder) and path.is_file() and path.stat().st_size <= _MOST_BYTES:
                return path.read_bytes()
        if (self._folder / name.strip()).exists():  # else a texture of another machine: not shown
            self.refused.append(name[:80])
        raise FileNotFoundError(name)

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)


def _part(mesh: "trimesh.Trimesh", path: Path) -> _Part:
    """One mesh in the frame of Scene: half a turn about x takes y up to y down."""
    turn = np.array([1.0, -1.0, -1.0])
    vertices, faces = np.asarray(mesh.vertices, np.float64) * turn, np.asarray(mesh.faces)
    normals = unit(np.asarray(mesh.vertex_normals, np.float64) * turn)
    _check_finite(path, "vertices", vertices)
    _check_finite(path, "normals", normals)
    sharp = np.asarray(mesh.face_adjacency_edges)[np.asarray(mesh.face_adjacency_angles) > _SHARP]
    return _Part(
        corners=vertices[faces].astype(np.float32),
        normals=normals[faces].astype(np.float32),
        cover=_cover(mesh, path),
        edges=vertices[sharp].reshape(-1, 2, 3).astype(np.float32),
    )


def _check_finite(path: Path, name: str, values: Doubles) -> None:
    if not (np.abs(values) <= _FARTHEST).all():  # true for NaN too
        raise InputError(f"{path}: has {name} that are not finite, or beyond {_FARTHEST:g}; repair the mesh")


def _cover(mesh: "trimesh.Trimesh", path: Path) -> _Cover:
    """What covers a mesh: its texture, the colours of its faces or vertices, or the colour of its material."""
    material: Any = getattr(mesh.visual, "material", None)
    picture = _attribute(material, "baseColorTexture", "image")
    uv = getattr(mesh.visual, "uv", None)
    n = len(mesh.faces)
    if picture is not None and uv is None:
        raise InputError(f"{path}: has a texture but no UV coordinates; export it with UVs or vertex colours")
    if picture is not None:
        if picture.width * picture.height > _MOST_PIXELS:
            raise InputError(f"{path}: a texture of {picture.width} x {picture.height} px; make it smaller")
        coordinates = np.asarray(uv, np.float64)[np.asarray(mesh.faces)] * [1, -1] + [0, 1]  # v of a mesh points up
        _check_finite(path, "UV coordinates", coordinates)
        factor = _bgr(_attribute(material, "baseColorFactor"))  # linear, as Scene.tint
        return _Cover(coordinates, np.tile(factor, (n, 1)), _square(np.asarray(picture.convert("RGB"))[..., ::-1]))
    white = np.full((8, 8, 3), 255, np.uint8)
    middle = np.full((n, 3, 2), 0.5)
    visual: Any = mesh.visual
    if getattr(visual, "kind", None) in ("face", "vertex"):
        colours = np.asarray(visual.face_colors, np.float64)[:, 2::-1] / 255  # of coloured vertices: their mean
        return _Cover(middle, colours**2, white)  # tints are linear: the encoded colour squared
    linear = _attribute(material, "baseColorFactor")
    encoded = _attribute(material, "diffuse") if _attribute(material, "kwargs") else None
    if linear is None and encoded is None:
        raise InputError(f"{path}: has neither texture nor colours; export it with a texture, or with vertex colours")
    return _Cover(middle, np.tile(_bgr(linear) if linear is not None else _bgr(encoded) ** 2, (n, 1)), white)


def _attribute(material: Any, *names: str) -> Any:
    """The first of these attributes that the material has, else None."""
    return next((found for name in names if (found := getattr(material, name, None)) is not None), None)


def _bgr(colour: Any) -> NDArray[np.float64]:
    """BGR in 0 .. 1 of an RGB(A) colour in 0 .. 1 or 0 .. 255; white for None."""
    if colour is None:
        return np.ones(3)
    values = np.asarray(colour)
    return np.clip(np.nan_to_num(values[2::-1].astype(np.float64)) / (255 if values.dtype.kind in "iu" else 1), 0, 1)


def _square(picture: Pixels) -> Pixels:
    """A picture as a square, its side the next power of two, at most LARGEST_TEXTURE."""
    longest = max(picture.shape[:2])
    side = min(LARGEST_TEXTURE, 1 << (longest - 1).bit_length())
    method = cv2.INTER_AREA if side < longest else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=method), np.uint8)
