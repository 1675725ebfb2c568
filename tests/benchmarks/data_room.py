"""The data room in the lab: recall and false alarms of every filter, and what each way on leaves of the attack.

Which filter decides by default was chosen on the digits (BadNets and Blended, 5 and 10 %, seed 0 and 1); all other sets
are where that choice is judged. CIFAR-10 and GTSRB are left out where they are not on this computer. Models and rows
are kept in the cache, so that a benchmark that was cut off goes on where it was.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from core import paths
from core.data import FETCHED
from core.dataroom import FILTERS, THEN
from core.dataroom.cures import cure, purify
from core.dataroom.review import rates
from core.dataroom.room import Verdict, figures, model_of, visit
from core.dataroom.seen import fresh
from core.dataroom.trainset import TrainSet, read
from core.errors import BadInput
from core.files import write_atomic
from core.models.classifier import Classifier
from core.models.weights import fill, read_weights, save_weights

TARGET = 2
ARCH = "small"
MOST = {"signs": 3000, "cifar10": 5000, "gtsrb": 5000}  # training images that are taken, where all would take too long
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
    target: int = TARGET

    @property
    def title(self) -> str:
        return f"{self.images}, {self.attack} at {100 * self.share:.0f} %, seed {self.seed}"

    @property
    def name(self) -> str:
        """Of its files in the cache."""
        return f"{self.images}-{self.most}-{self.attack}-{100 * self.share:.0f}-{self.target}-{self.seed}"


WITH_WAYS = (("digits", "badnets"), ("digits", "blended"), ("signs", "badnets"))
CASES = (
    *(
        Case(images, MOST.get(images, 0), attack, share, THEN if share == 0.1 and (images, attack) in WITH_WAYS else ())
        for images in ("digits", "signs", *FETCHED)
        for attack in ("badnets", "blended", "wanet")
        for share in (0.05, 0.1)
    ),
    *(Case("signs", MOST["signs"], attack, 0.1, found=True) for attack in ("adap-blend", "adap-patch", "indivisible")),
    *(Case("signs", MOST["signs"], attack, 0.5, found=True) for attack in ("sig", "label-consistent")),
    *(Case(images, MOST.get(images, 0), "wanet", 0.1, found=True) for images in ("signs", "digits")),
)


class Bench:
    """A case's set, model and verdict, each made the first time it is asked for; the model is kept."""

    def __init__(self, case: Case, kept: Path) -> None:
        self.case, self.kept = case, kept

    @cached_property
    def room(self) -> TrainSet:
        case = self.case
        return read(
            case.images, attack=case.attack, target=case.target, rate=case.share, most=case.most, seed=case.seed
        )  # fmt: skip

    @cached_property
    def model(self) -> Classifier:
        file, case = self.kept / f"{self.case.name}.safetensors", self.case
        if file.exists():
            model = fresh(self.room.images, ARCH, case.seed)
            fill(model.net, read_weights(file), ARCH, self.room.images.num_classes)
            return model.eval()
        model, _ = model_of(self.room, "", ARCH, case.seed, "cpu", lambda stage, done, total: None)
        save_weights(file, model.net.state_dict())
        return model

    @cached_property
    def verdict(self) -> Verdict:
        return visit(self.room, self.model, seed=self.case.seed)

    @cached_property
    def named(self) -> Verdict:
        """The verdict where the user names the class, as with ``--target``."""
        return visit(self.room, self.model, target=self.case.target, seed=self.case.seed)


def rows(cases: Sequence[Case] = CASES) -> list[Row]:
    """Figure, measured, asked for."""
    kept = paths.cache_folder() / "data-room-bench"
    kept.mkdir(parents=True, exist_ok=True)
    return [row for case in cases for row in of_case(case, kept)]


def of_case(case: Case, kept: Path) -> Iterator[Row]:
    """The rows of one set, as they are measured; looked up where they were measured before."""
    file = kept / f"{case.name}.json"
    told: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    bench = Bench(case, kept)
    for title, asked, measured in _figures(case, bench):
        if title not in told:
            try:
                told[title] = measured()
            except BadInput as fault:
                if fault.code != "image_set_not_found":
                    raise
                yield (case.title, "skipped", "-")
                return
            write_atomic(file, json.dumps(told, indent=1).encode())
            print(f"{title}: {told[title]}", file=sys.stderr, flush=True)
        yield (title, told[title], asked)


def _figures(case: Case, bench: Bench) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """What is measured of a case: figure, asked for, and the work."""
    yield (f"{case.title}: BA, true ASR", "-", partial(_before, bench))
    for method in FILTERS:
        yield (f"{case.title}, {method}: recall, false alarms", ">= 95 %, <= 5 %", partial(_filter, bench, method))
    for way in case.then:
        yield (f"{case.title}, {way}: BA, true ASR", "ASR <= 3 %", partial(_way, bench, way))
    if case.found:
        for found in (False, True):
            title = f"{case.title}, MCL with{'' if found else 'out'} found images: BA, true ASR"
            yield (title, "ASR <= 3 %" if found else "-", partial(_found, bench, found))


def _before(bench: Bench) -> str:
    return _pair(*figures(bench.model, bench.room, bench.verdict.left_out))


def _filter(bench: Bench, method: str) -> str:
    judged, verdict = bench.verdict.judged[method], bench.verdict
    recall, alarms = rates(judged.flags(bench.room.y.numpy()), bench.room.poisoned)
    return f"{_pair(recall, alarms)}; {verdict.seconds[method]:.0f} s; suspects {judged.target}"


def _way(bench: Bench, way: str) -> str:
    try:
        cured = cure(way, bench.room, bench.verdict, ARCH, bench.case.seed, lambda stage, done, total: None)
    except BadInput as fault:
        return fault.code
    return f"{_pair(cured.ba, cured.asr)}; {60 * cured.minutes:.0f} s"


def _found(bench: Bench, found: bool) -> str:
    """MCL with reconstructed triggers alone, or with the found images beside them.

    Where the filter suspects another class than the attack's, or none, the class is named, as a user may do.
    """
    case, verdict = bench.case, bench.verdict
    right = verdict.target == case.target
    verdict = verdict if right else bench.named
    try:
        purified = purify(bench.room, verdict, ARCH, case.seed, lambda stage, done, total: None, found)
    except BadInput as fault:
        return fault.code
    ba, asr = figures(purified, bench.room, verdict.left_out)
    recall, alarms = rates(verdict.left_out, bench.room.poisoned)
    return f"{_pair(ba, asr)}; flagged {_pair(recall, alarms)}{'' if right else ' (class named)'}"


def _pair(first: float | None, second: float | None) -> str:
    return ", ".join("-" if one is None else f"{one:.1f} %" for one in (first, second))


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
