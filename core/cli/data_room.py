"""``data-room``: which images of a training set are suspicious, a list of them, and what to do then."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.attacks import IN_SETS
from core.cli.options import add_device, add_json, add_seed, add_settings, names
from core.cli.terminal import CountBar, table
from core.data import IMAGE_SETS
from core.dataroom import FILTERS, NEED_TRUSTED, THEN
from core.errors import BadInput
from core.files import require_room, strict_json, write_atomic
from core.words import Words

if TYPE_CHECKING:
    from core.dataroom.room import Verdict
    from core.dataroom.trainset import TrainSet

STAGES = {"load": "Reading", "train": "Training", "look": "Looking", "filter": "Filtering", "then": "Then"}


def data_room_arguments(command: argparse.ArgumentParser) -> None:
    say = Words("en")
    command.epilog = (
        "examples:\n"
        "  python -m core data-room photos/                      which images are suspicious: a list\n"
        "  python -m core data-room photos/ --trusted clean/ --write folder\n"
        "  python -m core data-room digits --poison badnets --rate 0.1    in the lab, where the truth is known\n"
        "  python -m core data-room digits --poison blended --then all --json | tail -1\n"
        "  python -m core data-room photos/ --reviewed edited.csv --then retrain    by a list that you have corrected\n"
        "Nothing is deleted: out come cleaned.csv, data_room.json, and copies or links if you ask for them.\n"
        "Recall and false alarms are told where the truth is known, in percent of the poisoned and of the clean images."
    )
    command.add_argument("set", metavar="SET", help=f"{', '.join(IMAGE_SETS)}, a folder or an .npz file")
    command.add_argument(
        "--model", default="", metavar="WEIGHTS", help="look through this model instead of training one"
    )
    command.add_argument("--arch", default="small", help="the network that is trained where no model is given")
    command.add_argument(
        "--trusted", default="", metavar="SET", help="images of these classes that are known to be clean"
    )
    command.add_argument(
        "--filters", type=names, default=list(FILTERS), metavar="NAMES",
        help="of " + ", ".join(f"{name} ({say(f'data_room.filter.{name}')})" for name in FILTERS),
    )  # fmt: skip
    command.add_argument(
        "--filter", default="", metavar="NAME", help="the filter that decides; the best of those asked for"
    )
    bar = command.add_mutually_exclusive_group()
    bar.add_argument("--threshold", type=float, metavar="X", help="flag from this score of the deciding filter on")
    bar.add_argument(
        "--false-alarms", type=float, default=0.05, metavar="RATE",
        help="share of a suspected class's clean images that may be flagged, 0-1",
    )  # fmt: skip
    command.add_argument("--target", type=int, metavar="K", help="the suspected class, where it is known")
    command.add_argument(
        "--reviewed", type=Path, metavar="LIST.csv",
        help="a list of this set that you have edited, which decides what is left out: by its column reviewed (keep or "
        "flag), and where that is empty or not there, flagged (0 or 1)",
    )  # fmt: skip
    command.add_argument(
        "--then",
        choices=[*THEN, "all"],
        help="train anew, purify, train with suppression (ABL), split and train (ASD; good on digits, failed on 3,000 "
        "road signs), or all, side by side",
    )
    command.add_argument("--write", choices=["npz", "folder"], help="write the images that are not flagged as well")
    command.add_argument("--out", type=Path, metavar="DIR", help="where to write; data-room-SET if nothing is said")
    command.add_argument("--poison", default="", metavar="ATTACK", help=f"in the lab: {', '.join(IN_SETS)}")
    add_settings(command, "--poison-set", "a setting of the attack; repeat for more")
    command.add_argument("--poison-target", type=int, default=0, metavar="K", help="the class the attack leads to")
    command.add_argument("--rate", type=float, default=0.1, help="share of the training images that is poisoned, 0-1")
    command.add_argument("--most", type=int, default=0, metavar="N", help="take N images of a named set; 0: all")
    command.add_argument("--note", action="store_true", help=argparse.SUPPRESS)  # job.json, for the page
    add_seed(command, "of the split, the poisoning and the training")
    add_device(command)
    add_json(command)


def data_room(arguments: argparse.Namespace) -> int:
    """Writes the list, and tells of it."""
    if not arguments.note:
        return _visit(arguments, Stages())
    from core.dataroom.place import JOB
    from core.jobs.note import told

    with told(arguments.out / JOB) as report:
        return _visit(arguments, Stages(report))


def _visit(arguments: argparse.Namespace, stages: Stages) -> int:
    from core.compute.device import choose
    from core.dataroom import review, room, written
    from core.dataroom.place import GIVEN, TRAINED, begin_anew
    from core.dataroom.trainset import read
    from core.models.weights import save_weights

    began = time.monotonic()
    room.check(
        arguments.filters, arguments.filter, arguments.false_alarms, threshold=arguments.threshold,
        most=arguments.most, rate=arguments.rate, name=arguments.set,
    )  # fmt: skip
    if arguments.out:
        _require_place(arguments, arguments.out)
    given = review.read(arguments.reviewed) if arguments.reviewed else None
    filters = list(dict.fromkeys(arguments.filters))
    device = str(choose(arguments.device))
    with stages as report:
        found = read(
            arguments.set, attack=arguments.poison, attack_settings=arguments.poison_set,
            target=arguments.poison_target, rate=arguments.rate, trusted=arguments.trusted, most=arguments.most,
            seed=arguments.seed, progress=lambda done, total: report("load", done, total),
        )  # fmt: skip
        room.check_target(arguments.target, found.images.num_classes)
        if arguments.then in NEED_TRUSTED:
            _require_seeds(found)
        reviewed = given.fitted(found.files, found.y.numpy()) if given else None
        folder = arguments.out or Path(f"data-room-{found.images.name}")
        _require_place(arguments, folder)
        require_room(folder, _needed(found, arguments.write))
        model, arch = room.model_of(found, arguments.model, arguments.arch, arguments.seed, device, report)
        verdict = room.visit(
            found, model, filters=filters, chosen=arguments.filter, false_alarms=arguments.false_alarms,
            threshold=arguments.threshold, target=arguments.target, reviewed=reviewed, seed=arguments.seed,
            report=report,
        )  # fmt: skip
        begin_anew(folder)
        if given:
            write_atomic(folder / GIVEN, given.content)  # it may be the very file that the list below replaces
        else:
            (folder / GIVEN).unlink(missing_ok=True)
        if not arguments.model:
            save_weights(folder / TRAINED, model.net.state_dict())
        place = written.write_list(folder, found, verdict)
        shown = written.write_sheet(folder, found, verdict)
        result = _result(found, verdict, arguments, place) | {"shown": shown, "seconds": _since(began)}
        written.write_result(folder, result)  # the result is kept even if what follows fails
        written.write_map(folder, found, verdict, arguments.seed)
        if arguments.write:
            write = written.write_kept if arguments.write == "npz" else written.write_folder
            result["written"] = str(write(folder, found, verdict))
        if arguments.then:
            result |= _then(found, verdict, arguments, arch, report, folder)
        result["seconds"] = _since(began)
        written.write_result(folder, result)
    if arguments.json:
        print(strict_json(result))
    else:
        print(summary(result))
    return 0


def _require_place(arguments: argparse.Namespace, folder: Path) -> None:
    """What cannot be written there is refused before the work begins. The page's folders are its own."""
    from core.dataroom.place import require_own
    from core.dataroom.written import require_no_folder

    if not arguments.note:
        require_own(folder)
    if arguments.write == "folder":
        require_no_folder(folder)


