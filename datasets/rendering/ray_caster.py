"""The ray caster: which triangle each ray hits first, for many films (image planes) at once.

A ray through film point (x, y) hits a triangle where its three edge functions, affine in x and y, are not
negative (Olano & Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates"), so no clipping is
needed and a tile of rays against a triangle is one small matrix product. Films are cut into tiles, and every tile
keeps the triangles that may be visible in it; grids of rays and single rays use the same lists.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.scene_batch import SceneBatch

TILE = 8  # px a side
GRID_CHUNK = {"cpu": 1 << 16, "cuda": 1 << 24}  # rays cast at a time: on a CPU as many as its caches hold
_GROW = 1e-5  # of a triangle's size: closes the cracks that rounding leaves between neighbours
_GRID_BLOCK, _SINGLE_BLOCK = 32, 16384  # least triangles times tiles, or times rays, to test in one step
_NEAR = 1e-3  # m; corners closer to the camera's plane are not projected


@dataclass(frozen=True, eq=False)
class Films:
    """f films onto which scenes are projected.

    `projection` takes homogeneous world points to homogeneous film px (pixel centres at whole numbers);
    `nearness`, divided by the third of those, grows towards the camera: 1 / depth for a pinhole camera.
    """

    projection: Tensor  # (f, 3, 4) float64
    nearness: Tensor  # (f, 4) float64
    scene: Tensor  # (f,) int64, index of the scene that each film shows
    sizes: tuple[tuple[int, int], ...]  # (width, height) px


@dataclass(frozen=True, eq=False)
class Tiles:
    """Films cut into t tiles, and p pairs of a tile and a triangle that may be visible in it, sorted by tile."""

    films: Films
    film: Tensor  # (t,) int64
    corner: Tensor  # (t, 2) int64, film px (x, y) of the first pixel
    first: Tensor  # (t,) int64, first pair of the tile
    count: Tensor  # (t,) int64
    film_first: Tensor  # (f,) int64, first tile of each film
    columns: Tensor  # (f,) int64, tiles in a row of the film
    triangle: Tensor  # (p,) int64, index into the batch
    edges: Tensor  # (p, 4, 3) float32: edge functions and nearness from (x, y, 1), px from the tile's corner
    exact: Tensor  # (p, 3, 3) float64: the edge functions from film (x, y, 1)


def cut_into_tiles(batch: SceneBatch, films: Films, casters_only: bool = False) -> Tiles:
    """Cut films into tiles and list the triangles of each; casters_only: only those that cast shadows."""
    found = _project_triangles(batch, films, casters_only)
    film, grid = found.film, [tile_grid(size) for size in films.sizes]
    columns, rows = torch.tensor(grid, device=batch.device).unbind(1)
    film_first = torch.cumsum(columns * rows, 0) - columns * rows
    pair, x, y = _touched_tiles(film, found.box, columns, rows)
    edges = found.functions.index_select(0, pair)
    edges[..., 2] += edges[..., 0] * (x * TILE)[:, None] + edges[..., 1] * (y * TILE)[:, None]
    tile = film_first[film[pair]] + y * columns[film[pair]] + x
    total = sum(w * h for w, h in grid)
    kept = _may_be_visible(edges, tile, total).nonzero()[:, 0]
    kept = kept[torch.argsort(tile[kept], stable=True)]
    count = torch.bincount(tile[kept], minlength=total)
    tile_film = torch.repeat_interleave(columns * rows)
    within = torch.arange(total, device=batch.device) - film_first[tile_film]
    wide = columns[tile_film]
    return Tiles(
        films=films,
        film=tile_film,
        corner=torch.stack([within % wide, within // wide], 1) * TILE,
        first=torch.cumsum(count, 0) - count,
        count=count,
        film_first=film_first,
        columns=columns,
        triangle=found.triangle[pair[kept]],
        edges=edges.index_select(0, kept).float(),
        exact=found.exact.index_select(0, pair[kept]),
    )


def tile_grid(size: tuple[int, int]) -> tuple[int, int]:
    """(columns, rows) of tiles that cover a film of (width, height) px."""
    width, height = size
    return (width + TILE - 1) // TILE, (height + TILE - 1) // TILE


@dataclass(frozen=True, eq=False)
class _Projected:
    """r triangles on films. Functions are of film (x, y, 1)."""

    film: Tensor  # (r,) int64
    triangle: Tensor  # (r,) int64, index into the batch
    box: Tensor  # (r, 4) x0, y0, x1, y1 px
    exact: Tensor  # (r, 3, 3) edge functions
    functions: Tensor  # (r, 4, 3) edge functions of slightly grown triangles, and nearness


def _project_triangles(batch: SceneBatch, films: Films, casters_only: bool) -> _Projected:
    """The triangles that may be visible on the films."""
    in_scene = films.scene[:, None] == batch.scene[None]  # (f, n)
    film, triangle = (in_scene & batch.casts_shadow if casters_only else in_scene).nonzero(as_tuple=True)
    points = torch.cat([batch.corners, torch.ones_like(batch.corners[..., :1])], 2)
    points = points.index_select(0, triangle)  # (r, corner, 4)
    on_film = points @ films.projection[film].transpose(1, 2)  # (r, corner, 3)
    low, high = _bounding_box(on_film)
    size = torch.tensor(films.sizes, device=batch.device, dtype=torch.float64)[film]
    a, b, c = on_film.unbind(1)
    normal = torch.linalg.cross(b, c)
    volume = (a * normal).sum(1)
    scale = a.norm(dim=1) * b.norm(dim=1) * c.norm(dim=1)
    good = (high > -1).all(1) & (low < size).all(1) & (volume.abs() > 1e-12 * scale)
    kept = good.nonzero()[:, 0]
    a, b, c = a[kept], b[kept], c[kept]
    exact = torch.stack([normal[kept], torch.linalg.cross(c, a), torch.linalg.cross(a, b)], 1)
    exact /= volume[kept, None, None]
    near = (points[kept] @ films.nearness[film[kept], :, None])[..., 0]  # (r, corner)
    nearness = (near[:, None] @ exact)[:, 0]
    functions = torch.cat([exact + _GROW * exact.sum(1, keepdim=True), nearness[:, None]], 1)
    return _Projected(film[kept], triangle[kept], torch.cat([low, high], 1)[kept], exact, functions)


def _bounding_box(on_film: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest (r, 2) px of the visible parts of triangles (r, corner, 3); inf, -inf for none."""
    following = on_film.roll(-1, 1)
    depth, next_depth = on_film[..., 2:], following[..., 2:]
    # An edge that passes the near plane is cut off there.
    passes = (depth < _NEAR) != (next_depth < _NEAR)
    share = (_NEAR - depth) / torch.where(passes, next_depth - depth, 1)
    ends = (on_film + share * (following - on_film))[..., :2] / _NEAR
    points = torch.cat([on_film[..., :2] / depth.clamp_min(_NEAR), ends], 1)
    real = torch.cat([depth >= _NEAR, passes], 1)
    return torch.where(real, points, torch.inf).amin(1), torch.where(real, points, -torch.inf).amax(1)


