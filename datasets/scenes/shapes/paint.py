"""Paints: what covers surfaces - a texture, the size of one copy of it in the world, and a tint."""

from dataclasses import dataclass

import numpy as np

from datasets.arrays import Floats, Ints
from datasets.textures.bank import TextureBank

# Side of one copy of a texture, m: what makes a brick as large as a brick.
METRES = {
    "asphalt": 2.5,
    "brick": 1.4,
    "carpet": 1.0,
    "checker": 1.0,
    "concrete": 2.5,
    "fabric": 0.5,
    "facade": 9.0,
    "grass": 2.0,
    "gravel": 1.5,
    "leaves": 0.8,
    "metal": 1.0,
    "plaster": 2.0,
    "rock": 2.0,
    "roof": 2.5,
    "sign": 0.5,
    "soil": 2.0,
    "stripes": 0.8,
    "tiles": 1.2,
    "wood": 1.2,
}
PHOTO_METRES = 1.5


@dataclass(frozen=True, eq=False)
class Paint:
    """Covers k things, or any number of things where k is 1."""

    texture: Ints  # (k,) index into the bank
    metres: Floats  # (k,) side of one copy
    tint: Floats  # (k, 3) BGR factor on the linear colour
    is_photo: bool = False  # then it is enlarged up to 4 times rather than repeated

    def of(self, rows: Ints) -> "Paint":
        """The paints of the things `rows` (n,)."""
        if len(self.texture) == 1:
            rows = np.zeros_like(rows)
        return Paint(self.texture[rows], self.metres[rows], self.tint[rows], self.is_photo)

    def scaled(self, factor: float) -> "Paint":
        """With copies `factor` times as large."""
        return Paint(self.texture, self.metres * np.float32(factor), self.tint, self.is_photo)

    def tinted(self, *factor: float) -> "Paint":
        """With tints multiplied by one factor, or by B, G, R."""
        return Paint(self.texture, self.metres, self.tint * np.array(factor, np.float32), self.is_photo)


class Palette:
    """Draws paints from a bank at random. Kinds of pattern that the bank lacks become photographs."""

    def __init__(self, bank: TextureBank, rng: np.random.Generator) -> None:
        self._rng = rng
        self._by_kind: dict[str, list[int]] = {}
        for index, kind in enumerate(bank.kinds):
            self._by_kind.setdefault(kind, []).append(index)
        self._photos = self._by_kind.get("photo") or list(range(len(bank.kinds)))
        mean = bank.texels[bank.starts[:, -1], :3].mean(axis=1) / 255  # (n,) not linear
        # Photographs taken at night would make murky walls: tints lift what is darker than middle grey.
        self._lift = np.clip(0.4 / np.maximum(mean, 0.05), 1.0, 2.2).astype(np.float32) ** 2

    def paint(
        self, *kinds: str, n: int = 1, metres: float | None = None, colour: float = 0.15, bright: float = 1.0
    ) -> Paint:
        """n paints of one random kind of `kinds`: patterns, or "photo".

        metres: side of one copy; None: what is usual for the kind. colour: how strongly tints differ, 0..1.
        bright: mean factor of the tints on the linear colour.
        """
        kind = kinds[int(self._rng.random() * len(kinds))]
        found = self._by_kind.get(kind)
        is_photo = kind == "photo" or not found
        textures = np.array(found or self._photos, np.int32)
        texture = textures[(self._rng.random(n) * len(textures)).astype(np.int32)]
        side = metres or (PHOTO_METRES if is_photo else METRES.get(kind, 1.0))
        tint = self.tints(n, colour, bright)
        if is_photo:
            tint = tint * self._lift[texture][:, None]
        return Paint(texture, np.full(n, side, np.float32), tint, is_photo)

    def same(self, *kinds: str, n: int, metres: float | None = None, colour: float = 0.3, bright: float = 1.0) -> Paint:
        """n paints of the same texture with different tints: a row of books, leaves of one tree."""
        one = self.paint(*kinds, metres=metres, colour=0.0)
        tint = one.tint * self.tints(n, colour, bright)
        return Paint(np.repeat(one.texture, n), np.repeat(one.metres, n), tint, one.is_photo)

    def plain(self, n: int = 1, *, colour: float = 0.8, bright: float = 0.6) -> Paint:
        """n almost plain colours, as of lacquer or plastic."""
        return self.same("plaster", "metal", n=n, metres=3.0, colour=colour, bright=bright)

    def tints(self, n: int, colour: float, bright: float = 1.0) -> Floats:
        """(n, 3) random BGR factors around `bright`; colour 0: all the same grey, 1: strong colours."""
        middle = np.where(self._rng.random((n, 1)) < 0.7, -0.5, 2.4)  # orange or blue; green and purple are rare
        hue = self._rng.normal(middle, 0.5) + np.array([4.19, 2.09, 0.0])
        strength = 0.65 * colour * self._rng.random((n, 1)) ** 3  # strong colours are rare
        value = bright * (1 + 0.5 * colour * (self._rng.random((n, 1)) * 2 - 1))
        tint = (1 + strength * np.cos(hue)) ** 2
        return np.asarray(value * tint / tint.mean(axis=1, keepdims=True), np.float32)
