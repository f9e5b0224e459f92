"""Batches of pinhole cameras: projection of world points, and the rays through pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.ray_caster import Films

NEAR_DEPTH = 0.05  # m; what is closer to a camera's plane counts as behind the camera
FREE_DISTANCE = 0.3  # m that must be free in front of a camera


@dataclass(frozen=True, eq=False)
class Cameras:
    """v cameras. Camera frame: x right, y down, z forward; x_camera = rotation x_world + translation."""

    intrinsics: Tensor  # (v, 3, 3) float64
    rotation: Tensor  # (v, 3, 3) float64
    translation: Tensor  # (v, 3) float64, m

    @property
    def projection(self) -> Tensor:
        """(v, 3, 4) from homogeneous world points to homogeneous px."""
        pose = torch.cat([self.rotation, self.translation[..., None]], 2)
        return torch.matmul(self.intrinsics, pose)

    @property
    def centre(self) -> Tensor:
        """(v, 3) positions in the world, m."""
        return -(self.rotation.transpose(1, 2) @ self.translation[..., None])[..., 0]

    def rays(self) -> Tensor:
        """(v, 3, 3) from (x, y, 1) px to the world direction whose depth is 1."""
        return torch.matmul(self.rotation.transpose(1, 2), torch.linalg.inv(self.intrinsics))

    def films(self, scene: Tensor, sizes: tuple[tuple[int, int], ...]) -> Films:
        """The films of these cameras, of (width, height) px, in scenes (v,)."""
        nearness = self.projection.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(scene), 4)
        return Films(self.projection, nearness, scene, sizes)

    def with_pixel_grid(self, origin: Tensor, scale: float = 1.0) -> "Cameras":
        """The same cameras with other pixels: counted from `origin` (v, 2) px, then smaller by `scale`.

        A point p becomes (p - origin + .5) scale - .5.
        """
        change = torch.eye(3, dtype=torch.float64, device=origin.device).repeat(len(origin), 1, 1)
        change[:, 0, 0] = change[:, 1, 1] = scale
        change[:, :2, 2] = -origin * scale + (scale - 1) / 2
        return Cameras(change @ self.intrinsics, self.rotation, self.translation)

    def __getitem__(self, which: Tensor | list[int]) -> "Cameras":
        """The cameras of these indices."""
        return Cameras(self.intrinsics[which], self.rotation[which], self.translation[which])


def concatenate(*cameras: Cameras) -> Cameras:
    """One batch of all cameras."""
    return Cameras(
        torch.cat([c.intrinsics for c in cameras]),
        torch.cat([c.rotation for c in cameras]),
        torch.cat([c.translation for c in cameras]),
    )


def make_intrinsics(fov: Tensor, size: tuple[int, int]) -> Tensor:
    """(v, 3, 3) for horizontal fields of view (v,) in degrees; square pixels, principal point in the middle."""
    width, height = size
    focal = width / 2 / torch.tan(torch.deg2rad(fov) / 2)
    intrinsics = torch.zeros(len(fov), 3, 3, dtype=torch.float64, device=fov.device)
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
    intrinsics[:, 0, 2], intrinsics[:, 1, 2], intrinsics[:, 2, 2] = (width - 1) / 2, (height - 1) / 2, 1
    return intrinsics


def look_at(eye: Tensor, aim: Tensor, fov: Tensor, size: tuple[int, int]) -> Cameras:
    """v level cameras at eyes (v, 3) that look at points (v, 3); fov (v,) in degrees, films of (width, height) px."""
    forward = torch.nn.functional.normalize(aim - eye, dim=1)
    down = forward.new_tensor([0.0, 1.0, 0.0]).expand_as(forward)
    right = torch.nn.functional.normalize(torch.linalg.cross(down, forward), dim=1)
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], 1)
    return Cameras(make_intrinsics(fov, size), rotation, -(rotation @ eye[..., None])[..., 0])


def cross_product_matrix(vectors: Tensor) -> Tensor:
    """(..., 3, 3) matrices [v]x with [v]x w = v x w, of vectors (..., 3).

    Not kornia's: its import would cost every worker of `generate` 0.2 s for these lines.
    """
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    matrix = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1)
    return matrix.view(*vectors.shape[:-1], 3, 3)  # (..., 9) -> (..., 3, 3)


def relative_pose(first: Cameras, second: Cameras) -> tuple[Tensor, Tensor]:
    """Rotation (v, 3, 3) and translation (v, 3) m with x_second = rotation x_first + translation."""
    rotation = second.rotation @ first.rotation.transpose(1, 2)
    return rotation, second.translation - (rotation @ first.translation[..., None])[..., 0]


def fundamental_matrix(first: Cameras, second: Cameras) -> Tensor:
    """(v, 3, 3) with second_px^T F first_px = 0; zeros where both cameras are at the same position.

    F = K2^-T [t]x R K1^-1 of the relative pose (R, t) first -> second (Hartley & Zisserman 2004, eq. 9.12),
    scaled to norm 1.
    """
    rotation, translation = relative_pose(first, second)
    matrix = cross_product_matrix(translation) @ rotation @ torch.linalg.inv(first.intrinsics)
    matrix = torch.matmul(torch.linalg.inv(second.intrinsics).transpose(1, 2), matrix)
    return matrix.div(torch.linalg.matrix_norm(matrix, keepdim=True).clamp_min(1e-12))
