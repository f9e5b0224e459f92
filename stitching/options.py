"""How pictures are stitched: the options that Python users pass and the command line offers."""

from dataclasses import dataclass
from typing import Literal, Optional, get_args

from stitching.adjustment.arrangement import MOTIONS, Motion
from stitching.adjustment.surface_choice import PROJECTIONS, Projection
from stitching.blending.gain import COMPENSATORS
from stitching.blending.registry import find_generator
from stitching.errors import InputError, did_you_mean, require
from stitching.io.size_limit import DEFAULT_MAX_MEGAPIX, INPUT_MEGAPIX_RANGE
from stitching.lens.lens_choice import check_lens_choice
from stitching.network.interface import Device
from stitching.selection import AUTO_WARP
from stitching.warping.estimators.registry import find_estimator

# Editors offer the names; the other forms are told of below.
WarpName = Literal["auto", "classical", "matches", "homography"] | str
BlendName = Literal["auto", "seam", "network"] | str
AUTO_BLEND = "seam"  # that `auto` takes: it has looked better so far
MEGAPIX_RANGE = (0.01, 10000.0)
MAX_WORK_MEGAPIX = 4.0
_CHOICES: dict[str, tuple[str, ...]] = {
    "compensator": COMPENSATORS, "device": get_args(Device),
    "motion": ("auto", *MOTIONS), "projection": PROJECTIONS,
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How pictures are stitched; the command line has the same options."""

    warp: WarpName = "auto"
    """Estimator of the warp: matches (dense searches, joined by the trained network's matches where they are unsure),
    classical (these searches alone), homography (the coarse alignment alone), auto (matches), matches:WEIGHTS (a file
    of `parastitch train` or a folder of `parastitch export`) or ptlflow:MODEL[:FILE] (of the package ptlflow)."""
    blend: BlendName = "auto"
    """Generator of the blend: seam (a graph cut), network or network:WEIGHTS (SIGMo), auto (seam)."""
    device: Device = "auto"
    """Where networks compute: cpu, cuda, auto (a GPU where the installed packages can use one)."""
    compensator: Literal["field", "gain", "none"] = "field"
    """Exposure matching: field (both equally bright at the seam), gain (one factor a channel) or none."""
    lens: str = "auto"
    """Whose distortion is taken out: auto (of fisheyes, action cameras and RAW files that EXIF names), none, the name
    of a lens, or a calibration file of OpenCV or COLMAP (docs/stitching/lenses.md)."""
    work_megapix: float = 0.4
    """Size at which warp and blend are estimated, Mpx: of a pair, the canvas; of more, what one picture takes."""
    motion: Motion | Literal["auto"] = "auto"
    """How pictures of a set move: perspective (a camera that turns or moves), affine (flat originals, turned or
    scaled), translation (flat originals on a stage), auto (what explains the matches)."""
    projection: Projection = "auto"
    """What the panorama is painted on: plane, cylinder or sphere; auto: by the field of view."""
    final_megapix: Optional[float] = None  # noqa: UP045 - for `float | None` tyro imports typeguard: 0.1 s
    """Largest size of the panorama, Mpx; without it, as large as the pictures give."""
    max_megapix: float = DEFAULT_MAX_MEGAPIX
    """Largest picture that is read, Mpx. Reading a pair may take 6 MB of memory for each Mpx of this limit."""
    crop: bool = False
    """Cut the panorama to the largest rectangle without empty pixels."""

    @property
    def warp_to_use(self) -> str:
        """Name of the warp estimator that is asked first."""
        return AUTO_WARP if self.warp == "auto" else self.warp

    @property
    def blend_to_use(self) -> str:
        """Name of the blend generator."""
        return AUTO_BLEND if self.blend == "auto" else self.blend


def check_options(options: Options, *, estimates_warp: bool) -> None:
    """Refuse options that cannot be followed, before any picture is read.

    Args:
        options: what the user asked for.
        estimates_warp: False where the warp is loaded from a file, so that no estimator is needed.

    Raises:
        InputError: unknown name, number out of range, missing package or missing file of weights.
    """
    require(isinstance(options, Options), f"options: {type(options).__name__}", "stitching.Options(...)")
    if estimates_warp:
        find_estimator(options.warp_to_use, options.device)
    find_generator(options.blend_to_use, options.device)
    check_lens_choice(options.lens)
    for name, known in _CHOICES.items():
        if (given := getattr(options, name)) not in known:
            similar = did_you_mean(str(given), known)
            raise InputError(f"no {name} called {given!r}; known: {', '.join(known)}{similar}")
    low, high = MEGAPIX_RANGE
    for name in ("work_megapix", "final_megapix"):
        value = getattr(options, name)
        require(
            value is None or low <= value <= high, f"--{name.replace('_', '-')} {value}", f"{low:g} to {high:g} Mpx"
        )
    low, high = INPUT_MEGAPIX_RANGE
    require(low <= options.max_megapix <= high, f"--max-megapix {options.max_megapix}", f"{low:g} to {high:g} Mpx")
    usable = options.work_megapix <= MAX_WORK_MEGAPIX
    require(usable, f"--work-megapix {options.work_megapix}", f"at most {MAX_WORK_MEGAPIX:g} (0.4 is usual)")
