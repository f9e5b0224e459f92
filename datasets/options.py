"""Options of the generator."""

from dataclasses import dataclass
from pathlib import Path

from stitching.errors import did_you_mean, require

SCENES = ("room", "street", "landscape", "clutter")
MAX_SIDE = 4096  # px of a picture
MAX_SEED = 2**63 - 1
_LONGEST = 8  # times the shorter side
_LIMITS = {"overlap": (0.05, 1.0), "parallax": (0.0, 200.0), "fov": (10.0, 120.0), "roll": (-45.0, 45.0)}


@dataclass(frozen=True)
class SampleOptions:
    """What the samples are like. Ranges are (lowest, highest); every sample gets a value drawn uniformly from them."""

    size: tuple[int, int] = (640, 512)  # (width, height) of both pictures, px
    scenes: tuple[str, ...] = SCENES  # recipes to draw from
    scene: Path | None = None  # a textured mesh (glTF, GLB, OBJ, PLY) instead of the recipes
    textures: Path | None = None  # folder of photographs for surfaces, with subfolders; default: scikit-image's
    overlap: tuple[float, float] = (0.30, 0.85)  # share of the target's pixels that the reference sees
    parallax: tuple[float, float] = (1.0, 20.0)  # median residual of the best homography, px at 512 px width
    fov: tuple[float, float] = (45.0, 75.0)  # horizontal field of view, degrees
    roll: tuple[float, float] = (-8.0, 8.0)  # of the target relative to the reference, degrees
    baseline: tuple[float, float, float] = (1.0, 0.3, 0.4)  # spread of its direction: right, down, forward
    supersampling: int = 2  # rays per pixel and axis: 2 means 2 x 2
    photometry: bool = True  # exposure, white balance, vignetting, blur, noise, JPEG, different in each picture
    keep_clean: bool = False  # write the pictures as rendered too
    geometry: bool = False  # write depth, normals, surfaces, kinds, edges too

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            InputError: an option is out of its range; names it, what was given and what is possible.
        """
        width, height = self.size
        possible = min(self.size) >= 32 and max(self.size) <= min(MAX_SIDE, _LONGEST * min(self.size))
        limits = f"32 to {MAX_SIDE} px a side, one at most {_LONGEST} times the other"
        require(possible, f"--size {width} {height}", limits)
        require(1 <= self.supersampling <= 4, f"--supersampling {self.supersampling}", "1 to 4")
        for name, (low, high) in _LIMITS.items():
            first, last = getattr(self, name)
            require(low <= first <= last <= high, f"--{name} {first} {last}", f"lowest and highest, {low} to {high}")
        spread = " ".join(map(str, self.baseline))
        possible = all(0 <= value <= 1000 for value in self.baseline) and max(self.baseline) >= 0.001
        require(possible, f"--baseline {spread}", "0 to 1000, the largest 0.001 or more")
        unknown = [name for name in self.scenes if name not in SCENES]
        similar = did_you_mean(unknown[0], SCENES) if unknown else ""
        usable = bool(self.scenes) and not unknown
        require(usable, f"--scenes {' '.join(self.scenes)}", f"one or more of {', '.join(SCENES)}{similar}")
        both = self.scene is not None and self.textures is not None
        require(not both, "--scene with --textures", "one of them: a mesh brings its own textures")
