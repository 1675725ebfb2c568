"""``rollout``: a purified model is taken into use in stages."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import paths
from core.cli.options import DONE, EXIT_CODES, INTERRUPTED, add_json, seconds
from core.cli.terminal import CountBar, table, terminated_like_interrupted
from core.errors import BadInput
from core.files import require_room, strict_json
from core.rollout import place, wording
from core.rollout.order import order
from core.rollout.rule import Rule
from core.rollout.state import State
from core.runs.record import Run, find
from core.words import LANGUAGES, Words

if TYPE_CHECKING:
    from core.rollout.service import Rollout
    from core.watch.inbox import Arrival, Inbox

BATCH = 64  # images that are read and answered together
LIMITS = ("images", "share", "disagreement", "ba_loss")


def rollout_arguments(command: argparse.ArgumentParser) -> None:
    rule = Rule()
    command.epilog = (
        "examples:\n"
        "  python -m core rollout last --inbox camera/ --once        answer what is there, and end\n"
        "  python -m core rollout last --inbox camera/ --auto        until Ctrl-C; goes on by itself\n"
        "  python -m core rollout last                               where it stands\n"
        "  python -m core rollout last --go on                       a person's decision\n"
        "Stages: shadow (both models answer, the original's answer is used), share (the purified model answers a\n"
        "share of the images, chosen by a hash of each), all; and off, to which it goes back from shadow.\n"
        "Disagreement and accuracy are counted on images that do not look triggered to a guard of the original.\n"
        "It lies in RUN/rollout.\n"
        "For a service: core.rollout.service.Rollout(run).answer(images).\n\n" + EXIT_CODES
    )
    command.add_argument("run", metavar="RUN", help="id, folder, or last; a run that handed out a purified model")
    command.add_argument("--inbox", type=Path, metavar="DIR", help="folder that images arrive in; none is changed")
    command.add_argument("--once", action="store_true", help="answer what is there, and end")
    command.add_argument("--labels", type=Path, metavar="CSV", help="true classes, columns file and label, for the BA")
    command.add_argument("--go", choices=("on", "back"), help="go on or back by one stage, and end")
    command.add_argument(
        "--auto", action="store_true", help="go on by itself where the rule says so; back it always does"
    )
    command.add_argument("--images", type=int, metavar="N", help=f"least images in a stage, {rule.images} at first")
    command.add_argument("--share", type=float, metavar="PERCENT", help=f"of the traffic, {rule.share:g} at first")
    command.add_argument(
        "--disagreement", type=float, metavar="PERCENT", help=f"largest disagreement, {rule.disagreement:g} at first"
    )
    command.add_argument(
        "--ba-loss", type=float, metavar="POINTS", help=f"largest loss of accuracy, {rule.ba_loss:g} at first"
    )
    command.add_argument("--anew", action="store_true", help="begin again in the stage shadow")
    command.add_argument("--every", type=seconds, default=1.0, metavar="S", help="seconds between two looks")
    command.add_argument("--language", choices=LANGUAGES, default="en", help="of the reasons")
    command.add_argument("--note", action="store_true", help=argparse.SUPPRESS)  # a job's note, for the page
    add_json(command)


def rollout(arguments: argparse.Namespace) -> int:
    """Answers the images of an inbox, moves by a stage, or tells where a roll-out stands."""
    run = find(arguments.run)
    if arguments.go:
        order(run, arguments.go)
    if arguments.go or arguments.inbox is None:
        return _tell(run, arguments)
    folder = place.folder_of(run)
    require_room(folder)
    if not arguments.note:
        return _visit(run, arguments, lambda stage, done, total: None)
    from core.jobs.note import told

    with told(folder / place.JOB) as report:
        return _visit(run, arguments, report)


def _visit(run: Run, arguments: argparse.Namespace, report: Callable[[str, float, float], None]) -> int:
    from core.rollout.service import Rollout  # torch from here on
    from core.watch.inbox import Inbox

    kept = place.read_state(place.folder_of(run))
    given = {name: value for name in LIMITS if (value := getattr(arguments, name)) is not None}
    rule = replace(kept.rule if kept else Rule(), **given) if given else None
    inbox = Inbox(paths.expanded(arguments.inbox), lock=False)
    with CountBar("Profile") as bar:

        def progress(done: int, total: int) -> None:
            bar(done, total)
            report("profile", done, total)

        held = Rollout(
            run, rule, automatic=arguments.auto, anew=arguments.anew, progress=progress, say=_say
        )  # fmt: skip
    look = _Look(held, inbox, _labels(arguments.labels, held.classes) if arguments.labels else {})
    report("rollout", 0, 0)
    with held, terminated_like_interrupted():
        code = _answer(look, arguments)
    inbox.close()
    words = Words(arguments.language)
    if arguments.json:
        print(strict_json(_result(run, held.state, words) | look.result()))
    else:
        print(look.summary())
        print(_told(held.state, words))
    return code


def _answer(look: _Look, arguments: argparse.Namespace) -> int:
    with CountBar("Answering", "image") as bar:
        look(bar)
    if arguments.once:
        return DONE
    try:
        while True:
            time.sleep(max(0.05, arguments.every))
            look()
    except KeyboardInterrupt:
        return INTERRUPTED


class _Look:
    """Answers what is new in the inbox, file by file in order of name."""

    def __init__(self, held: Rollout, inbox: Inbox, labels: dict[str, int]) -> None:
        self._held, self._inbox, self._labels = held, inbox, labels
        self.answers: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self._broken: dict[str, tuple[int, int]] = {}  # size and time of change of those
        self._answered: dict[str, tuple[int, int]] = {}  # likewise; the log has none of the stage "off"
        self.waiting = 0

    def __call__(self, progress: Callable[[int, int], None] | None = None) -> None:
        self._held.obey()
        if not self._inbox.hold():
            return
        fresh = [one for one in self._inbox.arrivals() if not self._known(one)]
        self.waiting, done, arrivals = 0, 0, iter(fresh)
        while part := list(islice(arrivals, BATCH)):
            self._part(part)
            done += len(part)
            if progress:
                progress(done, len(fresh))

    def _known(self, one: Arrival) -> bool:
        known = (self._held.seen, self._answered, self._broken)
        return (one.size, one.changed) in [files.get(one.file) for files in known]

    def _part(self, part: Sequence[Arrival]) -> None:
        import numpy as np

        from core.watch.inbox import SETTLED

        good, pixels = [], []
        for one in part:
            try:
                pixels.append(self._inbox.read(one, self._held.size, self._held.bits))
                good.append(one)
                self.unreadable.pop(one.file, None)
            except BadInput as error:
                if time.time() - one.changed / 1e9 < SETTLED:
                    self.waiting += 1
                else:
                    self.unreadable[one.file], self._broken[one.file] = error.message, (one.size, one.changed)
                    _say(error.message)
        if not good:
            return
        labels = [self._labels.get(one.file) for one in good]
        found = self._held.answer(np.stack(pixels), labels, good)
        self._answered |= {one.file: (one.size, one.changed) for one in good}
        names = self._held.classes
        self.answers |= {one.file: names[answer] for one, answer in zip(good, found, strict=True)}

    def result(self) -> dict[str, Any]:
        unreadable = [{"file": file, "why": why} for file, why in self.unreadable.items()]
        return {"answers": self.answers, "unreadable": unreadable, "waiting": self.waiting}

    def summary(self) -> str:
        return f"{len(self.answers):,} images answered, {len(self.unreadable):,} files could not be read."


def _labels(path: Path, classes: Sequence[str]) -> dict[str, int]:
    """The true class of each file.

    Raises:
        BadInput: ``bad_labels``.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    numbers |= {str(number): number for number in range(len(classes))}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {row["file"].strip(): numbers[row["label"].strip()] for row in csv.DictReader(file)}
    except (OSError, UnicodeError, csv.Error, KeyError, AttributeError) as error:
        raise BadInput(
            "bad_labels",
            f"The labels in {path} cannot be used ({type(error).__name__}: {error}); write a CSV with the columns file "
            f"and label, each label a class's name or its number from 0 to {len(classes) - 1}.",
            path=str(path), reason=str(error), last=len(classes) - 1,
        ) from None  # fmt: skip


