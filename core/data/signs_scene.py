"""Puts road signs into the world: from faces and a table of random numbers to photographs, in batches.

Every picture is a function of its own row of the table alone, so that any subset can be made without the rest.
Rows are worked on in groups of :data:`GROUP`, padded when there are fewer: the same shapes take the same code
paths, so a picture comes out the same to the last bit whichever others are made with it. For the same reason the
arrays of pixels see only sums, products, clamps and look-ups; sines and powers are taken of rows.

The pictures are made in four steps: a landscape, the sign on its pole in perspective, what lies between sign and
camera (leaves, shadow, fog, rain, glare), and the camera (blur, exposure, noise).
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 32
GROUP = 200
COLUMNS = 128
FACE_PIXELS = 56
_BANK_SEED = 20_240_501
_NOISE = 1 << 20
_GRAIN = 3 * SIDE * SIDE
_TEXTURE = 128

_SKIES = [(0.42, 0.62, 0.88), (0.62, 0.76, 0.90), (0.75, 0.78, 0.80), (0.86, 0.87, 0.88), (0.90, 0.74, 0.58)]
_GROUNDS = [(0.40, 0.40, 0.41), (0.33, 0.34, 0.36), (0.36, 0.46, 0.22), (0.55, 0.52, 0.30), (0.62, 0.58, 0.50)]
_BACKDROPS = [(0.16, 0.27, 0.13), (0.25, 0.35, 0.16), (0.33, 0.31, 0.17), (0.58, 0.40, 0.32), (0.66, 0.62, 0.55)]
_LEAVES = [(0.20, 0.34, 0.12), (0.30, 0.42, 0.16), (0.42, 0.38, 0.15), (0.22, 0.20, 0.15)]


class Row:
    """Hands out the columns of a table of uniform random numbers one after the other, as tensors (n, 1, 1)."""

    def __init__(self, table: Tensor) -> None:
        self.table, self.next = table, 0

    def uniform(self, low: float, high: float) -> Tensor:
        column = self.table[:, self.next, None, None]
        self.next += 1
        return low + (high - low) * column

    def chance(self, share: float) -> Tensor:
        """1.0 in a ``share`` of the rows, else 0.0."""
        return (self.uniform(0, 1) < share).float()

    def whole(self, count: int) -> Tensor:
        """int64, shape (n,), 0 .. count - 1."""
        return self.uniform(0, count).flatten().long().clamp_(max=count - 1)

    def colour(self, palette: list[tuple[float, float, float]], spread: float) -> Tensor:
        """One of the colours, in another brightness and tint; (n, 3, 1, 1)."""
        base = torch.tensor(palette)[self.whole(len(palette))][:, :, None, None]
        tint = torch.stack([self.uniform(-spread, spread) for _ in range(3)], 1)
        return ((base + tint) * self.uniform(0.75, 1.15)[:, None]).clamp(0, 1)


@dataclass(frozen=True)
class Bank:
    """Random material that all pictures share; each takes pieces from places of its own."""

    texture: Tensor  # (3, 8, 128, 128, 32, 32): clouds, 0-1, smooth to rough, as a view of all pieces
    streaks: Tensor  # (128, 128, 32, 32): rain, 0-1, likewise
    noise: Tensor  # (2 ** 20, 3072): standard normal, likewise


def _pieces(sheets: Tensor) -> Tensor:
    """All 32 x 32 pieces of seamless sheets (k, 128, 128), as a view (k, 128, 128, 32, 32)."""
    return F.pad(sheets[None], (0, SIDE - 1, 0, SIDE - 1), mode="circular")[0].unfold(1, SIDE, 1).unfold(2, SIDE, 1)


@lru_cache(maxsize=1)
def bank() -> Bank:
    generator = torch.Generator().manual_seed(_BANK_SEED)
    levels = []
    for coarsest in (4, 8, 16):
        texture = torch.zeros(8, _TEXTURE, _TEXTURE)
        for octave in range(6):
            cells = min(coarsest << octave, _TEXTURE)
            times = _TEXTURE // cells
            grid = F.pad(torch.rand(1, 8, cells, cells, generator=generator), (2, 2, 2, 2), mode="circular")
            large = F.interpolate(grid, scale_factor=times, mode="bicubic", align_corners=False)[0]
            texture += 0.68**octave * large[:, 2 * times : -2 * times, 2 * times : -2 * times]
        low, high = texture.amin((1, 2), keepdim=True), texture.amax((1, 2), keepdim=True)
        levels.append((texture - low) / (high - low))
    drops = (torch.rand(1, _TEXTURE, _TEXTURE, generator=generator) > 0.985).float()
    streaks = torch.stack([torch.roll(drops, (step, step // 3), (1, 2)) * (1 - step / 9) for step in range(9)]).amax(0)
    noise = torch.randn(_NOISE + _GRAIN - 1, generator=generator)
    texture = _pieces(torch.cat(levels)).unflatten(0, (3, 8))
    return Bank(texture, _pieces(streaks)[0], noise.unfold(0, _GRAIN, 1))


def _window(row: Row, levels: tuple[int, int]) -> Tensor:
    """A piece of a texture, its roughness (0, 1 or 2) within ``levels``; (n, 32, 32)."""
    level = levels[0] + row.whole(levels[1] - levels[0] + 1)
    return bank().texture[level, row.whole(8), row.whole(_TEXTURE), row.whole(_TEXTURE)]


def _step(x: Tensor, softness: Tensor | float) -> Tensor:
    """0 below, 1 above, linear over ``softness``."""
    return (x / softness + 0.5).clamp(0, 1)


def _over(below: Tensor, colour: Tensor, cover: Tensor) -> Tensor:
    """``colour`` (n, 3, h, w or 1, 1) laid over ``below`` where ``cover`` (n, h, w) is 1."""
    return below + cover[:, None] * (colour - below)


def _grid(side: int) -> tuple[Tensor, Tensor]:
    """x (1, 1, side) to the right and y (1, side, 1) downwards, -1 to 1 at the outer edges of the pixels."""
    middle = (torch.arange(side) + 0.5) * 2 / side - 1
    return middle[None, None, :], middle[None, :, None]


def landscape(row: Row) -> Tensor:
    """Sky, a row of trees or houses, ground; (n, 3, 32, 32) in 0-1."""
    x, y = _grid(SIDE)
    rough, fine = _window(row, (0, 1)), _window(row, (1, 2))
    sky_low = row.colour(_SKIES, 0.05)
    deep = row.uniform(0.55, 1)[:, None]
    sky_high = sky_low * torch.cat([deep, 0.4 + 0.6 * deep, 0.9 + 0.1 * deep], 1)
    picture = sky_high + (sky_low - sky_high) * (0.5 + 0.5 * y[:, None]) * torch.ones(1, 1, 1, SIDE)
    picture = picture + row.uniform(0, 0.35)[:, None] * (rough - 0.5)[:, None]

    horizon = row.uniform(-0.7, 1.3) + row.uniform(-0.25, 0.25) * x
    skyline = fine[:, :1, :]  # one line of the texture, as the height of tree tops
    width = row.uniform(3, 8)
    houses = fine[torch.arange(len(fine))[:, None], 0, ((x[:, 0] + 1) * width[:, 0]).long()][:, None, :]
    is_town = row.chance(0.4)
    height = row.uniform(0, 1.6) * (0.35 + skyline + is_town * (houses - skyline))
    backdrop = row.colour(_BACKDROPS, 0.06) * (0.55 + 0.9 * fine[:, None])
    picture = _over(picture, backdrop, _step(y - (horizon - height), 0.12) * row.chance(0.85))
    storeys = ((x * row.uniform(2, 5) + 9).frac() > 0.5) & ((y * row.uniform(2, 5) + 9).frac() > 0.45)
    windows = storeys * is_town * _step(y - (horizon - height) - 0.15, 0.1) * row.uniform(0, 0.6)
    picture = _over(picture, row.colour(_SKIES, 0.2) * 0.7, windows)

    ground = row.colour(_GROUNDS, 0.05) * (0.75 + 0.5 * fine[:, None])
    return _over(picture, ground, _step(y - horizon, 0.1)).clamp(0, 1)


@dataclass(frozen=True)
class Pose:
    """Where the sign stands: from the picture (x, y) to the sign's own plane (u, v), both -1 to 1."""

    x: Tensor
    y: Tensor
    radius: Tensor
    turn: Tensor
    squeeze_x: Tensor
    squeeze_y: Tensor
    lean_x: Tensor
    lean_y: Tensor

    @staticmethod
    def of(row: Row) -> Pose:
        radius = row.uniform(0, 1).pow(0.8) * 0.38 + 0.56  # 18 to 30 of 32 pixels wide
        room = (1.05 - radius).clamp(min=0.12)
        return Pose(
            x=row.uniform(-1, 1) * room,
            y=row.uniform(-1, 1) * room,
            radius=radius,
            turn=(row.uniform(-1, 1) + row.uniform(-1, 1)) * 0.22,
            squeeze_x=1 - row.uniform(0, 1).pow(2) * 0.36,
            squeeze_y=1 - row.uniform(0, 1).pow(2) * 0.18,
            lean_x=row.uniform(-0.28, 0.28),
            lean_y=row.uniform(-0.16, 0.16),
        )

    def plane(self, side: int) -> tuple[Tensor, Tensor]:
        """u and v of every pixel, each (n, side, side)."""
        x, y = _grid(side)
        x, y = (x - self.x) / self.radius, (y - self.y) / self.radius
        cosine, sine = self.turn.cos(), self.turn.sin()
        u, v = (cosine * x + sine * y) / self.squeeze_x, (cosine * y - sine * x) / self.squeeze_y
        depth = 1 + self.lean_x * u + self.lean_y * v
        return u / depth.clamp(min=0.2), v / depth.clamp(min=0.2)