def _require_seeds(found: TrainSet) -> None:
    from core.dataroom.cures import seeds

    seeds(found)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def _needed(found: TrainSet, write: str | None) -> int:
    return (4 << 20) + len(found.x) * 200 + (int(found.x.nbytes) if write else 0)


def _result(found: TrainSet, verdict: Verdict, arguments: argparse.Namespace, place: Path) -> dict[str, Any]:
    from core.dataroom import review

    labels = found.y.numpy()
    filters = {}
    for name, judged in verdict.judged.items():
        flags = verdict.flagged if name == verdict.chosen else judged.flags(labels)
        recall, alarms = review.rates(flags, found.poisoned)
        own = arguments.threshold if name == verdict.chosen and arguments.threshold is not None else judged.threshold
        filters[name] = {
            "flagged": int(flags.sum()), "target": judged.target, "suspected": list(judged.suspected),
            "recall": recall, "false_alarms": alarms, "threshold": round(own, 6),
            "statistics": None if judged.statistics is None else [round(float(one), 4) for one in judged.statistics],
            "seconds": verdict.seconds[name], "judged": judged.able, "small": list(judged.small),
        }  # fmt: skip
    recall, alarms = review.rates(verdict.left_out, found.poisoned)
    kept, added = review.counts(verdict.words)
    return {
        "set": arguments.set, "images": len(labels), "flagged": int(verdict.left_out.sum()), "target": verdict.target,
        "filter": verdict.chosen, "recall": recall, "false_alarms": alarms, "list": str(place),
        "reviewed": {"put_back": kept, "flagged": added} if arguments.reviewed else None,
        "classes": list(found.images.class_names), "seed": arguments.seed, "filters": filters,
        "warnings": [{"code": one.code, "message": one.message, "facts": one.facts} for one in verdict.warnings],
    }  # fmt: skip


