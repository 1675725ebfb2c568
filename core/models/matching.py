"""One-to-one mappings between the parts of two lists, by shape and by the roles that names give.

Parts of one kind (the same shapes) can only be told apart by where they stand. Names help without being understood:
parts whose names differ in numbers alone (``layer.0.norm``, ``layer.1.norm``) are one role, in the order of their
numbers. A role of the one list goes to one or more whole roles of the other, and to the same ones for every kind.
What then remains open (two norms of one shape in each block) gives several mappings, and the clean images decide.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from core.models.parts import Part

Mapping = tuple[tuple[Part, Part], ...]  # (of the file, of the network)
_MOST_ROLES = 9  # of one kind and list, for all ways to be gone through
_MOST_ORDERED = 4  # roles whose orders within a block are all tried
_MOST_WAYS = 60  # for one kind
_MOST_TRIED = 20_000  # ways held against those of other kinds: names can be made up so that hardly any agree


@dataclass(frozen=True)
class _Way:
    """One way to pair the parts of a kind. ``links``: which roles go together, and which do not; ``before``: which of
    two roles comes first within a block; ``turned``: pairs of parts in another order than the file has them."""

    pairs: Mapping
    links: dict[tuple[str, str], bool] = field(default_factory=dict)
    before: dict[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def turned(self) -> int:
        given = [part.at for part, _ in sorted(self.pairs, key=lambda pair: pair[1].at)]
        return sum(a > b for a, b in itertools.combinations(given, 2))


def mappings(file: Sequence[Part], net: Sequence[Part], most: int) -> list[Mapping]:
    """All mappings that roles allow, up to ``most``, those first that keep most of the file's order.

    Args:
        file, net: parts of the same kinds, as often in the one as in the other.
    """
    kinds = dict.fromkeys(part.kind for part in net)
    ways = [_ways([p for p in file if p.kind == kind], [p for p in net if p.kind == kind]) for kind in kinds]
    ways.sort(key=len)
    agreeing = _Agreeing(_MOST_TRIED)
    found = list(itertools.islice(_together(ways, agreeing), most))
    if not found or (agreeing.left < 0 and len(found) < most):  # none agree, or nobody knows how many more
        found = list(itertools.islice(_together(ways, _always), most))
    found.sort(key=lambda chosen: sum(way.turned for way in chosen))
    return [tuple(pair for way in chosen for pair in way.pairs) for chosen in found]


def _together(
    ways: Sequence[Sequence[_Way]], agrees: Callable[[_Way, Sequence[_Way]], bool], chosen: tuple[_Way, ...] = ()
) -> Iterator[tuple[_Way, ...]]:
    """One way for each kind, all of which agree."""
    if len(chosen) == len(ways):
        yield chosen
        return
    for way in ways[len(chosen)]:
        if agrees(way, chosen):
            yield from _together(ways, agrees, (*chosen, way))


class _Agreeing:
    """Whether a way agrees with the others that were chosen; after ``left`` questions, that none does any more."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, way: _Way, chosen: Sequence[_Way]) -> bool:
        self.left -= 1
        if self.left < 0:
            return False
        links = (other.links.get(key, said) == said for other in chosen for key, said in way.links.items())
        before = (other.before.get(key, said) == said for other in chosen for key, said in way.before.items())
        return all(links) and all(before)


def _always(way: _Way, chosen: Sequence[_Way]) -> bool:
    return True


def _ways(file: list[Part], net: list[Part]) -> list[_Way]:
    """Ways to pair parts of one kind, the least turned first; the same pairs once."""
    ours, theirs = _by_role(net), _by_role(file)
    ways: dict[Mapping, _Way] = {}
    if max(len(ours), len(theirs)) <= _MOST_ROLES:
        for groups in itertools.islice(_groups(theirs, ours), _MOST_WAYS):
            links = {(f, n): any(f in fs and n in ns for fs, ns in groups) for f in theirs for n in ours}
            options = [_orders([theirs[f] for f in fs], [ours[n] for n in ns]) for fs, ns in groups]
            for orders in itertools.islice(itertools.product(*options), _MOST_WAYS):
                pairs = tuple(pair for order, _ in orders for pair in order)
                before = {key: said for _, told in orders for key, said in told.items()}
                ways.setdefault(pairs, _Way(pairs, links, before))
    if not ways:  # no roles that answer to one another
        for order in (_given, _numbered):
            pairs = tuple(zip(sorted(file, key=order), sorted(net, key=_given), strict=True))
            ways.setdefault(pairs, _Way(pairs))
    return sorted(ways.values(), key=lambda way: way.turned)[:_MOST_WAYS]


def _by_role(parts: Sequence[Part]) -> dict[str, list[Part]]:
    roles: dict[str, list[Part]] = {}
    for part in parts:
        roles.setdefault(part.role, []).append(part)
    return roles


Roles = dict[str, list[Part]]


def _groups(theirs: Roles, ours: Roles) -> Iterator[list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """All ways to give each role whole roles of the other list, with as many parts: one to some, or some to one."""
    if not theirs and not ours:
        yield []
        return
    largest = max(len(parts) for roles in (theirs, ours) for parts in roles.values())
    mine = next((role for role, parts in theirs.items() if len(parts) == largest), None)
    one = mine if mine is not None else next(role for role, parts in ours.items() if len(parts) == largest)
    others = ours if mine is not None else theirs
    for count in range(1, len(others) + 1):
        for some in itertools.combinations(others, count):
            if sum(len(others[role]) for role in some) != largest:
                continue
            left = {r: p for r, p in theirs.items() if r not in ((one,) if mine is not None else some)}
            rest = {r: p for r, p in ours.items() if r not in (some if mine is not None else (one,))}
            for more in _groups(left, rest):
                yield [((one,), some) if mine is not None else (some, (one,)), *more]


def _orders(file: list[list[Part]], net: list[list[Part]]) -> list[tuple[Mapping, dict[tuple[str, str], bool]]]:
    """The pairs of a group of roles, in each order that they may stand in within a block."""
    ours = sorted((part for parts in net for part in parts), key=_given)
    everyone = [part for parts in file for part in parts]
    if len(file) == 1:
        return [(tuple(zip(sorted(everyone, key=_numbered), ours, strict=True)), {})]
    found: list[tuple[Mapping, dict[tuple[str, str], bool]]] = []
    roles = [parts[0].role for parts in file]
    for order in itertools.permutations(roles) if len(roles) <= _MOST_ORDERED else ():
        rank = {role: at for at, role in enumerate(order)}
        by_block = sorted(everyone, key=lambda part: (part.numbers, rank[part.role]))
        before = {(a, b): rank[a] < rank[b] for a, b in itertools.permutations(roles, 2)}
        found.append((tuple(zip(by_block, ours, strict=True)), before))
    # last: where it is one of these, what that one says of the roles holds for the other kinds too
    return [*found, (tuple(zip(sorted(everyone, key=_given), ours, strict=True)), {})]


def _given(part: Part) -> int:
    return part.at


def _numbered(part: Part) -> tuple[tuple[int, ...], int]:
    return part.numbers, part.at