def _put_sign(row: Row, picture: Tensor, faces: Tensor) -> Tensor:
    """``faces``: premultiplied RGBA, (n, 4, 56, 56). The pole, then the sign: faded, dirty, lit from one side."""
    pose = Pose.of(row)
    u, v = pose.plane(SIDE)
    thick = row.uniform(0.05, 0.11)
    pole = _step(thick - u.abs(), 0.08) * _step(v - 0.3, 0.1) * row.chance(0.8)
    round_light = (0.75 + 0.4 * (u / thick).clamp(-1, 1))[:, None]
    picture = _over(picture, torch.full((1, 3, 1, 1), 1.0) * row.uniform(0.35, 0.7)[:, None] * round_light, pole)

    fine = F.grid_sample(faces, torch.stack(pose.plane(2 * SIDE), -1), padding_mode="zeros", align_corners=False)
    sign = (fine[..., ::2, ::2] + fine[..., ::2, 1::2] + fine[..., 1::2, ::2] + fine[..., 1::2, 1::2]) * 0.25
    cover, paint = sign[:, 3], sign[:, :3]
    grey = paint.mean(1, keepdim=True)
    paint = paint + (row.chance(0.3) * row.uniform(0, 0.55))[:, None] * (grey - paint)
    dirt = _step(_window(row, (0, 1)) - row.uniform(0.45, 0.8), 0.15) * row.chance(0.45) * row.uniform(0.2, 0.85)
    mud = row.colour([(0.30, 0.25, 0.18), (0.45, 0.43, 0.40), (0.80, 0.80, 0.82)], 0.04)
    paint = paint + dirt[:, None] * (mud * cover[:, None] - paint)
    light = (
        row.uniform(0.7, 1.1) + row.uniform(-0.22, 0.22) * u.clamp(-1, 1) + row.uniform(-0.22, 0.22) * v.clamp(-1, 1)
    )
    return picture * (1 - cover[:, None]) + paint * light[:, None]