def _tell(run: Run, arguments: argparse.Namespace) -> int:
    state, words = place.read_state(place.folder_of(run)), Words(arguments.language)
    if state is None:
        raise BadInput(
            "rollout_not_begun",
            f"The run {run.id} has no roll-out yet; begin one with: python -m core rollout {run.id} --inbox DIR",
            run=run.id,
        )
    print(strict_json(_result(run, state, words)) if arguments.json else _told(state, words))
    return DONE


def _result(run: Run, state: State, words: Words) -> dict[str, Any]:
    """The one JSON object of ``--json``."""
    decision, tally = state.decision, state.tally
    reasons = [
        {"key": reason.key, "facts": dict(reason.facts), "sentence": text}
        for reason, text in zip(decision.reasons, wording.reasons(decision, words), strict=True)
    ]
    return {
        "run": run.id, "stage": state.stage, "decision": decision.move, "reasons": reasons, "rule": asdict(state.rule),
        "tally": asdict(tally), "compared": tally.compared, "disagreement": tally.disagreement,
        "disagreement_interval": tally.interval, "ba_loss": tally.ba_loss, "images": state.images,
        "answered_by_purified": state.purified, "moves": state.moves, "out": str(place.folder_of(run)),
    }  # fmt: skip


def _told(state: State, words: Words) -> str:
    tally, interval = state.tally, state.tally.interval
    share = f"{tally.disagreement:.1f} % (95 %: {interval.low:.1f} to {interval.high:.1f})" if interval else "-"
    rows = [
        ["images in this stage", f"{tally.images:,}"],
        ["of these look triggered", f"{tally.flagged:,}"],
        ["  and the models differ", f"{tally.averted:,}"],
        ["the others: models differ", f"{tally.differ:,}, {share}"],
        ["with a label: lost, gained", f"{tally.labelled:,}: {tally.lost:,}, {tally.gained:,}"],
        ["answered by the purified model", f"{state.purified:,} of {state.images:,} in all"],
    ]
    decision = state.decision
    lines = [f"Stage: {words(f'rollout.stage.{state.stage}')}", table(["", "count"], rows)]
    lines.append(f"{words(f'rollout.decision.{decision.move}')}: {' '.join(wording.reasons(decision, words))}")
    return "\n".join([*lines, *(wording.move(entry, words) for entry in state.moves[-3:])])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
