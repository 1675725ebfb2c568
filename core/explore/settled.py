"""The settings of a settled map: those of umap-learn that the page Explore offers. Light to import.

A settled map is drawn once, to the end, by ``umap.UMAP``; the live map of a run (``core.featuremap``) goes on from
frame to frame instead. Names and meaning of the settings are umap-learn's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.errors import BadInput

METRICS = ("euclidean", "cosine")
SUPERVISIONS = ("none", "class", "answer")
FEWEST_NEIGHBORS, MOST_NEIGHBORS = 2, 200
MOST_MIN_DIST = 0.99  # umap-learn: no more than its spread, which is 1
MOST_SEED = 2**32 - 1  # of numpy's RandomState
PREFIX = "settled:"


@dataclass(frozen=True)
class Settled:
    """The settings of one settled map.

    Args:
        dims: 2 or 3.
        n_neighbors: neighbours of a point that shape the map, 2-200; where there are fewer points, all of them.
        min_dist: how close points may lie on the map, 0-0.99; neighbours that are drawn tight are about 1 apart.
        metric: of the features, "euclidean" or "cosine", which leaves their length out.
        densmap: keep dense groups dense and loose ones loose (Narayan, Berger and Cho, Nature Biotechnology 2021).
        supervised: labels that pull points together, "none", "class" (the true one) or "answer" (of the model shown).
        seed: 0 to 2**32 - 1: the same map every time, on one thread; None: all threads, another map every time.

    Raises:
        BadInput: ``settled_setting`` with name, value and what is allowed.
    """

    dims: int = 2
    n_neighbors: int = 15
    min_dist: float = 0.1
    metric: str = "euclidean"
    densmap: bool = False
    supervised: str = "none"
    seed: int | None = 0

    def __post_init__(self) -> None:
        seeded = self.seed is None or 0 <= self.seed <= MOST_SEED
        _check("dims", self.dims, self.dims in (2, 3), "2 or 3")
        enough = FEWEST_NEIGHBORS <= self.n_neighbors <= MOST_NEIGHBORS
        _check("n_neighbors", self.n_neighbors, enough, f"{FEWEST_NEIGHBORS} to {MOST_NEIGHBORS}")
        _check("min_dist", self.min_dist, 0 <= self.min_dist <= MOST_MIN_DIST, f"0 to {MOST_MIN_DIST}")
        _check("metric", self.metric, self.metric in METRICS, ", ".join(METRICS))
        _check("supervised", self.supervised, self.supervised in SUPERVISIONS, ", ".join(SUPERVISIONS))
        _check("seed", self.seed, seeded, f"0 to {MOST_SEED}, or none")

    @property
    def key(self) -> str:
        """All settings as one line, "dims=2,n_neighbors=15,...": on the command line, in file names, on the page."""
        return ",".join(f"{name}={_text(value)}" for name, value in asdict(self).items())

    @property
    def id(self) -> str:
        """The map's name among the others of the page."""
        return PREFIX + self.key

    @property
    def changed(self) -> str:
        """The settings that are not the default ones, dimensions left out, as a reader of umap-learn writes them."""
        usual, own = asdict(Settled()), asdict(self)
        return ", ".join(
            f"{name}={_text(value)}" for name, value in own.items() if name != "dims" and value != usual[name]
        )


def read(key: str) -> Settled:
    """The settings of a line like ``Settled.key``; what it does not name has its default.

    Raises:
        BadInput: as ``Settled``; also of a name that is none, and of a value that cannot be read.
    """
    known = {field.name: type(field.default) for field in fields(Settled)}
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in key.split(","))):
        name, _, text = part.partition("=")
        if name not in known:
            raise _refusal(name, text, "a setting named " + ", ".join(known))
        found[name] = _value(name, text, known[name])
    return Settled(**found)


def of(asked: Mapping[str, Any]) -> Settled | None:
    """The settings of the map that a page asks for by its ``id``; None where there is no such map."""
    name = str(asked.get("id", ""))
    try:
        return read(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    except BadInput:
        return None


def _value(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text not in ("yes", "no"):
            raise _refusal(name, text, "yes or no")
        return text == "yes"
    if name == "seed" and text == "none":
        return None
    try:
        return kind(text)
    except ValueError:
        raise _refusal(name, text, "a number") from None


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check(name: str, value: Any, good: bool, allowed: str) -> None:
    if not good:
        raise _refusal(name, value, allowed)


def _refusal(name: str, value: Any, allowed: str) -> BadInput:
    return BadInput(
        "settled_setting", f"A settled map has no {name}={value}; allowed: {allowed}.", name=name, value=str(value),
        allowed=allowed,
    )  # fmt: skip
