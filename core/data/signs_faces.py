"""The faces of twelve European road signs, drawn once and large; :mod:`core.data.signs` puts them into the world.

All coordinates are on a sheet of 100 x 100 units with the origin at the upper left. Shapes follow the Vienna
Convention on Road Signs and Signals (1968) in the form used in Germany and its neighbours, simplified so that
they still read at 32 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from math import cos, pi, sin
from typing import TYPE_CHECKING

from core.errors import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image

Point = tuple[float, float]

RED, BLUE, YELLOW = "#c8102e", "#0b56a4", "#f9b814"
WHITE, BLACK, RIM = "#fbfbf9", "#17181a", "#b9bdc1"
TRIANGLE_UP: tuple[Point, ...] = ((50, 12), (92.5, 85.5), (7.5, 85.5))
TRIANGLE_DOWN: tuple[Point, ...] = ((7.5, 14.5), (92.5, 14.5), (50, 88))
SUPERSAMPLING = 4
MAX_SIDE = 1024  # pixels


class Pen:
    """Draws in units of a hundredth of the sheet on an RGBA picture of ``pixels`` x ``pixels``."""

    def __init__(self, pixels: int) -> None:
        from PIL import Image, ImageDraw

        self.unit = pixels / 100
        self.picture = Image.new("RGBA", (pixels, pixels), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.picture)

    def _at(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.unit, y * self.unit) for x, y in points]

    def disc(self, x: float, y: float, radius: float, colour: str) -> None:
        box = self._at([(x - radius, y - radius), (x + radius, y + radius)])
        self.draw.ellipse([*box[0], *box[1]], fill=colour)

    def polygon(self, points: Sequence[Point], colour: str, rounding: float = 0) -> None:
        """A polygon, grown on all sides by ``rounding`` with round corners."""
        self.draw.polygon(self._at(points), fill=colour)
        if rounding:
            self.stroke([*points, points[0]], 2 * rounding, colour)

    def stroke(self, points: Sequence[Point], width: float, colour: str) -> None:
        """A line with round ends and joints."""
        for (x0, y0), (x1, y1) in pairwise(points):
            length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1
            dx, dy = (y0 - y1) / length * width / 2, (x1 - x0) / length * width / 2
            self.polygon([(x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)], colour)
        for x, y in points:
            self.disc(x, y, width / 2, colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, rounding: float = 0) -> None:
        corners = self._at([(left, top), (right, bottom)])
        self.draw.rounded_rectangle([*corners[0], *corners[1]], rounding * self.unit, fill=colour)

    def text(self, words: str, colour: str, height: float, width: float, weight: float, gap: float) -> None:
        """Words in the middle of the sheet: each letter ``width`` x ``height`` units, lines ``weight`` thick."""
        tall, wide = height - weight, width - weight
        widths = [wide * NARROW.get(letter, 1) for letter in words]
        left = 50 - (sum(widths) + (len(words) - 1) * (gap + weight)) / 2
        for letter, across in zip(words, widths, strict=True):
            for line in LETTERS[letter]:
                points = [(left + x * across, 50 + (y - 0.5) * tall) for x, y in line]
                self.stroke(points, weight, colour)
            left += across + gap + weight


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    """Points along an ellipse; degrees, 0 to the right and 90 down."""
    angles = [(start + (end - start) * step / 32) * pi / 180 for step in range(33)]
    return [(x + rx * cos(a), y + ry * sin(a)) for a in angles]


# Letters as centre lines in a box of 1 x 1, after the plain shapes of DIN 1451.
_ROUND = [*_arc(0.5, 0.32, 0.5, 0.32, 180, 360), *_arc(0.5, 0.68, 0.5, 0.32, 0, 180), (0, 0.32)]
LETTERS: dict[str, list[list[Point]]] = {
    "0": [_ROUND],
    "1": [[(0, 0.24), (0.9, 0), (0.9, 1)]],
    "3": [[*_arc(0.48, 0.24, 0.46, 0.24, 205, 450), *_arc(0.48, 0.73, 0.52, 0.27, -90, 160)]],
    "5": [[(0.92, 0), (0.1, 0), (0.04, 0.47), *_arc(0.47, 0.67, 0.53, 0.33, -135, 155)]],
    "8": [_arc(0.5, 0.23, 0.45, 0.23, 0, 360), _arc(0.5, 0.73, 0.5, 0.27, 0, 360)],
    "O": [_ROUND],
    "P": [[(0, 1), (0, 0), *_arc(0.55, 0.28, 0.45, 0.28, -90, 90), (0, 0.56)]],
    "S": [[*_arc(0.5, 0.25, 0.48, 0.25, -20, -270), *_arc(0.5, 0.75, 0.5, 0.25, -90, 160)]],
    "T": [[(-0.05, 0), (1.05, 0)], [(0.5, 0), (0.5, 1)]],
}
NARROW = {"1": 0.55}


def _prohibition(pen: Pen) -> None:
    pen.disc(50, 50, 49, RIM)
    pen.disc(50, 50, 48, RED)
    pen.disc(50, 50, 37, WHITE)


def _mandatory(pen: Pen) -> None:
    pen.disc(50, 50, 49, RIM)
    pen.disc(50, 50, 48, WHITE)
    pen.disc(50, 50, 45.5, BLUE)


def _warning(pen: Pen, triangle: Sequence[Point]) -> None:
    middle = (50, sum(y for _, y in triangle) / 3)

    def inner(share: float) -> list[Point]:
        return [(middle[0] + (x - middle[0]) * share, middle[1] + (y - middle[1]) * share) for x, y in triangle]

    pen.polygon(triangle, RIM, rounding=7)
    pen.polygon(triangle, RED, rounding=6)
    pen.polygon(inner(0.70), WHITE, rounding=2.2)


def _speed(limit: str) -> Callable[[Pen], None]:
    def draw(pen: Pen) -> None:
        _prohibition(pen)
        if len(limit) == 2:
            pen.text(limit, BLACK, height=42, width=24.5, weight=7.4, gap=3.6)
        else:
            pen.text(limit, BLACK, height=38, width=20, weight=6.2, gap=3.2)

    return draw


def _stop(pen: Pen) -> None:
    def octagon(radius: float) -> list[Point]:
        return [(50 + radius * cos((k + 0.5) * pi / 4), 50 + radius * sin((k + 0.5) * pi / 4)) for k in range(8)]

    pen.polygon(octagon(51.5), RIM)
    pen.polygon(octagon(50.5), WHITE)
    pen.polygon(octagon(47), RED)
    pen.text("STOP", WHITE, height=35, width=17, weight=5.4, gap=3.4)


def _give_way(pen: Pen) -> None:
    _warning(pen, TRIANGLE_DOWN)


def _no_entry(pen: Pen) -> None:
    pen.disc(50, 50, 49, RIM)
    pen.disc(50, 50, 48, WHITE)
    pen.disc(50, 50, 46, RED)
    pen.box(15, 40, 85, 60, WHITE, rounding=1.5)


def _priority_road(pen: Pen) -> None:
    def diamond(radius: float) -> list[Point]:
        return [(50, 50 - radius), (50 + radius, 50), (50, 50 + radius), (50 - radius, 50)]

    pen.polygon(diamond(45), BLACK, rounding=4)
    pen.polygon(diamond(44), WHITE, rounding=3.6)
    pen.polygon(diamond(30.5), BLACK, rounding=2)
    pen.polygon(diamond(29), YELLOW, rounding=1.8)


def _car(pen: Pen, x: float, colour: str) -> None:
    """A car from behind, its wheels on the line y = 65, its middle at ``x``."""
    pen.box(x - 10.5, 56, x - 5.5, 65.5, colour, rounding=1.5)
    pen.box(x + 5.5, 56, x + 10.5, 65.5, colour, rounding=1.5)
    pen.polygon([(x - 6.5, 38.5), (x + 6.5, 38.5), (x + 9, 48), (x - 9, 48)], colour, rounding=2)
    pen.box(x - 12, 46, x + 12, 60.5, colour, rounding=3.5)
    pen.polygon([(x - 5.4, 40.5), (x + 5.4, 40.5), (x + 7, 46.5), (x - 7, 46.5)], WHITE)
    pen.disc(x - 8, 52.5, 2.1, WHITE)
    pen.disc(x + 8, 52.5, 2.1, WHITE)


def _no_overtaking(pen: Pen) -> None:
    _prohibition(pen)
    _car(pen, 34.5, RED)
    _car(pen, 65.5, BLACK)


def _ahead_only(pen: Pen) -> None:
    _mandatory(pen)
    pen.box(43.5, 40, 56.5, 84, WHITE)
    pen.polygon([(50, 12), (75, 45), (25, 45)], WHITE, rounding=0.8)


def _roundabout(pen: Pen) -> None:
    """Three arrows that chase one another anticlockwise, as traffic does where one drives on the right."""
    _mandatory(pen)
    middle, radius, width = 50.0, 24.5, 10.5

    def around(angle: float, r: float) -> Point:
        return middle + r * cos(angle), middle - r * sin(angle)

    for k in range(3):
        start = 2 * pi * k / 3 + 0.05
        arc = [start + 1.12 * step / 24 for step in range(25)]
        ring = [around(a, radius + width / 2) for a in arc] + [around(a, radius - width / 2) for a in reversed(arc)]
        pen.polygon(ring, WHITE)
        tip = around(arc[-1] + 0.62, radius - 1.5)
        pen.polygon([around(arc[-1] - 0.06, radius + 12.5), tip, around(arc[-1] - 0.06, radius - 12.5)], WHITE)


def _pedestrians(pen: Pen) -> None:
    _warning(pen, TRIANGLE_UP)
    pen.disc(51.5, 36.5, 4.9, BLACK)
    pen.stroke([(50, 46), (49.5, 59)], 8.2, BLACK)  # trunk
    pen.stroke([(50, 45.5), (41, 52), (39, 58)], 3.8, BLACK)  # arms
    pen.stroke([(51, 45.5), (58, 53), (63, 53.5)], 3.8, BLACK)
    pen.stroke([(48.5, 59), (45.5, 68), (37, 77.5)], 5.4, BLACK)  # legs
    pen.stroke([(50.5, 59), (57, 67.5), (60.5, 77.5)], 5.4, BLACK)


FACES: dict[str, Callable[[Pen], None]] = {
    "speed limit 30": _speed("30"),
    "speed limit 50": _speed("50"),
    "speed limit 80": _speed("80"),
    "speed limit 100": _speed("100"),
    "stop": _stop,
    "give way": _give_way,
    "no entry": _no_entry,
    "priority road": _priority_road,
    "no overtaking": _no_overtaking,
    "ahead only": _ahead_only,
    "roundabout": _roundabout,
    "pedestrians": _pedestrians,
}
CLASS_NAMES: tuple[str, ...] = tuple(FACES)


@lru_cache(maxsize=64)
def _drawn(class_index: int, size: int) -> Image:
    pen = Pen(size * SUPERSAMPLING)
    FACES[CLASS_NAMES[class_index]](pen)
    return pen.picture.reduce(SUPERSAMPLING)


def face(class_index: int, size: int) -> Image:
    """The clean picture of a sign, RGBA, ``size`` x ``size`` pixels, transparent around the sign.

    Args:
        class_index: position in :data:`CLASS_NAMES`.
        size: 8 to 1024 pixels.

    Raises:
        BadInput: ``no_such_class`` or ``face_size_out_of_range``.
    """
    if not 0 <= class_index < len(CLASS_NAMES):
        raise BadInput(
            "no_such_class",
            f"There is no road sign number {class_index}; they are numbered 0 to {len(CLASS_NAMES) - 1}.",
            number=class_index,
            last=len(CLASS_NAMES) - 1,
        )
    if not 8 <= size <= MAX_SIDE:
        raise BadInput(
            "face_size_out_of_range",
            f"A sign can be drawn 8 to {MAX_SIDE} pixels wide, not {size}.",
            size=size,
            least=8,
            most=MAX_SIDE,
        )
    return _drawn(class_index, size).copy()