def _between(row: Row, picture: Tensor) -> Tensor:
    """Leaves or a branch, shadow, fog, rain and glare between the sign and the camera."""
    x, y = _grid(SIDE)
    texture = _window(row, (0, 1))
    angle = row.uniform(0, 2 * math.pi)
    ramp = angle.cos() * x + angle.sin() * y
    edge = row.uniform(0.3, 1.0)
    cover = _step(ramp - edge + 1.6 * (texture - 0.5), 0.12) * row.chance(0.22)
    picture = _over(picture, row.colour(_LEAVES, 0.05) * (0.4 + 1.1 * _window(row, (2, 2))[:, None]), cover)

    angle = row.uniform(0, 2 * math.pi)
    ramp = angle.cos() * x + angle.sin() * y + row.uniform(0, 2.5) * (texture - 0.5)
    shade = _step(ramp - row.uniform(-0.6, 0.6), row.uniform(0.05, 0.5)) * row.chance(0.3) * row.uniform(0.3, 0.68)
    picture = picture * (1 - shade[:, None])

    fog = row.chance(0.16) * row.uniform(0.2, 0.64) * (0.85 + 0.15 * y)
    haze = row.uniform(0.6, 0.9)[:, None] * torch.tensor([0.97, 0.99, 1.02])[:, None, None]
    picture = _over(picture, haze, fog.expand(-1, -1, SIDE))

    rain = bank().streaks[row.whole(_TEXTURE), row.whole(_TEXTURE)]
    picture = _over(picture, torch.full((1, 3, 1, 1), 0.85), rain * row.chance(0.14) * row.uniform(0.25, 0.6))

    away = ((x - row.uniform(-1, 1)).square() + (y - row.uniform(-1, 1)).square()) / row.uniform(0.15, 0.9)
    glare = (1 - away).clamp(min=0).square() * row.chance(0.1) * row.uniform(0.25, 0.75)
    return picture + glare[:, None] * torch.tensor([1.0, 0.97, 0.88])[:, None, None]