def _then(
    found: TrainSet, verdict: Verdict, arguments: argparse.Namespace, arch: str, report: Any, folder: Path
) -> dict[str, Any]:
    """The ways asked for, beside each other; of several, one that cannot be gone says why, and the others go on.

    Args:
        arch: of the model that was looked through, which is purified; the others are as ``--arch`` has it.
    """
    from core.dataroom.cures import before, cure
    from core.dataroom.written import write_candidate

    ways = THEN if arguments.then == "all" else (arguments.then,)
    made: dict[str, Any] = {"before": before(found, verdict)}
    failed = []
    for way in ways:
        try:
            cured = cure(way, found, verdict, arguments.arch, arguments.seed, report)
        except BadInput as error:
            if len(ways) == 1:
                raise
            failed.append({"code": error.code, "message": f"{way}: {error.message}", "facts": error.facts})
            continue
        network = arch if way == "purify" else arguments.arch
        names = found.images.class_names
        made[way] = cured.facts | write_candidate(folder, way, cured.model, network, names, cured.facts)
    return {"then": made, "failed": failed}


class Stages:
    """A bar for each stage, one after the other.

    Args:
        watch: is told the same.
    """

    def __init__(self, watch: Callable[[str, int, int], None] | None = None) -> None:
        self._watch = watch
        self._stage = ""
        self._bar: CountBar | None = None

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(*exception)

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self.__exit__()
            self._stage, self._bar = stage, CountBar(STAGES.get(stage, stage))
        assert self._bar is not None
        self._bar(done, total)
        if self._watch is not None:
            self._watch(stage, done, total)


def summary(result: dict[str, Any]) -> str:
    """The tables for people."""

    def shown(value: float | None) -> str:
        return "unknown" if value is None else f"{value:.1f}"

    rows = [
        [name, one["flagged"] if one["judged"] else "not judged",
         "none" if one["target"] is None else result["classes"][one["target"]],
         shown(one["recall"]), shown(one["false_alarms"])]
        for name, one in result["filters"].items()
    ]  # fmt: skip
    lines = [table(["filter", "flagged", "suspected class", "recall, %", "false alarms, %"], rows)]
    by = f"{result['filter']} and your list" if result["reviewed"] else result["filter"]
    lines.append(
        f"{result['flagged']} of {result['images']} images are flagged, by {by}: {result['list']}"
        if result["filters"][result["filter"]]["judged"]
        else f"The {result['images']} images cannot be judged by {result['filter']}; their scores: {result['list']}"
    )
    if result["reviewed"]:
        lines.append("Your list puts {put_back} images back and flags {flagged} more.".format(**result["reviewed"]))
    lines += [one["message"] for one in result["warnings"]]
    lines += [one["message"] for one in result.get("failed", [])]
    if "then" in result:
        ways = [
            [name, f"{one['ba']:.2f}", shown(one["asr"]), one["lost"], f"{one['minutes']:.1f}",
             "" if name == "before" else "no"]
            for name, one in result["then"].items()
        ]  # fmt: skip
        lines.append(table(["then", "accuracy, %", "attack success, %", "images lost", "minutes", "proven"], ways))
        made = [one["weights"] for name, one in result["then"].items() if name != "before"]
        if made:
            lines.append(
                "Candidates are not proven: nobody has looked for a trigger in them. Do so with clean images, and "
                f"purify what has one: python -m core scan {made[0]} --images CLEAN"
            )
    return "\n".join(lines)
