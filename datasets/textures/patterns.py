"""Procedural, tileable textures of common materials, and PATTERNS, the table of all patterns.

A new pattern is a function of a generator and a side in px, and an entry in PATTERNS.
"""

from collections.abc import Callable

import numpy as np

from datasets.arrays import Doubles, Pixels
from datasets.textures.house_fronts import facade
from datasets.textures.periodic import (
    FINEST,
    Courses,
    cells,
    coloured,
    courses,
    mix,
    noise,
    pick,
    pixel_centres,
    sample_wrapped,
    shading,
    smooth_ramp,
    stains,
    stamp,
    to_pixels,
)
from datasets.textures.signs import sign

Pattern = Callable[[np.random.Generator, int], Pixels]


def brick(rng: np.random.Generator, side: int) -> Pixels:
    """Running bond, 18 courses of 6 bricks, with mortar, burnt bricks and stains."""
    wall = _uneven_courses(rng, side, 18, 6, 0.5, uneven=0.0012)
    joint = rng.uniform(0.004, 0.006)
    body = smooth_ramp(wall.edge + 0.0012 * noise(rng, side, 20, 120), joint * 0.7, joint * 1.3)
    base = pick(rng, (60, 75, 150), (70, 95, 165), (85, 120, 170), (125, 160, 190), (65, 70, 105))
    tints = base * (1 + 0.13 * rng.normal(size=(18, 6, 1)) + 0.04 * rng.normal(size=(18, 6, 3)))
    tints[rng.random((18, 6)) < 0.08] *= 0.6
    grain = 1 + 0.07 * noise(rng, side, 8, FINEST, 0.3) + 0.05 * noise(rng, side, 2, 20)
    mortar = coloured(0.95 + 0.06 * noise(rng, side, 20, FINEST, 0.2), pick(rng, (150, 160, 165), (95, 100, 105)))
    colours = mix(mortar, coloured(grain, wall.spread(tints)), body)
    relief = 2.5 * body + 0.15 * noise(rng, side, 10, FINEST, 0.6)
    return to_pixels(coloured(shading(relief, 0.5) * stains(rng, side, 0.07), colours))


def plaster(rng: np.random.Generator, side: int) -> Pixels:
    """Painted plaster: from almost even to coarse, with stains and hairline cracks."""
    roughness = rng.uniform(0.1, 1.0)
    relief = noise(rng, side, 12, FINEST, 0.6)
    colour = pick(rng, (215, 225, 230), (190, 215, 225), (170, 195, 215), (200, 200, 195), (150, 180, 205))
    light = shading(relief, 0.25 * roughness) * stains(rng, side, 0.02 + 0.03 * roughness)
    light *= 1 + 0.012 * noise(rng, side, 30, FINEST, 0.0)
    light *= 1 - roughness * 0.3 * _cracks(rng, side, 3)
    return to_pixels(coloured(light, colour))


