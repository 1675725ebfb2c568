"""The data room in the lab: recall and false alarms of every filter, and what each way on leaves of the attack.

Which filter decides by default was chosen on the digits (BadNets and Blended, 5 and 10 %, seed 0 and 1); all other sets
are where that choice is judged. CIFAR-10 and GTSRB are left out where they are not on this computer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.data import FETCHED
from core.dataroom import FILTERS, THEN
from core.dataroom.cures import cure, purify
from core.dataroom.review import rates
from core.dataroom.room import Verdict, figures, model_of, visit
from core.dataroom.trainset import TrainSet, read
from core.errors import BadInput

TARGET = 2
ARCH = "small"
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Case:
    """A poisoned set.

    ``most``: training images that are taken (0: all). ``share``: of the set that is poisoned, 0-1; of a clean-label
    attack, of the target class. ``then``: ways on that are measured. ``found``: whether MCL is measured with and
    without the found images.
    """

    images: str
    most: int
    attack: str
    share: float
    then: tuple[str, ...] = ()
    found: bool = False
    seed: int = 0

    @property
    def title(self) -> str:
        return f"{self.images}, {self.attack} at {100 * self.share:.0f} %, seed {self.seed}"


WITH_WAYS = (("digits", 0, "badnets"), ("digits", 0, "blended"), ("signs", 3000, "badnets"))
CASES = (
    *(
        Case(images, most, attack, share, THEN if share == 0.1 and (images, most, attack) in WITH_WAYS else ())
        for images, most in (("digits", 0), ("signs", 3000))
        for attack in ("badnets", "blended", "wanet")
        for share in (0.05, 0.1)
    ),
    *(Case("signs", 3000, attack, 0.1) for attack in ("adap-blend", "adap-patch")),
    *(Case("signs", 3000, attack, 0.5) for attack in ("sig", "label-consistent")),
    *(Case(images, 10000, "badnets", 0.1) for images in FETCHED),
)


def rows(cases: Sequence[Case] = CASES) -> list[Row]:
    """Figure, measured, asked for."""
    return [row for case in cases for row in of_case(case)]


def of_case(case: Case) -> Iterator[Row]:
    """The rows of one set, as they are measured."""
    try:
        room = read(
            case.images, attack=case.attack, target=TARGET, rate=case.share, most=case.most, seed=case.seed
        )  # fmt: skip
    except BadInput as fault:
        if fault.code != "image_set_not_found":
            raise
        yield (case.title, "skipped", "-")
        return
    model, _ = model_of(room, "", ARCH, case.seed, "cpu", lambda stage, done, total: None)
    verdict = visit(room, model, seed=case.seed)
    yield (f"{case.title}: BA, true ASR", _pair(*figures(model, room, verdict.left_out)), "-")
    labels = room.y.numpy()
    for method in FILTERS:
        judged = verdict.judged[method]
        recall, alarms = rates(judged.flags(labels), room.poisoned)
        at = f"{verdict.seconds[method]:.0f} s; suspects {judged.target}"
        yield (f"{case.title}, {method}: recall, false alarms", f"{_pair(recall, alarms)}; {at}", ">= 95 %, <= 5 %")
    for way in case.then:
        yield _way(case, room, verdict, way)
    if case.found:
        yield from _found(case, room, verdict)


def _way(case: Case, room: TrainSet, verdict: Verdict, way: str) -> Row:
    title = f"{case.title}, {way}: BA, true ASR"
    try:
        cured = cure(way, room, verdict, ARCH, case.seed, lambda stage, done, total: None)
    except BadInput as fault:
        return (title, fault.code, "ASR <= 3 %")
    return (title, f"{_pair(cured.ba, cured.asr)}; {60 * cured.minutes:.0f} s", "ASR <= 3 %")


def _found(case: Case, room: TrainSet, verdict: Verdict) -> Iterator[Row]:
    """MCL with reconstructed triggers alone, and with the found images beside them."""
    for found in (False, True):
        title = f"{case.title}, MCL with{'' if found else 'out'} found images: BA, true ASR"
        try:
            purified = purify(room, verdict, ARCH, case.seed, lambda stage, done, total: None, found)
        except BadInput as fault:
            yield (title, fault.code, "ASR <= 3 %")
            continue
        yield (title, _pair(*figures(purified, room, verdict.left_out)), "ASR <= 3 %" if found else "-")


def _pair(first: float | None, second: float | None) -> str:
    return ", ".join("-" if one is None else f"{one:.1f} %" for one in (first, second))