def _blur(row: Row, picture: Tensor) -> Tensor:
    """Out of focus and moved: a Gaussian of its own two widths and direction for every picture, 7 x 7."""
    focus = 0.28 + row.uniform(0, 1).pow(3) * 0.85
    motion = focus + row.chance(0.22) * row.uniform(0.3, 1.25)
    angle = row.uniform(0, math.pi)
    x = torch.arange(-3, 4.0)[None, None, :]
    y = torch.arange(-3, 4.0)[None, :, None]
    along, across = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    kernel = torch.exp(-0.5 * ((along / motion).square() + (across / focus).square()))
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    n = len(picture)
    padded = F.pad(picture, (3, 3, 3, 3), mode="replicate").view(1, n * 3, SIDE + 6, SIDE + 6)
    weight = kernel[:, None].repeat(1, 3, 1, 1).view(n * 3, 1, 7, 7)
    return F.conv2d(padded, weight, groups=n * 3).view(n, 3, SIDE, SIDE)


def _camera(row: Row, picture: Tensor) -> Tensor:
    """Blur, exposure, white balance, contrast and noise."""
    picture = _blur(row, picture)
    night = row.chance(0.1)
    gain = torch.exp(row.uniform(-0.45, 0.3)) * (1 - night * row.uniform(0.3, 0.55))
    balance = torch.stack([row.uniform(0.88, 1.12), row.uniform(0.95, 1.05), row.uniform(0.88, 1.12)], 1)
    picture = picture * gain[:, None] * balance
    middle = picture.mean((1, 2, 3), keepdim=True)
    picture = middle + (picture - middle) * row.uniform(0.6, 1.15)[:, None]
    grain = bank().noise[row.whole(_NOISE)].view(-1, 3, SIDE, SIDE)
    return picture + grain * (0.008 + row.uniform(0, 1).pow(2) * 0.042 + 0.008 * night)[:, None]


def _group(table: Tensor, labels: Tensor, faces: Tensor) -> Tensor:
    """Exactly GROUP pictures on the one core of the calling thread; uint8 (GROUP, 3, 32, 32)."""
    torch.set_num_threads(1)
    row = Row(table)
    picture = _put_sign(row, landscape(row), faces[labels])
    picture = _camera(row, _between(row, picture).clamp(0, 1))
    return picture.clamp(0, 1).mul(255).round().byte()


def photograph(table: Tensor, labels: Tensor, faces: Tensor) -> Tensor:
    """One picture for each row of ``table``.

    Args:
        table: uniform random numbers, (n, COLUMNS).
        labels: int64, (n,), the sign of each picture.
        faces: premultiplied RGBA in 0-1, (classes, 4, FACE_PIXELS, FACE_PIXELS).

    Returns:
        uint8, (n, 3, 32, 32).
    """
    count = len(table)
    if count == 0:
        return torch.empty(0, 3, SIDE, SIDE, dtype=torch.uint8)
    bank()  # made here once, not by several threads at a time
    rows = [torch.arange(start, start + GROUP).clamp(max=count - 1) for start in range(0, count, GROUP)]
    threads = torch.get_num_threads()
    # Many small tensors: a core per group is several times faster than all cores at each tensor, above all when
    # other programs are running. torch's setting is put back for the threads that come after.
    try:
        with ThreadPoolExecutor(min(os.cpu_count() or 1, 8, len(rows))) as pool:
            groups = list(pool.map(lambda r: _group(table[r], labels[r], faces), rows))
    finally:
        torch.set_num_threads(threads)
    return torch.cat(groups)[:count]