def concrete(rng: np.random.Generator, side: int) -> Pixels:
    """Cast concrete: panel joints, pores, blotches and water stains."""
    y, x = pixel_centres(side)
    panels = courses(y, x, int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    light = 1 + 0.05 * noise(rng, side, 2, FINEST, 0.6) + 0.03 * noise(rng, side, 60, FINEST, 0.0)
    light *= 1 + 0.05 * noise(rng, side, 3, 60, 0.4, (6.0, 1.0))  # runs of water
    light *= panels.spread(1 + 0.05 * rng.normal(size=(2, 2)))
    light *= 1 - 0.45 * (1 - smooth_ramp(panels.edge, 0.0015, 0.0045))
    pores = smooth_ramp(noise(rng, side, 30, 140, 0.2), 2.5, 3.1)
    light *= 1 - 0.5 * pores
    return to_pixels(coloured(light, pick(rng, (150, 158, 162), (125, 130, 132), (165, 172, 180))))


def wood(rng: np.random.Generator, side: int) -> Pixels:
    """Upright planks, each from another part of the trunk."""
    y, x = pixel_centres(side)
    n = int(rng.choice([4, 6, 8]))
    planks = courses(y, x, 1, n)
    shifts = rng.random((1, n, 2))
    grain_y, grain_x = y + planks.spread(shifts[..., 0]), x + planks.spread(shifts[..., 1])
    bend = sample_wrapped(noise(rng, side, 2, 24, 1.2, (5.0, 1.0)), grain_y, grain_x)
    rings = np.sin(2 * np.pi * (3.0 * bend + grain_x * 12))
    fibres = sample_wrapped(noise(rng, side, 20, FINEST, 0.2, (24.0, 1.0)), grain_y, grain_x)
    light = (1 + 0.09 * rings + 0.07 * fibres + 0.04 * bend) * planks.spread(1 + 0.13 * rng.normal(size=(1, n)))
    to_end = np.abs(grain_y % 1 - 0.5)
    gap = np.minimum(np.minimum(planks.x, 1 - planks.x) / n, to_end)
    light *= 0.35 + 0.65 * smooth_ramp(gap, 0.001, 0.004)
    base = pick(rng, (70, 115, 165), (45, 80, 130), (110, 150, 185), (35, 55, 85), (125, 135, 140))
    colours = mix(base, base * (0.88, 0.95, 1.0), 0.5 + 0.5 * rings)
    return to_pixels(coloured(light * stains(rng, side, 0.04), colours))


def tiles(rng: np.random.Generator, side: int) -> Pixels:
    """Square ceramic or stone tiles with grout."""
    y, x = pixel_centres(side)
    n = int(rng.choice([4, 6, 8]))
    grid = courses(y, x, n, n, float(rng.choice([0.0, 0.0, 0.5])))
    joint = rng.uniform(0.003, 0.005)
    body = smooth_ramp(grid.edge, joint * 0.8, joint * 1.4)
    base = pick(rng, (215, 220, 225), (150, 175, 195), (120, 125, 130), (130, 120, 85), (75, 95, 130), (185, 195, 190))
    tints = base * (1 + rng.uniform(0.02, 0.1) * rng.normal(size=(n, n, 1)))
    shifts = rng.random((n, n, 2))
    cloud = sample_wrapped(
        noise(rng, side, 3, FINEST, 0.9), y + grid.spread(shifts[..., 0]), x + grid.spread(shifts[..., 1])
    )
    veins = rng.uniform(0, 0.2) * np.exp(-((cloud / 0.08) ** 2))
    light = (1 + 0.04 * cloud - veins) * (1.03 - 0.06 * grid.y)
    light *= 1 + 0.015 * noise(rng, side, 40, FINEST, 0.0)
    grout = coloured(1 + 0.06 * noise(rng, side, 20, FINEST, 0.2), pick(rng, (140, 145, 150), (85, 88, 90)))
    colours = mix(grout, coloured(light, grid.spread(tints)), body)
    return to_pixels(coloured(shading(2 * body, 0.25) * stains(rng, side, 0.04), colours))


def asphalt(rng: np.random.Generator, side: int) -> Pixels:
    """Worn asphalt: light and dark grit in tar, cracks, patches."""
    grit = noise(rng, side, 60, FINEST, 0.0)
    light = 1 + 0.15 * np.tanh(grit) + 0.10 * noise(rng, side, 25, 120, 0.0)
    light += 0.35 * smooth_ramp(grit, 1.9, 2.6)
    light *= stains(rng, side, 0.06) * (1 - 0.5 * _cracks(rng, side, 3))
    light *= 1 - 0.12 * smooth_ramp(noise(rng, side, 1, 12, 1.0), 0.9, 1.0)  # patches
    return to_pixels(coloured(light, pick(rng, (92, 92, 90), (75, 74, 72), (115, 118, 120))))


def grass(rng: np.random.Generator, side: int) -> Pixels:
    """A lawn seen from above: blades over earth, some dry."""
    canvas = to_pixels(coloured(1 + 0.3 * noise(rng, side, 8, FINEST, 0.5), np.array([22.0, 38.0, 36.0])))
    fresh = pick(rng, (40, 125, 85), (45, 115, 100), (35, 95, 60), (60, 140, 120))
    lush = noise(rng, side, 2, 12, 1.0)
    n = 9000
    roots, angles = rng.random((n, 2)), rng.normal(-np.pi / 2, 0.8, n)
    lengths, dry = rng.uniform(0.015, 0.04, n), rng.random(n)
    for i, root in enumerate(roots):
        along = lengths[i] * np.array([np.cos(angles[i]), np.sin(angles[i])])
        across = 0.0016 * np.array([-np.sin(angles[i]), np.cos(angles[i])])
        where = lush[int(root[1] * side), int(root[0] * side)]
        colour = fresh * (0.45 + 0.65 * i / n + 0.1 * where) * (1 + 0.25 * (dry[i] - 0.5))
        if dry[i] > 0.93 - 0.04 * where:
            colour = colour * (1.5, 1.25, 1.9)
        stamp(canvas, np.array([root - across, root + across, root + along]), colour)
    return canvas


def soil(rng: np.random.Generator, side: int) -> Pixels:
    """Bare earth with crumbs and small stones."""
    y, x = pixel_centres(side)
    relief = noise(rng, side, 3, FINEST, 0.75)
    crumbs = cells(rng, y, x, 48)
    stony = (rng.random(48 * 48) < rng.uniform(0.03, 0.2))[crumbs.number]
    stone = stony * smooth_ramp(crumbs.edge, 0.1, 0.35) * smooth_ramp(0.55 - crumbs.centre, 0.0, 0.1)
    earth = pick(rng, (55, 80, 110), (75, 105, 140), (45, 60, 78), (90, 130, 165))
    colours = mix(earth * np.ones((side, side, 1)), earth * 0.5 + (85.0, 90.0, 92.0), stone)
    light = (1 + 0.08 * relief + 0.08 * noise(rng, side, 60, FINEST, 0.0)) * stains(rng, side, 0.08)
    return to_pixels(coloured(light * shading(relief + 1.5 * stone, 0.8), colours))


def gravel(rng: np.random.Generator, side: int) -> Pixels:
    """Loose rounded stones in several sizes."""
    y, x = pixel_centres(side)
    n = int(rng.choice([24, 36, 52]))
    wobble = 0.25 / n
    y, x = y + wobble * noise(rng, side, 3, 3 * n, 0.8), x + wobble * noise(rng, side, 3, 3 * n, 0.8)
    stones = cells(rng, y, x, n)
    rise = smooth_ramp(stones.edge, 0.0, 0.5)
    base = pick(rng, (130, 138, 145), (120, 145, 170), (105, 110, 112), (150, 165, 180))
    tints = base * (1 + 0.2 * rng.normal(size=(n * n, 1)) + 0.03 * rng.normal(size=(n * n, 3)))
    light = (0.25 + 0.8 * rise) * (1 + 0.07 * noise(rng, side, 20, FINEST, 0.2))
    return to_pixels(coloured(light * shading(rise * 300 / n, 0.25), tints[stones.number]))


def rock(rng: np.random.Generator, side: int) -> Pixels:
    """Weathered rock: layers, cracks, lichen."""
    y, x = pixel_centres(side)
    rough = noise(rng, side, 2, FINEST, 0.85)
    layers = noise(rng, side, 5, 60, 0.6, (1.0, 5.0))
    blocks = cells(rng, y + 0.02 * layers, x + 0.03 * rough, int(rng.integers(3, 6)))
    crack = 1 - smooth_ramp(blocks.edge + 0.02 * rough, 0.0, 0.06)
    relief = 3.0 * rough + 1.5 * layers - 3 * crack
    base = pick(rng, (110, 125, 135), (90, 115, 145), (130, 138, 140), (80, 88, 95))
    lichen = 0.5 * smooth_ramp(noise(rng, side, 3, FINEST, 0.7), 1.2, 1.9)
    colours = mix(base * np.ones((side, side, 1)), pick(rng, (95, 140, 140), (70, 120, 150), (80, 95, 80)), lichen)
    light = (1 + 0.08 * layers + 0.06 * noise(rng, side, 40, FINEST, 0.1)) * (1 - 0.55 * crack)
    return to_pixels(coloured(light * shading(relief, 0.45) * stains(rng, side, 0.06), colours))


def leaves(rng: np.random.Generator, side: int) -> Pixels:
    """Dense foliage: leaves in layers, the deeper the darker."""
    canvas = to_pixels(coloured(1 + 0.3 * noise(rng, side, 4, 40), np.array([12.0, 24.0, 18.0])))
    green = pick(rng, (45, 120, 75), (40, 100, 95), (55, 110, 60), (40, 110, 150))
    n, length, slender = 1400, rng.uniform(0.05, 0.09), rng.uniform(0.25, 0.5)
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    outline = np.stack([np.cos(turn), slender * np.sin(turn) * (0.75 + 0.25 * np.cos(turn))], axis=1) * length / 2
    for i in range(n):
        angle = rng.uniform(0, 2 * np.pi)
        spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        turned = (outline * (1, rng.uniform(0.4, 1)) * rng.uniform(0.7, 1.2)) @ spin + rng.random(2)
        depth = 0.25 + 0.75 * i / n
        colour = green * depth * rng.uniform(0.7, 1.25) * (1 + 0.08 * rng.normal(size=3))
        stamp(canvas, turned, colour)
        stamp(canvas, turned[:9], colour * 1.18)  # the half towards the light
    light = 1 + 0.05 * noise(rng, side, 30, FINEST, 0.1)
    return to_pixels(coloured(light, canvas.astype(np.float64)))


def fabric(rng: np.random.Generator, side: int) -> Pixels:
    """Woven cloth, plain or chequered by coloured threads."""
    y, x = pixel_centres(side)
    n = int(rng.choice([64, 96, 128]))
    weave = courses(y, x, n, n)
    over = (weave.row + weave.column) % 2 == 0
    round_thread = np.where(over, np.sin(np.pi * weave.y), np.sin(np.pi * weave.x))
    base = pick(rng, (150, 160, 170), (110, 70, 50), (60, 60, 140), (85, 110, 90), (70, 75, 80), (120, 165, 200))
    other = base + rng.uniform(0, 0.5) * (rng.uniform(30, 230, 3) - base)
    bands = np.repeat(rng.random(16) < 0.35, n // 16)
    threads = np.where(over, bands[weave.row], bands[weave.column])
    uneven = 1 + 0.06 * noise(rng, side, 3, 60, 0.3, (8.0, 1.0)) + 0.06 * noise(rng, side, 3, 60, 0.3, (1.0, 8.0))
    light = (0.72 + 0.35 * round_thread) * uneven * (1 + 0.05 * noise(rng, side, 60, FINEST, 0.0))
    return to_pixels(coloured(light * stains(rng, side, 0.03), np.where(threads[..., None], other, base)))


def metal(rng: np.random.Generator, side: int) -> Pixels:
    """Sheet metal: brushed or painted panels with seams, scratches, now and then rust."""
    y, x = pixel_centres(side)
    panels = courses(y, x, int(rng.integers(1, 3)), int(rng.integers(1, 4)))
    brushed = rng.uniform(0.01, 0.06)
    light = 1 + brushed * noise(rng, side, 8, FINEST, 0.1, (1.0, 30.0)) + 0.04 * noise(rng, side, 1, 6, 1.0)
    scratches = smooth_ramp(noise(rng, side, 15, FINEST, 0.2, (3.0, 40.0)), 2.6, 3.4)
    light += 0.12 * scratches + 0.01 * noise(rng, side, 60, FINEST, 0.0)
    seam = smooth_ramp(panels.edge, 0.001, 0.004)
    light *= (0.45 + 0.55 * seam) * panels.spread(1 + 0.03 * rng.normal(size=(2, 3)))
    base = pick(rng, (180, 178, 175), (140, 138, 135), (120, 90, 60), (70, 75, 150), (90, 110, 85), (190, 205, 210))
    rust = smooth_ramp(noise(rng, side, 2, FINEST, 0.8), *((1.6, 2.6) if rng.random() < 0.35 else (3.5, 5.0)))
    rusty = coloured(1 + 0.2 * noise(rng, side, 10, FINEST, 0.4), np.array([45.0, 75.0, 120.0]))
    return to_pixels(coloured(light, mix(base * np.ones((side, side, 1)), rusty, rust)))


def carpet(rng: np.random.Generator, side: int) -> Pixels:
    """Tufted carpet: even, or with a symmetric ornament."""
    y, x = pixel_centres(side)
    fold_y, fold_x = np.abs(y * 2 % 1 - 0.5), np.abs(x * 2 % 1 - 0.5)
    motif = sample_wrapped(noise(rng, side, 2, 9, 0.6), (fold_y + fold_x) / 2, np.abs(fold_y - fold_x) / 2)
    tuft = 1 / 160  # the ornament is knotted, so its borders are stepped
    motif = sample_wrapped(motif, (np.floor(y / tuft) + 0.5) * tuft, (np.floor(x / tuft) + 0.5) * tuft)
    base = pick(rng, (60, 50, 110), (85, 70, 60), (120, 135, 150), (70, 85, 70), (130, 150, 175))
    second = base + rng.choice([0.0, 0.6]) * (rng.uniform(30, 200, 3) - base)
    colours = np.where((motif > 0.6)[..., None], second, base)
    colours = np.where((motif < -0.7)[..., None], 0.6 * base + 0.4 * second[::-1], colours)
    pile = 1 + 0.13 * noise(rng, side, 60, 240, 0.0) + 0.08 * noise(rng, side, 100, FINEST, 0.0)
    return to_pixels(coloured(pile * stains(rng, side, 0.05), colours))


def roof(rng: np.random.Generator, side: int) -> Pixels:
    """Rows of clay or slate tiles, each row lying over the one below it."""
    rows, columns = 10, int(rng.choice([10, 14]))
    laid = _uneven_courses(rng, side, rows, columns, 0.5, uneven=0.0008)
    bulge = rng.choice([0.0, 1.0])  # flat slates or round tiles
    base = pick(rng, (60, 85, 160), (75, 100, 150), (85, 80, 75), (70, 72, 95), (55, 65, 110))
    tints = base * (1 + 0.12 * rng.normal(size=(rows, columns, 1)) + 0.03 * rng.normal(size=(rows, columns, 3)))
    light = 0.75 + 0.3 * laid.y - 0.5 * smooth_ramp(laid.y, 0.93, 0.99)  # the lower edge throws a shadow
    light -= 0.3 * (1 - smooth_ramp(laid.y, 0.0, 0.18))
    light *= 1 + bulge * 0.3 * np.cos(np.pi * laid.x)
    light *= 1 - 0.5 * (1 - smooth_ramp(np.minimum(laid.x, 1 - laid.x), 0.01, 0.05))
    light *= 1 + 0.07 * noise(rng, side, 10, FINEST, 0.3)
    moss = 0.6 * smooth_ramp(noise(rng, side, 2, FINEST, 0.7), 1.4, 2.2)
    colours = mix(laid.spread(tints), np.array([50.0, 90.0, 80.0]), moss)
    return to_pixels(coloured(light * stains(rng, side, 0.08), colours))


def clouds(rng: np.random.Generator, side: int) -> Pixels:
    """Grey clouds on black: brightness is the amount of cloud."""
    billows = np.abs(noise(rng, side, 3, FINEST, 1.0))
    cover = noise(rng, side, 1, FINEST, 1.1) - 0.35 * billows
    thick = smooth_ramp(cover, rng.uniform(-0.6, 0.3), 1.6)
    return to_pixels(coloured(thick * (1 - 0.15 * billows), np.full(3, 255.0)))


def stripes(rng: np.random.Generator, side: int) -> Pixels:
    """Upright stripes of two or three colours, as of an awning or wallpaper."""
    _, x = pixel_centres(side)
    n = int(rng.choice([4, 6, 8]))
    band = x * n % 1
    first, second = pick(rng, (225, 230, 235), (170, 195, 215)), rng.uniform(40, 160, 3)
    share = smooth_ramp(band, 0.0, 0.01) * (1 - smooth_ramp(band, 0.5, 0.51))
    colours = mix(first, second, share)
    return to_pixels(coloured(_worn(rng, side), colours))


def checker(rng: np.random.Generator, side: int) -> Pixels:
    """Squares of two colours, as of a floor."""
    y, x = pixel_centres(side)
    n = int(rng.choice([4, 6, 8]))
    grid = courses(y, x, n, n)
    first, second = pick(rng, (210, 220, 225), (150, 175, 195)), pick(rng, (40, 40, 42), (40, 45, 95), (75, 55, 40))
    colours = np.where(((grid.row + grid.column) % 2 == 0)[..., None], first, second)
    marbled = 1 + 0.05 * noise(rng, side, 4, FINEST, 0.7)
    gap = 0.6 + 0.4 * smooth_ramp(grid.edge, 0.0008, 0.003)
    return to_pixels(coloured(marbled * gap * _worn(rng, side), colours))


def _uneven_courses(
    rng: np.random.Generator, side: int, rows: int, columns: int, shift: float, uneven: float
) -> Courses:
    """Courses whose edges deviate by about `uneven` repeats, as if laid by hand."""
    y, x = pixel_centres(side)
    stray_y, stray_x = noise(rng, side, 3, 40, 0.5), noise(rng, side, 3, 40, 0.5)
    return courses(y + uneven * stray_y, x + uneven * stray_x, rows, columns, shift)


def _cracks(rng: np.random.Generator, side: int, n: int) -> Doubles:
    """Sparse thin branching lines: 1 on them, else 0."""
    y, x = pixel_centres(side)
    bend = 0.035
    net = cells(rng, y + bend * noise(rng, side, 2, 60, 0.7), x + bend * noise(rng, side, 2, 60, 0.7), n)
    return np.asarray((1 - smooth_ramp(net.edge, 0.0, 0.016)) * smooth_ramp(noise(rng, side, 1, 5), 0.5, 1.0))


def _worn(rng: np.random.Generator, side: int) -> Doubles:
    """Brightness factor of a worn plain surface."""
    return np.asarray(stains(rng, side, 0.04) * (1 + 0.03 * noise(rng, side, 30, FINEST, 0.1)))


PATTERNS: dict[str, Pattern] = {
    pattern.__name__: pattern
    for pattern in (
        *(asphalt, brick, carpet, checker, clouds, concrete, fabric, facade, grass, gravel, leaves, metal, plaster),
        *(rock, roof, sign, soil, stripes, tiles, wood),
    )
}
