"""Pinhole cameras, many at a time: where world points fall on their films, and the films' rays."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.ray_caster import Films

NEAR = 0.05  # m; what is closer to a camera's plane counts as behind it
FREE = 0.3  # m that must be free before a camera


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
        """(v, 3) place in the world, m."""
        return -(self.rotation.transpose(1, 2) @ self.translation[..., None])[..., 0]

    def rays(self) -> Tensor:
        """(v, 3, 3) from (x, y, 1) px to a world direction of depth 1."""
        return torch.matmul(self.rotation.transpose(1, 2), torch.linalg.inv(self.intrinsics))

    def films(self, scene: Tensor, sizes: tuple[tuple[int, int], ...]) -> Films:
        """The films of these cameras, of (width, height) px, in scenes (v,)."""
        nearness = self.projection.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(scene), 4)
        return Films(self.projection, nearness, scene, sizes)

    def moved(self, origin: Tensor, scale: float = 1.0) -> "Cameras":
        """The same cameras with px counted from `origin` (v, 2) px and scaled, pixel areas kept together."""
        change = torch.eye(3, dtype=torch.float64, device=origin.device).repeat(len(origin), 1, 1)
        change[:, 0, 0] = change[:, 1, 1] = scale
        change[:, :2, 2] = -origin * scale + (scale - 1) / 2
        return Cameras(change @ self.intrinsics, self.rotation, self.translation)

    def __getitem__(self, which: Tensor | list[int]) -> "Cameras":
        """Some of the cameras."""
        return Cameras(self.intrinsics[which], self.rotation[which], self.translation[which])


def join(*cameras: Cameras) -> Cameras:
    """One batch of several."""
    return Cameras(
        torch.cat([c.intrinsics for c in cameras]),
        torch.cat([c.rotation for c in cameras]),
        torch.cat([c.translation for c in cameras]),
    )


def make_intrinsics(fov: Tensor, size: tuple[int, int]) -> Tensor:
    """(v, 3, 3) for horizontal fields of view (v,) in degrees; square pixels, the axis through the middle."""
    width, height = size
    focal = width / 2 / torch.tan(torch.deg2rad(fov) / 2)
    intrinsics = torch.zeros(len(fov), 3, 3, dtype=torch.float64, device=fov.device)
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
    intrinsics[:, 0, 2], intrinsics[:, 1, 2], intrinsics[:, 2, 2] = (width - 1) / 2, (height - 1) / 2, 1
    return intrinsics


def upright(eye: Tensor, look: Tensor, fov: Tensor, size: tuple[int, int]) -> Cameras:
    """v cameras at eyes (v, 3) that look at (v, 3), x axes level; fov (v,) in degrees, films of (width, height) px."""
    forward = torch.nn.functional.normalize(look - eye, dim=1)
    down = forward.new_tensor([0.0, 1.0, 0.0]).expand_as(forward)
    right = torch.nn.functional.normalize(torch.linalg.cross(down, forward), dim=1)
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], 1)
    return Cameras(make_intrinsics(fov, size), rotation, -(rotation @ eye[..., None])[..., 0])


def fundamental_matrix(first: Cameras, second: Cameras) -> Tensor:
    """(v, 3, 3) with second_px^T F first_px = 0; zeros where the cameras stand in one place.

    F = K2^-T [t]x R K1^-1 of the relative pose (R, t) first -> second (Hartley & Zisserman 2004, eq. 9.12),
    scaled to norm 1.
    """
    rotation = second.rotation @ first.rotation.transpose(1, 2)
    t = second.translation - (rotation @ first.translation[..., None])[..., 0]
    zero = torch.zeros_like(t[:, 0])
    cross = torch.stack([zero, -t[:, 2], t[:, 1], t[:, 2], zero, -t[:, 0], -t[:, 1], t[:, 0], zero], 1)
    matrix = cross.view(-1, 3, 3) @ rotation @ torch.linalg.inv(first.intrinsics)  # (v, 9) -> (v, 3, 3)
    matrix = torch.matmul(torch.linalg.inv(second.intrinsics).transpose(1, 2), matrix)
    return matrix.div(torch.linalg.matrix_norm(matrix, keepdim=True).clamp_min(1e-12))