def _touched_tiles(film: Tensor, box: Tensor, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The tiles that each bounding box (r, 4) touches: row of the box, tile x, tile y, (p,) each."""
    first = ((box[:, :2] - 0.5) / TILE).floor().long().clamp_min(0)
    last = ((box[:, 2:] + 0.5) / TILE).floor().long()
    wide = (torch.minimum(last[:, 0], columns[film] - 1) - first[:, 0] + 1).clamp_min(0)
    tall = (torch.minimum(last[:, 1], rows[film] - 1) - first[:, 1] + 1).clamp_min(0)
    count = wide * tall
    row = torch.repeat_interleave(count)
    within = torch.arange(len(row), device=box.device) - (torch.cumsum(count, 0) - count)[row]
    return row, first[row, 0] + within % wide[row], first[row, 1] + within // wide[row]


def _may_be_visible(edges: Tensor, tile: Tensor, total: int) -> Tensor:
    """(p,) pairs whose triangle touches the tile and is not entirely behind a triangle that covers the tile."""
    half = (TILE - 1) / 2
    middle = edges[..., 2] + half * (edges[..., 0] + edges[..., 1])
    spread = (half + 0.5) * (edges[..., 0].abs() + edges[..., 1].abs())
    touches = (middle + spread >= 0).all(1)
    covers = (middle[:, :3] - spread[:, :3] >= 0).all(1)
    farthest = torch.where(covers, middle[:, 3] - spread[:, 3], 0)
    cover = torch.zeros(total, dtype=edges.dtype, device=edges.device).scatter_reduce(0, tile, farthest, "amax")
    return touches & (middle[:, 3] + spread[:, 3] >= cover[tile])


def cast_grid(tiles: Tiles, chosen: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """First hits of rays through the points at `offsets` (s, 2) px from the corner of each of the chosen (c,) tiles.

    Returns the pair (c, s) int32, -1 for none, and the nearness (c, s) float32, 0 for none. `chosen` must be
    sorted by falling count of triangles.
    """
    counts = tiles.count[chosen]
    grid = torch.cat([offsets.T, torch.ones_like(offsets.T[:1])])  # (3, s)
    nearest = torch.zeros(len(chosen), grid.shape[1], device=grid.device)
    pair = torch.full(nearest.shape, -1, dtype=torch.int32, device=grid.device)
    for start, block, left in _blocks(counts, _GRID_BLOCK):
        which, real = _candidates(tiles.first[chosen[:left]], counts[:left], start, block)
        edges = tiles.edges.index_select(0, which.view(-1)).view(-1, 3)  # (left block, 4, 3) -> (left block 4, 3)
        u, v, w, near = (edges @ grid).view(left, block, 4, -1).unbind(2)  # (left block 4, s) -> 4 axes
        inside = torch.minimum(torch.minimum(u, v), w) >= 0
        _keep_nearest(nearest[:left], pair[:left], near, inside, real[..., None], which.int()[..., None])
    return pair, nearest


def cast_rays(tiles: Tiles, film: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """First hits of single rays through points `pixels` (2, q) float64 px, which lie on the films (q,).

    Returns the pair (q,) int64, -1 for none, and its nearness (q,) float32, 0 for none.
    """
    column, row = ((pixels + 0.5) / TILE).floor().long().clamp_min(0)
    tile = tiles.film_first.index_select(0, film) + row * tiles.columns.index_select(0, film) + column
    count = tiles.count.index_select(0, tile)
    if int(tiles.count.max()) < 1 << 15:
        count = count.short()  # sorts four times as fast
    count, order = torch.sort(count, descending=True, stable=True)
    tile = tile.index_select(0, order)
    x, y = (pixels.index_select(1, order) - tiles.corner.T.contiguous().index_select(1, tile)).float()
    first = tiles.first.index_select(0, tile)
    nearest = torch.zeros(len(order), device=pixels.device)
    pair = torch.full((len(order),), -1, dtype=torch.int64, device=pixels.device)
    edges = tiles.edges.flatten(1).T.contiguous()  # (p, 4, 3) -> (12, p)
    for start, block, left in _blocks(count, _SINGLE_BLOCK):
        which, real = _candidates(first[:left], count[:left], start, block)
        rows = edges.index_select(1, which.view(-1)).view(12, left, block)  # (12, left block) -> (12, left, block)
        u, v, w, near = (rows[i] * x[:left, None] + rows[i + 1] * y[:left, None] + rows[i + 2] for i in range(0, 12, 3))
        inside = torch.minimum(torch.minimum(u, v), w) >= 0
        _keep_nearest(nearest[:left], pair[:left], near, inside, real, which)
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    return pair.index_select(0, back), nearest.index_select(0, back)


def _blocks(counts: Tensor, size: int) -> Iterator[tuple[int, int, int]]:
    """Steps through lists of falling lengths: first element, how many at once, and of how many lists.

    The fewer lists are left, the more elements of each are taken at once, so that a few long lists cost few steps.
    """
    longer = torch.bincount(counts, minlength=1).flip(0).cumsum(0).flip(0).tolist()  # lists of at least k elements
    start = 0
    while start + 1 < len(longer):
        left = longer[start + 1]
        block = min(max(size // left, 1), len(longer) - 1 - start, 32)
        yield start, block, left
        start += block


def _candidates(first: Tensor, counts: Tensor, start: int, block: int) -> tuple[Tensor, Tensor]:
    """Pairs `start` to `start + block` of lists (c,): indices (c, block), and which are not past their list's end."""
    number = start + torch.arange(block, device=first.device)
    real = number < counts[:, None]
    return first[:, None] + torch.where(real, number, start), real


def _keep_nearest(nearest: Tensor, pair: Tensor, nearness: Tensor, inside: Tensor, real: Tensor, which: Tensor) -> None:
    """Update `nearest` and `pair` (c, ...) where a candidate, on axis 1 of the other arguments, is nearer."""
    if nearness.shape[1] == 1:  # then all of them are real
        nearness, which, inside = nearness[:, 0], which[:, 0], inside[:, 0]
    else:
        nearness, number = torch.where(inside & real, nearness, 0).max(1, keepdim=True)
        which = which.expand(-1, -1, *nearness.shape[2:]).gather(1, number)[:, 0]
        nearness, inside = nearness[:, 0], nearness[:, 0] > 0
    nearer = inside.logical_and_(nearness > nearest)
    torch.where(nearer, nearness, nearest, out=nearest)
    torch.where(nearer, which, pair, out=pair)


def tile_pixels(device: torch.device) -> Tensor:
    """(TILE * TILE, 2) centres of a tile's pixels, row by row, px from its corner."""
    x = torch.arange(TILE, device=device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(x, x, indexing="xy"), 2).view(-1, 2)  # (TILE, TILE, 2) -> (TILE * TILE, 2)
