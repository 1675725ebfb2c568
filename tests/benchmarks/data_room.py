"""The data room in the lab: recall and false alarms of every filter on poisoned digits and signs.

Which filter decides by default was chosen on the digits (BadNets and Blended, 5 and 10 %, seed 0 and 1); the signs are
where that choice is judged.
"""

from __future__ import annotations

from core.dataroom import FILTERS
from core.dataroom.review import rates
from core.dataroom.room import model_of, visit
from core.dataroom.trainset import read

SETS = (("digits", 0), ("signs", 3000))
ATTACKS = ("badnets", "blended", "wanet")
SHARES = (0.05, 0.1)
TARGET = 2
Row = tuple[str, str, str]


def rows(
    sets: tuple[tuple[str, int], ...] = SETS, attacks: tuple[str, ...] = ATTACKS, shares: tuple[float, ...] = SHARES,
    seed: int = 0,
) -> list[Row]:  # fmt: skip
    """Figure, measured, asked for.

    Args:
        sets: names, and how many of their training images are taken (0: all).
    """
    found = []
    for name, most in sets:
        for attack in attacks:
            for share in shares:
                room = read(name, attack=attack, target=TARGET, rate=share, most=most, seed=seed)
                model, _ = model_of(room, "", "small", seed, "cpu", lambda stage, done, total: None)
                verdict = visit(room, model, seed=seed)
                labels = room.y.numpy()
                for method in FILTERS:
                    recall, alarms = rates(verdict.judged[method].flags(labels), room.poisoned)
                    title = f"{name}, {attack} at {100 * share:.0f} %, {method}: recall, false alarms"
                    found.append((title, f"{recall:.1f} %, {alarms:.1f} %", ">= 95 %, <= 5 %"))
    return found
